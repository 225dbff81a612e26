// Package templates is how a phone's settings look to each vendor: it renders the
// files of Polycom, Yealink and Grandstream phones from a View. It is pure: it does
// not know which phone asks, what may be shown to it, or how a file travels.
package templates

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"

	"pbx.dev/dialtone/internal/phone"
)

//go:embed polycom/*.tmpl yealink/*.tmpl grandstream/*.tmpl
var builtin embed.FS

const suffix = ".tmpl"

// dialect is how one vendor's files are escaped.
type dialect struct {
	vendor   phone.Vendor
	escapers []string // approved as the end of an action; the first is the default
}

func dialects() []dialect {
	return []dialect{
		{phone.Polycom, []string{escAttr, escText, escParam, escRaw}},
		{phone.Yealink, []string{escLine, escParam, escRaw}},
		{phone.Grandstream, []string{escText, escAttr, escParam, escRaw}},
	}
}

// Set is a complete set of templates. Names are "vendor/file" without ".tmpl",
// e.g. "polycom/phone". A Set never changes and is safe for concurrent use.
type Set struct {
	sources  map[string]string // by name
	vendors  map[phone.Vendor]*template.Template
	revision string
}

// Builtin returns the templates that dialtone is built with.
func Builtin() *Set {
	s, err := (&Set{}).Overlay(builtin)
	if err != nil {
		panic("templates: a builtin template is broken: " + err.Error()) // a test parses them all
	}
	return s
}

// Overlay returns a new set in which every vendor/*.tmpl of fsys stands in place of
// the template of the same name, or beside the others. s stays as it is. The error
// of a template that does not parse is an *Error.
func (s *Set) Overlay(fsys fs.FS) (*Set, error) {
	out := &Set{sources: map[string]string{}, vendors: map[phone.Vendor]*template.Template{}}
	maps.Copy(out.sources, s.sources)
	for _, d := range dialects() {
		files, err := fs.Glob(fsys, string(d.vendor)+"/*"+suffix)
		if err != nil {
			return nil, fmt.Errorf("list templates of %s: %w", d.vendor, err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(fsys, file)
			if err != nil {
				return nil, fmt.Errorf("read template: %w", err)
			}
			out.sources[strings.TrimSuffix(file, suffix)] = string(text)
		}
		if out.vendors[d.vendor], err = out.parse(d); err != nil {
			return nil, err
		}
	}
	h := sha256.New()
	for _, name := range out.Names() {
		fmt.Fprintf(h, "%s\x00%d\x00%s", name, len(out.sources[name]), out.sources[name])
	}
	out.revision = hex.EncodeToString(h.Sum(nil)[:8])
	return out, nil
}

// parse parses all templates of a vendor together, so that they see the templates
// which the others define.
func (s *Set) parse(d dialect) (*template.Template, error) {
	root := template.New(string(d.vendor)).Funcs(funcs()).Option("missingkey=error")
	for _, name := range s.Names() {
		if path.Dir(name) != string(d.vendor) {
			continue
		}
		if _, err := root.New(name).Parse(s.sources[name]); err != nil {
			return nil, newError(name, err)
		}
	}
	if err := secure(root, d); err != nil {
		return nil, newError("", err)
	}
	return root, nil
}

// Names lists the templates in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.sources)) }

// Source returns the text of a template.
func (s *Set) Source(name string) (string, bool) {
	text, ok := s.sources[name]
	return text, ok
}

// Revision changes whenever the text of a template does.
func (s *Set) Revision() string { return s.revision }

// Render writes the file that the template gives for v. Nothing is written unless
// all of it could be rendered. A set without the template is phone.ErrNotFound;
// what goes wrong inside the template is an *Error.
func (s *Set) Render(w io.Writer, name string, v View) error {
	root := s.vendors[phone.Vendor(path.Dir(name))]
	if _, ok := s.sources[name]; !ok || root == nil {
		return fmt.Errorf("template %.60q: %w", name, phone.ErrNotFound)
	}
	var buf bytes.Buffer
	if err := root.ExecuteTemplate(&limitWriter{w: &buf}, name, &v); err != nil {
		return newError(name, err)
	}
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// RenderMasked is Render with Mask in place of every secret.
func (s *Set) RenderMasked(w io.Writer, name string, v View) error {
	return s.Render(w, name, v.masked())
}
