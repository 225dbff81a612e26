package api

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// templateInput is a template as it is uploaded.
type templateInput struct {
	Name        string                   `json:"name"`
	Vendor      string                   `json:"vendor"`
	File        string                   `json:"file"`
	Content     string                   `json:"content"`
	Models      []string                 `json:"models"`
	MinFirmware string                   `json:"minFirmware"`
	MaxFirmware string                   `json:"maxFirmware"`
	Variables   []phone.TemplateVariable `json:"variables"`
	Note        string                   `json:"note"`
	Merged      bool                     `json:"merged"` // with what GET .../merge answered
	// Activate is true unless it says false.
	Activate *bool `json:"activate"`
}

// defaultFile is the file of a template that does not say: the phone's own.
const defaultFile = "phone"

func (in templateInput) template() (phone.Template, error) {
	t := phone.Template{Name: in.Name, Vendor: phone.Vendor(strings.ToLower(in.Vendor)), File: in.File}
	if in.Vendor != "" {
		v, err := vendorOf(in.Vendor, "")
		if err != nil {
			return t, phone.Invalid("vendor", "must be one of "+vendorNames())
		}
		t.Vendor = v
		if t.File == "" {
			t.File = defaultFile
		}
	}
	return t, nil
}

func (in templateInput) content() phone.TemplateContent {
	return phone.TemplateContent{
		Text: in.Content, Models: in.Models, MinFirmware: in.MinFirmware, MaxFirmware: in.MaxFirmware, Variables: in.Variables,
	}
}

func (in templateInput) draft(by string) phone.TemplateDraft {
	return phone.TemplateDraft{TemplateContent: in.content(), Merged: in.Merged, Note: in.Note, By: by, Activate: in.Activate == nil || *in.Activate}
}

// isText reports whether the body is a template's text alone.
func isText(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "text/plain"
}

// readTemplate reads a template as JSON, or as its text alone.
func readTemplate(w http.ResponseWriter, r *http.Request) (templateInput, error) {
	if isText(r) {
		text, err := readBody(w, r, maxBody)
		return templateInput{Content: string(text)}, err
	}
	return readNew[templateInput](w, r)
}

// createTemplate answers POST /v1/pbx/templates.
func (s *server) createTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[templateInput](w, r)
	if err != nil {
		return err
	}
	t, err := in.template()
	if err != nil {
		return err
	}
	e, report, err := s.Templates.Create(r.Context(), t, in.draft(infoOf(r).key.ID))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", templateTag(e.Template))
	return created(w, templateURL(e.Name), fullTemplate(e, report))
}

// putTemplate answers PUT /v1/pbx/templates/{name}: another revision, or the first
// one in place of a built-in template.
func (s *server) putTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readTemplate(w, r)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	was, err := s.Templates.Get(r.Context(), name)
	if err != nil {
		return absent("template", err)
	}
	switch {
	case in.Name != "" && in.Name != name:
		return phone.Invalid("name", "cannot be changed")
	case in.Vendor != "" && !strings.EqualFold(in.Vendor, string(was.Vendor)):
		return phone.Invalid("vendor", "cannot be changed")
	case in.File != "" && in.File != was.File:
		return phone.Invalid("file", "cannot be changed")
	}
	if isText(r) {
		c := was.Revision.TemplateContent // a text alone leaves what it is for as it is
		in.Models, in.MinFirmware, in.MaxFirmware, in.Variables = c.Models, c.MinFirmware, c.MaxFirmware, c.Variables
	}
	draft := in.draft(infoOf(r).key.ID)
	draft.Check = templateUnchanged(r)
	e, report, err := s.Templates.Update(r.Context(), name, draft)
	if err != nil {
		return absent("template", err)
	}
	return writeTemplate(w, e, report)
}

// rollbackTemplate answers POST /v1/pbx/templates/{name}/rollback: phones get
// another revision; without one the one before the active one, with 0 the built-in
// template.
func (s *server) rollbackTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readOptional[struct {
		Revision *int `json:"revision"`
	}](w, r)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	e, err := s.Templates.Get(r.Context(), name)
	if err != nil {
		return absent("template", err)
	}
	if e.Builtin {
		return phone.Invalid("revision", "the built-in template has no revisions")
	}
	to := max(e.Active-1, 0)
	if in.Revision != nil {
		to = int64(*in.Revision)
	}
	e, report, err := s.Templates.Activate(r.Context(), name, to, templateUnchanged(r))
	if err != nil {
		return absent("template", err)
	}
	return writeTemplate(w, e, report)
}

// trial reads a template that is only tried. An uploaded or built-in template's name
// gives what is not said.
func (s *server) trial(r *http.Request, in templateInput) (phone.Template, phone.TemplateContent, error) {
	t, err := in.template()
	if err != nil {
		return t, phone.TemplateContent{}, err
	}
	c := in.content()
	if in.Name == "" {
		return t, c, nil
	}
	e, err := s.Templates.Get(r.Context(), in.Name)
	if errors.Is(err, phone.ErrNotFound) {
		return t, c, nil // a name that is new is as good as none
	}
	if err != nil {
		return t, c, err
	}
	if t.Vendor == "" {
		t.Vendor, t.File = e.Vendor, e.File
	}
	if c.Text == "" && !e.Builtin {
		c = e.Revision.TemplateContent
	}
	return t, c, nil
}

// readTrial reads the body of a call that tries a template without a phone.
func (s *server) readTrial(w http.ResponseWriter, r *http.Request) (phone.Template, phone.TemplateContent, error) {
	if err := noQuery(r); err != nil {
		return phone.Template{}, phone.TemplateContent{}, err
	}
	in, err := readNew[templateInput](w, r)
	if err != nil {
		return phone.Template{}, phone.TemplateContent{}, err
	}
	t, c, err := s.trial(r, in)
	if err == nil && t.Vendor == "" {
		err = phone.Invalid("vendor", "must be one of "+vendorNames())
	}
	return t, c, err
}

// validateTemplate answers POST /v1/pbx/templates/validate.
func (s *server) validateTemplate(w http.ResponseWriter, r *http.Request) error {
	t, c, err := s.readTrial(w, r)
	if err != nil {
		return err
	}
	if c.Text == "" {
		return phone.Invalid("content", "is missing")
	}
	report, err := s.Templates.Check(t, c)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Valid    bool            `json:"valid"`
		Bytes    int             `json:"bytes"`
		Warnings []warningAnswer `json:"warnings"`
	}{true, report.Bytes, append([]warningAnswer{}, warningsOf(report.Warnings)...)})
}

type exampleAnswer struct {
	PhoneID string    `json:"phoneId"`
	MAC     phone.MAC `json:"macAddress"`
	Model   string    `json:"model,omitempty"`
	Diff    string    `json:"diff,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// templateImpact answers POST /v1/pbx/templates/impact: which phones a template
// would concern and how their files would change.
func (s *server) templateImpact(w http.ResponseWriter, r *http.Request) error {
	t, c, err := s.readTrial(w, r)
	if err != nil {
		return err
	}
	i, err := s.Templates.Impact(r.Context(), t, c)
	if err != nil {
		return err
	}
	answer := struct {
		Phones    int             `json:"phones"`
		Concerned int             `json:"concerned"`
		Changed   int             `json:"changed"`
		Failed    int             `json:"failed"`
		Warnings  map[string]int  `json:"warnings"`
		Examples  []exampleAnswer `json:"examples"`
	}{i.Phones, i.Concerned, i.Changed, i.Failed, i.Warnings, []exampleAnswer{}}
	for _, e := range i.Examples {
		answer.Examples = append(answer.Examples, exampleAnswer{PhoneID: e.ID, MAC: e.MAC, Model: e.Model, Diff: e.Diff, Error: e.Error})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// previewInput is a template and the phone it is tried on.
type previewInput struct {
	templateInput
	PhoneID string `json:"phoneId"`
}

// previewTemplate answers POST /v1/pbx/templates/preview.
func (s *server) previewTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[previewInput](w, r)
	if err != nil {
		return err
	}
	t, c, err := s.trial(r, in.templateInput)
	if err != nil {
		return err
	}
	if in.PhoneID == "" {
		return phone.Invalid("phoneId", "is missing")
	}
	if t.Vendor == "" { // the phone says whose template it is
		d, err := s.Devices.Device(r.Context(), in.PhoneID)
		if err != nil {
			return phone.Invalid("phoneId", "there is no such provisioned phone")
		}
		t.Vendor, t.File = d.Vendor, defaultFile
	}
	body, choice, err := s.Templates.Preview(r.Context(), in.PhoneID, t, c)
	if err != nil {
		return absent("provisioned phone", err)
	}
	return writeJSON(w, http.StatusOK, struct {
		Template string `json:"template"` // empty: the built-in one
		Revision int64  `json:"revision,omitempty"`
		Content  string `json:"content"`
	}{choice.Template, choice.Revision, string(body)})
}
