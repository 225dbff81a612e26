package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// Bounds of an import.
const (
	maxImportBody = 32 << 20 // bytes
	maxImportRows = 100_000
	maxRowErrors  = 1000 // told of one import
)

const csvType = "text/csv"

// rowError is what is wrong with one row of an import, counted as a spreadsheet
// shows them: the header is row 1.
type rowError struct {
	row int
	err error
}

func (e *rowError) Error() string { return fmt.Sprintf("row %d: %v", e.row, e.err) }
func (e *rowError) Unwrap() error { return e.err }

// table is a CSV file that was read: cells by the name of their column.
type table struct {
	columns map[string]int
	rows    [][]string
}

// cell is a cell of a row, "" for a column that the file does not have.
func (t *table) cell(row []string, column string) string {
	i, ok := t.columns[column]
	if !ok {
		return ""
	}
	return row[i]
}

// readTable reads a CSV body (RFC 4180) whose first row names the columns, in any
// order and case: those required must be there, others than known are refused. A
// byte order mark and semicolons, which spreadsheets write, are taken.
func readTable(w http.ResponseWriter, r *http.Request, required string, known ...string) (*table, error) {
	if err := checkType(r, csvType); err != nil {
		return nil, err
	}
	body, err := readBody(w, r, maxImportBody)
	if err != nil {
		return nil, err
	}
	return parseTable(body, required, known)
}

func parseTable(body []byte, required string, known []string) (*table, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, phone.Invalid("body", "is not UTF-8")
	}
	in := csv.NewReader(bytes.NewReader(body))
	head, _, _ := bytes.Cut(body, []byte("\n"))
	if bytes.Contains(head, []byte(";")) && !bytes.Contains(head, []byte(",")) {
		in.Comma = ';'
	}
	rows, err := in.ReadAll()
	var broken *csv.ParseError
	switch {
	case errors.As(err, &broken):
		return nil, badRow(broken.Line, "body", "is not CSV: "+broken.Err.Error())
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, phone.Invalid("body", "is empty; the first row names the columns "+strings.Join(known, ", "))
	case len(rows) > maxImportRows+1:
		return nil, phone.Invalid("body", fmt.Sprintf("has more than %d rows", maxImportRows))
	}
	t := &table{columns: map[string]int{}, rows: rows[1:]}
	for i, name := range rows[0] {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := t.columns[name]; twice || !slices.Contains(known, name) {
			return nil, badRow(1, clip(name), "is no column of this import or is there twice; the columns are "+strings.Join(known, ", "))
		}
		t.columns[name] = i
	}
	if _, ok := t.columns[required]; !ok {
		return nil, badRow(1, required, "is missing: the first row names the columns "+strings.Join(known, ", "))
	}
	for _, row := range t.rows {
		for i, c := range row {
			row[i] = fromCell(c)
		}
	}
	return t, nil
}

// badRow is that a file cannot be read further than a row.
func badRow(row int, field, reason string) error {
	return &importError{[]error{&rowError{row, phone.Invalid(field, reason)}}}
}

// active are the first characters that make a spreadsheet take a text for a formula
// (OWASP, CSV injection), and the apostrophe that marks a text as none.
const active = "=+-@\t\r'"

// toCell writes a text so that no spreadsheet runs it; fromCell reads it back.
func toCell(text string) string {
	if text != "" && strings.ContainsRune(active, rune(text[0])) {
		return "'" + text
	}
	return text
}

func fromCell(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(active, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}
