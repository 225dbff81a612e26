package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Imports creates many at once, all or nothing: with any bad row nothing is stored,
// and with dryRun nothing is anyway.
type Imports interface {
	CreateDevices(ctx context.Context, rows []phone.Device, dryRun bool) (made []phone.Device, bad []phone.RowError, err error)
	CreateExtensions(ctx context.Context, rows []phone.Extension, dryRun bool) (made []phone.Extension, bad []phone.RowError, err error)
	// Devices returns up to limit devices after the id after, ascending.
	Devices(ctx context.Context, after string, limit int) ([]phone.Device, error)
}

// importRoutes are the calls that take or give whole lists.
func (s *server) importRoutes() []route {
	if s.Imports == nil {
		return nil
	}
	return []route{
		{"POST", base + "/phones/import", phonesWrite, s.importPhones},
		{"GET", base + "/phones/export", phonesRead, s.exportPhones},
		{"POST", base + "/extensions/import", extensionsWrite, s.importExtensions},
	}
}

var (
	phoneColumns     = []string{"mac", "model", "extension", "name", "site"}
	extensionColumns = []string{"number", "name", "sip_username", "sip_password"}
)

// importAnswer says what an import did, or with dryRun would do.
type importAnswer struct {
	DryRun  bool `json:"dryRun"`
	Rows    int  `json:"rows"`
	Created int  `json:"created"`
}

// importPhones answers POST /v1/pbx/phones/import. A column "manufacturer" may be
// added for phones whose MAC address does not tell it.
func (s *server) importPhones(w http.ResponseWriter, r *http.Request) error {
	dryRun, err := dryRunOf(r)
	if err != nil {
		return err
	}
	t, err := readTable(w, r, "mac", append(phoneColumns[:len(phoneColumns):len(phoneColumns)], "manufacturer")...)
	if err != nil {
		return err
	}
	devices, errs := make([]phone.Device, len(t.rows)), []error(nil)
	for i, row := range t.rows {
		if err := s.deviceOfRow(t, row, &devices[i]); err != nil {
			errs = append(errs, &rowError{i + 2, columnsOf(err)})
		}
	}
	if len(errs) > 0 {
		// What the store would say of the rows that are well is told in the same answer.
		dryRun = true
	}
	_, bad, err := s.Imports.CreateDevices(r.Context(), devices, dryRun)
	return s.imported(w, r, t, errs, bad, err)
}

// deviceOfRow reads one row.
func (s *server) deviceOfRow(t *table, row []string, d *phone.Device) error {
	lines, err := linesOfCell(t.cell(row, "extension"))
	if err != nil {
		return err
	}
	return s.newDevice(d, phoneInput{
		MACAddress: t.cell(row, "mac"), Manufacturer: t.cell(row, "manufacturer"), Model: t.cell(row, "model"),
		Name: t.cell(row, "name"), Site: t.cell(row, "site"), Lines: lines,
	})
}

// linesOfCell reads the extensions of a phone: "101", "101 102" for lines 1 and 2,
// or "1:101 3:102".
func linesOfCell(cell string) ([]lineInput, error) {
	var lines []lineInput
	for i, word := range strings.Fields(cell) {
		l := lineInput{Line: new(i + 1), ExtensionNumber: word}
		if number, extension, ok := strings.Cut(word, ":"); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				return nil, phone.Invalid("extension", "must be extension numbers, or LINE:NUMBER")
			}
			l = lineInput{Line: new(n), ExtensionNumber: extension}
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func cellOfLines(lines []phone.Line) string {
	words := make([]string, len(lines))
	plain := true
	for i, l := range lines {
		words[i] = l.Extension
		plain = plain && l.Number == i+1
	}
	if !plain {
		for i, l := range lines {
			words[i] = strconv.Itoa(l.Number) + ":" + l.Extension
		}
	}
	return strings.Join(words, " ")
}

// columnsOf renames the fields of an error to the columns they came from.
func columnsOf(err error) error {
	var field *phone.FieldError
	var taken *phone.ConflictError
	switch {
	case errors.As(err, &field):
		return phone.Invalid(columnOf(field.Field), field.Reason)
	case errors.As(err, &taken):
		return &phone.ConflictError{Field: columnOf(taken.Field), Reason: taken.Reason}
	}
	return err
}

func columnOf(name string) string {
	switch {
	case name == "macAddress":
		name = "mac"
	case strings.HasPrefix(name, "lines"):
		name = "extension"
	case name == "sipUsername":
		name = "sip_username"
	case name == "sipPassword":
		name = "sip_password"
	}
	return name
}

// importExtensions answers POST /v1/pbx/extensions/import.
func (s *server) importExtensions(w http.ResponseWriter, r *http.Request) error {
	dryRun, err := dryRunOf(r)
	if err != nil {
		return err
	}
	t, err := readTable(w, r, "number", extensionColumns...)
	if err != nil {
		return err
	}
	rows := make([]phone.Extension, len(t.rows))
	for i, row := range t.rows {
		rows[i] = phone.Extension{
			Number: strings.TrimSpace(t.cell(row, "number")), Name: t.cell(row, "name"),
			SIPUsername: t.cell(row, "sip_username"), Password: phone.NewSecret(t.cell(row, "sip_password")),
		}
	}
	_, bad, err := s.Imports.CreateExtensions(r.Context(), rows, dryRun)
	return s.imported(w, r, t, nil, bad, err)
}

func dryRunOf(r *http.Request) (bool, error) { return flagOf(r, "dryRun") }

// imported answers an import: errs were found here, bad by the store. A row that is
// in both is told once.
func (s *server) imported(w http.ResponseWriter, r *http.Request, t *table, errs []error, bad []phone.RowError, err error) error {
	if err != nil {
		return err
	}
	told := map[int]bool{}
	for _, e := range errs {
		told[rowOf(e)] = true
	}
	for _, b := range bad {
		if !told[b.Row+2] {
			errs = append(errs, &rowError{b.Row + 2, columnsOf(b.Err)})
		}
	}
	slices.SortStableFunc(errs, func(a, b error) int { return rowOf(a) - rowOf(b) })
	if len(errs) > 0 {
		return &importError{errs}
	}
	dryRun, err := dryRunOf(r)
	if err != nil {
		return err
	}
	answer := importAnswer{DryRun: dryRun, Rows: len(t.rows)}
	note(r, "rows", answer.Rows)
	note(r, "dryRun", dryRun)
	if !dryRun {
		answer.Created = len(t.rows)
		if s.Settle != nil {
			s.Settle(r.Context()) // the list shows them before the answer says so
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

func rowOf(err error) int {
	var re *rowError
	if errors.As(err, &re) {
		return re.row
	}
	return 0
}

// importError is that rows of an import are wrong; nothing was stored.
type importError struct{ rows []error }

func (e *importError) Error() string { return fmt.Sprintf("%d rows are wrong", len(e.rows)) }

// problem lists the rows.
func (e *importError) problem() problem {
	p := newProblem(http.StatusUnprocessableEntity,
		fmt.Sprintf("Nothing was imported: %d rows are wrong; see errors.", len(e.rows)), nil)
	for _, err := range e.rows[:min(len(e.rows), maxRowErrors)] {
		var row *rowError
		errors.As(err, &row)
		fields := fieldProblems(row.err)
		if len(fields) == 0 {
			fields = []fieldProblem{{Detail: conflictDetail(row.err)}}
		}
		for _, f := range fields {
			f.Row = row.row
			p.Errors = append(p.Errors, f)
		}
	}
	return p
}

// exportPhones answers GET /v1/pbx/phones/export with the provisioned phones.
func (s *server) exportPhones(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	page, err := s.Imports.Devices(r.Context(), "", maxLimit)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", csvType+"; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="phones.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(phoneColumns) // the client may be gone: Error says so below
	for len(page) > 0 {
		for _, d := range page {
			_ = out.Write([]string{d.MAC.String(), toCell(d.Model), toCell(cellOfLines(d.Lines)), toCell(d.Name), toCell(d.Site)})
		}
		if out.Flush(); out.Error() != nil {
			return nil
		}
		if page, err = s.Imports.Devices(r.Context(), page[len(page)-1].ID, maxLimit); err != nil {
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	out.Flush()
	return nil
}
