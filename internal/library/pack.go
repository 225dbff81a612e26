package library

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// Limits of a pack: a zip file that unpacks to more is refused while it is read.
const (
	maxPackFiles    = 200
	maxPackBytes    = 16 << 20 // unpacked, all together
	maxPackFile     = 1 << 20  // unpacked, one
	maxManifest     = 256 << 10
	maxPathInPack   = 200
	packManifest    = "manifest.json"
	packTemplateExt = ".tmpl"
)

// Packed is one entry of a pack's manifest: a template and the path of its text.
type Packed struct {
	Name   string       `json:"name"`
	Vendor phone.Vendor `json:"vendor"`
	File   string       `json:"file"`
	Path   string       `json:"path"`
	phone.TemplateContent
	Note string `json:"note,omitempty"`
}

// ReadPack reads a zip file: manifest.json, which readManifest reads, and the texts that
// it names. What is wrong is phone.FieldError of "manifest" or "path".
func ReadPack(body []byte) ([]Packed, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, phone.Invalid("body", "is not a zip file")
	}
	if len(z.File) > maxPackFiles {
		return nil, phone.Invalid("body", fmt.Sprintf("has more than %d files", maxPackFiles))
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		if len(f.Name) > maxPathInPack || files[f.Name] != nil {
			return nil, phone.Invalid("body", fmt.Sprintf("the name %.40q is too long or stands twice", f.Name))
		}
		files[f.Name] = f
	}
	left := int64(maxPackBytes)
	text, err := unpack(files[packManifest], packManifest, maxManifest, &left)
	if err != nil {
		return nil, err
	}
	list, err := readManifest(text)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, phone.Invalid("manifest", "names no template")
	}
	seen := map[string]bool{}
	for i := range list {
		if seen[list[i].Name] {
			return nil, phone.Invalid(fmt.Sprintf("manifest[%d].name", i), "stands twice")
		}
		seen[list[i].Name] = true
		text, err := unpack(files[list[i].Path], list[i].Path, maxPackFile, &left)
		if err != nil {
			return nil, inEntry(i, list[i].Path, err)
		}
		list[i].Text = string(text)
	}
	return list, nil
}

// readManifest reads a list of entries, or an object with the list as "templates". An
// entry that does not say which file it makes makes the phone's own.
func readManifest(text []byte) ([]Packed, error) {
	var in struct {
		Templates []Packed `json:"templates"`
	}
	into := any(&in)
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		into = &in.Templates
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return nil, phone.Invalid("manifest", "is not a list of templates: "+err.Error())
	}
	for i := range in.Templates {
		if in.Templates[i].File == "" {
			in.Templates[i].File = "phone"
		}
	}
	return in.Templates, nil
}

// unpack reads a file of a zip, whatever its header says of its size.
func unpack(f *zip.File, name string, most int64, left *int64) ([]byte, error) {
	if f == nil {
		return nil, phone.Invalid("path", fmt.Sprintf("the pack has no %.60q", name))
	}
	r, err := f.Open()
	if err != nil {
		return nil, phone.Invalid("path", fmt.Sprintf("%.60q cannot be unpacked", name))
	}
	defer r.Close()
	most = min(most, *left)
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, phone.Invalid("path", fmt.Sprintf("%.60q cannot be unpacked", name))
	case int64(len(text)) > most:
		return nil, phone.Invalid("path", fmt.Sprintf("%.60q is too large", name))
	}
	*left -= int64(len(text))
	return text, nil
}

// inEntry puts the place in the manifest before the field of an error, and says which
// file of the pack it is about.
func inEntry(i int, file string, err error) error {
	var field *phone.FieldError
	if errors.As(err, &field) {
		e := *field
		e.Field, e.File = fmt.Sprintf("manifest[%d].%s", i, e.Field), file
		return &e
	}
	return err
}

// PutPack checks all templates of a pack, then stores and activates them, all or
// none. It returns the warnings by name, or what is wrong with each that is.
func (s *Service) PutPack(ctx context.Context, body []byte, by string) (map[string][]templates.Warning, error) {
	if s.opts.Packs == nil {
		return nil, fmt.Errorf("packs: %w", phone.ErrNotFound)
	}
	list, err := ReadPack(body)
	if err != nil {
		return nil, err
	}
	warnings := map[string][]templates.Warning{}
	where, drafts := make([]phone.Template, len(list)), make([]phone.TemplateDraft, len(list))
	var wrong []error
	for i, p := range list {
		where[i] = phone.Template{Name: p.Name, Vendor: p.Vendor, File: p.File}
		report, err := s.checkPacked(where[i], p.TemplateContent)
		if err != nil {
			wrong = append(wrong, inEntry(i, p.Path, err))
			continue
		}
		warnings[p.Name] = report.Warnings
		drafts[i] = phone.TemplateDraft{TemplateContent: p.TemplateContent, Note: p.Note, By: by, Activate: true}
		drafts[i].Base, _ = templates.Builtin().Source(fileOf(where[i]))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if err := s.opts.Packs.StoreTemplates(ctx, where, drafts); err != nil {
		return nil, err
	}
	return warnings, s.Reload(ctx)
}

// checkPacked is Check for a template whose name may be a built-in one's.
func (s *Service) checkPacked(t phone.Template, c phone.TemplateContent) (templates.Report, error) {
	if own, ok := builtin(t.Name); ok && (own.Vendor != t.Vendor || own.File != t.File) {
		return templates.Report{}, phone.Invalid("name", "is the name of the built-in template of another file")
	}
	return s.Check(t, c)
}

// Pack is a zip file of the uploaded templates that are active, as PutPack takes it.
func (s *Service) Pack(ctx context.Context) ([]byte, error) {
	list, revisions, err := s.opts.Reader.ActiveTemplates(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	manifest := make([]Packed, len(list))
	for i, t := range list {
		r := revisions[i]
		manifest[i] = Packed{Name: t.Name, Vendor: t.Vendor, File: t.File, Path: path.Join(string(t.Vendor), t.Name+packTemplateExt), TemplateContent: r.TemplateContent, Note: r.Note}
		w, err := z.Create(manifest[i].Path)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, r.Text); err != nil {
			return nil, err
		}
		manifest[i].Text = ""
	}
	w, err := z.Create(packManifest)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(w).Encode(manifest); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
