package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

const (
	templatesRead  = "pbx:templates:read"
	templatesWrite = "pbx:templates:write"
)

// Templates are the templates that phones' files are made from. Errors are
// phone.ErrNotFound, phone.ErrConflict and phone.FieldError, of a text with line and
// column.
type Templates interface {
	List(ctx context.Context) ([]library.Entry, error)
	Get(ctx context.Context, name string) (library.Entry, error)
	TemplateWriter
	TemplateHistory
	TemplateTrials
}

// TemplateWriter changes templates; what it answers phones get from then on.
type TemplateWriter interface {
	Create(ctx context.Context, t phone.Template, d phone.TemplateDraft) (library.Entry, templates.Report, error)
	Update(ctx context.Context, name string, d phone.TemplateDraft) (library.Entry, templates.Report, error)
	Activate(ctx context.Context, name string, number int64, check phone.Check[phone.Template]) (library.Entry, templates.Report, error)
	Delete(ctx context.Context, name string, check phone.Check[phone.Template]) error
	// PrepareTrial makes the job that gives phones a revision in waves, and says which
	// phones it concerns; EndTrial ends what it began.
	// PutPack stores the templates of a zip file, all or none; Pack is such a file.
	PutPack(ctx context.Context, body []byte, by string) (map[string][]templates.Warning, error)
	Pack(ctx context.Context) ([]byte, error)
	PrepareTrial(ctx context.Context, name string, number int64, keep bool) (phone.Job, []string, error)
	EndTrial(ctx context.Context, jobID string, activate bool) error
}

// TemplateHistory is what was.
type TemplateHistory interface {
	Revisions(ctx context.Context, name string, before int64, limit int) ([]phone.TemplateRevision, error)
	Diff(ctx context.Context, name string, from, to int64) (string, error)
	Merge(ctx context.Context, name string) (library.Merged, error)
}

// TemplateTrials try a template without storing it.
type TemplateTrials interface {
	Check(t phone.Template, c phone.TemplateContent) (templates.Report, error)
	Impact(ctx context.Context, t phone.Template, c phone.TemplateContent) (library.Impact, error)
	Preview(ctx context.Context, deviceID string, t phone.Template, c phone.TemplateContent) ([]byte, templates.Choice, error)
}

func (s *server) templateRoutes() []route {
	return []route{
		{"GET", base + "/templates", templatesRead, s.listTemplates},
		{"POST", base + "/templates", templatesWrite, s.createTemplate},
		{"POST", base + "/templates/validate", templatesRead, s.validateTemplate},
		{"POST", base + "/templates/preview", templatesRead, s.previewTemplate},
		{"POST", base + "/templates/packs", templatesWrite, s.putPack},
		{"GET", base + "/templates/packs", templatesRead, s.getPack},
		{"POST", base + "/templates/impact", templatesRead, s.templateImpact},
		{"GET", base + "/templates/{name}", templatesRead, s.getTemplate},
		{"PUT", base + "/templates/{name}", templatesWrite, s.putTemplate},
		{"DELETE", base + "/templates/{name}", templatesWrite, s.deleteTemplate},
		{"GET", base + "/templates/{name}/revisions", templatesRead, s.templateRevisions},
		{"GET", base + "/templates/{name}/diff", templatesRead, s.templateDiff},
		{"GET", base + "/templates/{name}/merge", templatesRead, s.mergeTemplate},
		{"POST", base + "/templates/{name}/rollback", templatesWrite, s.rollbackTemplate},
		{"POST", base + "/templates/{name}/activate", templatesWrite, s.activateTemplate},
	}
}

type templateAnswer struct {
	Name           string                   `json:"name"`
	Vendor         phone.Vendor             `json:"vendor"`
	File           string                   `json:"file"`
	Builtin        bool                     `json:"builtin"`
	Active         bool                     `json:"active"`             // phones get it
	Revision       int64                    `json:"revision,omitempty"` // the active one, else the newest
	LatestRevision int64                    `json:"latestRevision,omitempty"`
	RevisionID     string                   `json:"revisionId"`
	Models         []string                 `json:"models,omitempty"`
	MinFirmware    string                   `json:"minFirmware,omitempty"`
	MaxFirmware    string                   `json:"maxFirmware,omitempty"`
	Variables      []phone.TemplateVariable `json:"variables,omitempty"`
	Behind         bool                     `json:"behind,omitempty"`
	Fault          string                   `json:"fault,omitempty"`
	Note           string                   `json:"note,omitempty"`
	CreatedBy      string                   `json:"createdBy,omitempty"`
	CreatedAt      time.Time                `json:"createdAt,omitzero"`
	UpdatedAt      time.Time                `json:"updatedAt,omitzero"`
	Content        string                   `json:"content,omitempty"`
	Warnings       []warningAnswer          `json:"warnings,omitempty"`
}

type warningAnswer struct {
	Code      string `json:"code"`
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
	Line      int    `json:"line,omitempty"` // of the file of the sample phone
}

func warningsOf(list []templates.Warning) []warningAnswer {
	var out []warningAnswer
	for _, w := range list {
		out = append(out, warningAnswer{Code: w.Code, Parameter: w.Parameter, Detail: w.Reason, Line: w.Line})
	}
	return out
}

func templateOf(e library.Entry) templateAnswer {
	r := e.Revision
	return templateAnswer{
		Name: e.Name, Vendor: e.Vendor, File: e.File, Builtin: e.Builtin, Active: e.Builtin || e.Active != 0,
		Revision: r.Number, LatestRevision: e.Latest, RevisionID: r.ID, Models: r.Models, MinFirmware: r.MinFirmware, MaxFirmware: r.MaxFirmware,
		Variables: r.Variables, Behind: e.Behind, Fault: e.Fault, Note: r.Note, CreatedBy: r.CreatedBy,
		CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt),
	}
}

func fullTemplate(e library.Entry, report templates.Report) templateAnswer {
	a := templateOf(e)
	a.Content, a.Warnings = e.Revision.Text, warningsOf(report.Warnings)
	return a
}

// writeTemplate answers with a template and its ETag.
func writeTemplate(w http.ResponseWriter, e library.Entry, report templates.Report) error {
	w.Header().Set("ETag", templateTag(e.Template))
	return writeJSON(w, http.StatusOK, fullTemplate(e, report))
}

// listTemplates answers GET /v1/pbx/templates. They are few: the page is cut here.
func (s *server) listTemplates(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	vendor := q.text("vendor")
	limit, after := q.limit(), q.cursor()
	if err := q.err(); err != nil {
		return err
	}
	list, err := s.Templates.List(r.Context())
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(e library.Entry) bool {
		return e.Name <= after || vendor != "" && vendor != string(e.Vendor)
	})
	page, next := cut(list, limit, func(e library.Entry) string { return e.Name })
	answer := struct {
		Templates []templateAnswer `json:"templates"`
		Next      string           `json:"next,omitempty"`
	}{make([]templateAnswer, 0, len(page)), next}
	for _, e := range page {
		answer.Templates = append(answer.Templates, templateOf(e))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getTemplate answers GET /v1/pbx/templates/{name}.
func (s *server) getTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	e, err := s.Templates.Get(r.Context(), mux.Vars(r)["name"])
	if err != nil {
		return absent("template", err)
	}
	return writeTemplate(w, e, templates.Report{})
}

// deleteTemplate answers DELETE /v1/pbx/templates/{name}.
func (s *server) deleteTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.Templates.Delete(r.Context(), mux.Vars(r)["name"], templateUnchanged(r)); err != nil {
		return absent("template", err)
	}
	return noContent(w)
}

type revisionAnswer struct {
	Revision  int64     `json:"revision"`
	ID        string    `json:"revisionId"`
	Active    bool      `json:"active"`
	Note      string    `json:"note,omitempty"`
	CreatedBy string    `json:"createdBy,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Models    []string  `json:"models,omitempty"`
	Content   string    `json:"content"`
}

// templateRevisions answers GET /v1/pbx/templates/{name}/revisions.
func (s *server) templateRevisions(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	limit, after := q.limit(), q.cursor()
	before, cursorErr := strconv.ParseInt(after, 10, 64)
	if after != "" && cursorErr != nil {
		q.fail("cursor", "is not a cursor of this list")
	}
	if err := q.err(); err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	e, err := s.Templates.Get(r.Context(), name)
	if err != nil {
		return absent("template", err)
	}
	list, err := s.Templates.Revisions(r.Context(), name, before, limit+1)
	if err != nil {
		return absent("template", err)
	}
	page, next := cut(list, limit, func(rev phone.TemplateRevision) string { return strconv.FormatInt(rev.Number, 10) })
	answer := struct {
		Revisions []revisionAnswer `json:"revisions"`
		Next      string           `json:"next,omitempty"`
	}{make([]revisionAnswer, 0, len(page)), next}
	for _, rev := range page {
		answer.Revisions = append(answer.Revisions, revisionAnswer{
			Revision: rev.Number, ID: rev.ID, Active: rev.Number == e.Active, Note: rev.Note, CreatedBy: rev.CreatedBy,
			CreatedAt: stamp(rev.CreatedAt), Models: rev.Models, Content: rev.Text,
		})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// templateDiff answers GET /v1/pbx/templates/{name}/diff: from one revision to
// another; 0 is the built-in template.
func (s *server) templateDiff(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	from, to := q.revision("from"), q.revision("to")
	if err := q.err(); err != nil {
		return err
	}
	diff, err := s.Templates.Diff(r.Context(), mux.Vars(r)["name"], from, to)
	if err != nil {
		return absent("revision", err)
	}
	return writeJSON(w, http.StatusOK, map[string]string{"diff": diff})
}

// revision reads the number of a revision; absent is 0.
func (q *query) revision(name string) int64 {
	v := q.text(name)
	n, err := strconv.ParseInt(v, 10, 64)
	if v != "" && (err != nil || n < 0) {
		q.fail(name, "must be the number of a revision, 0 for the built-in template")
	}
	return n
}

// mergeTemplate answers GET /v1/pbx/templates/{name}/merge.
func (s *server) mergeTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	m, err := s.Templates.Merge(r.Context(), mux.Vars(r)["name"])
	if err != nil {
		return absent("uploaded template", err)
	}
	return writeJSON(w, http.StatusOK, struct {
		Content   string `json:"content"`
		Conflicts int    `json:"conflicts"`
	}{m.Text, m.Conflicts})
}

func templateURL(name string) string { return base + "/templates/" + url.PathEscape(name) }
