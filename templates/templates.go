// Package templates is how a phone's settings look to each vendor: it renders the
// files of Polycom, Yealink and Grandstream phones from a View. It is pure: it does
// not know which phone asks, what may be shown to it, or how a file travels.
package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"text/template/parse"

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
// e.g. "polycom/phone". A Set never changes and is safe for concurrent use; what it
// renders with was compiled when it was made.
type Set struct {
	sources  map[string]string // by name
	programs map[string]*program
	traced   func() traces   // compiled when first asked for
	raw      []string        // templates that ask for "raw"
	over     map[string]bool // files that the last Overlay brought
	revision string
}

// traces is what explains a set.
type traces struct {
	programs map[string]*program // as those of the set, saying who wrote what
	uses     map[string]map[Use]bool
}

// Builtin returns the templates that dialtone is built with, compiled once: a Set
// never changes.
func Builtin() *Set { return compiled() }

var compiled = sync.OnceValue(func() *Set {
	s, err := (&Set{}).Overlay(builtin)
	if err != nil {
		panic("templates: a builtin template is broken: " + err.Error()) // a test parses them all
	}
	return s
})

// Overlay returns a new set in which every vendor/*.tmpl of fsys stands in place of
// the template of the same name, or beside the others. s stays as it is. The error
// of a template that does not parse, or that names what a View does not have, is an
// *Error with line and column.
func (s *Set) Overlay(fsys fs.FS) (*Set, error) {
	texts := map[string]string{}
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
			texts[strings.TrimSuffix(file, suffix)] = string(text)
		}
	}
	return s.with(texts)
}

// with is Overlay for texts by name.
func (s *Set) with(texts map[string]string) (*Set, error) {
	out := &Set{sources: map[string]string{}, programs: map[string]*program{}, over: map[string]bool{}}
	maps.Copy(out.sources, s.sources)
	for name, text := range texts {
		if len(text) > maxBytes {
			return nil, &Error{Name: name, Reason: fmt.Sprintf("the template is larger than %d MB", maxBytes>>20)}
		}
		out.sources[name], out.over[name] = text, true
	}
	if err := out.compile(out.programs, nil); err != nil {
		return nil, err
	}
	out.traced = sync.OnceValue(func() traces {
		t, again := traces{map[string]*program{}, map[string]map[Use]bool{}}, *out
		if err := again.compile(t.programs, t.uses); err != nil {
			return traces{} // cannot be: it compiled before
		}
		return t
	})
	h := sha256.New()
	for _, name := range out.all() {
		fmt.Fprintf(h, "%s\x00%d\x00%s", name, len(out.sources[name]), out.sources[name])
	}
	out.revision = hex.EncodeToString(h.Sum(nil)[:8])
	return out, nil
}

// compile fills programs with the files of all vendors. Templates of one vendor see
// what the others define. With uses the programs say who wrote what.
func (s *Set) compile(programs map[string]*program, uses map[string]map[Use]bool) error {
	s.raw = nil
	for _, d := range dialects() {
		c := &compiler{trees: map[string]*parse.Tree{}, sources: s.sources, dialect: d, done: map[programKey]*program{}, traced: uses != nil, uses: uses, lines: map[string][]int{}}
		if err := s.parse(c); err != nil {
			return err
		}
		if err := c.secure(); err != nil {
			return err
		}
		s.raw = append(s.raw, c.raw...)
		for _, name := range s.Names() {
			if path.Dir(name) != string(d.vendor) {
				continue
			}
			p, err := c.program(name, reflect.TypeFor[View]())
			if err != nil {
				return err
			}
			programs[name] = p
		}
	}
	return nil
}

// parse reads the templates of a vendor. What an overlay defines stands in place of a
// definition of the same name in any other file.
func (s *Set) parse(c *compiler) error {
	names := s.all()
	slices.SortStableFunc(names, func(a, b string) int { return btoi(s.over[a]) - btoi(s.over[b]) })
	for _, name := range names {
		if path.Dir(name) != string(c.dialect.vendor) {
			continue
		}
		t := parse.New(name)
		set := map[string]*parse.Tree{}
		if _, err := t.Parse(s.sources[name], "", "", set, functionNames()); err != nil {
			return newError(name, s.sources[name], err)
		}
		set[name] = t // also when the file holds definitions only
		for n, tree := range set {
			c.trees[n] = tree
		}
	}
	return nil
}

// functionNames is what the parser wants to know of functions.
var functionNames = sync.OnceValue(func() map[string]any {
	m := map[string]any{}
	for name := range functions {
		m[name] = true
	}
	return m
})

// parts is the name of a vendor's templates that are no file of a phone: they define
// what its files have in common.
const parts = "parts"

// Names lists the templates of files in order.
func (s *Set) Names() []string {
	return slices.DeleteFunc(s.all(), func(name string) bool { return path.Base(name) == parts })
}

func (s *Set) all() []string { return slices.Sorted(maps.Keys(s.sources)) }

// Source returns the text of a template.
func (s *Set) Source(name string) (string, bool) {
	text, ok := s.sources[name]
	return text, ok
}

// Revision changes whenever the text of a template does.
func (s *Set) Revision() string { return s.revision }

// UsesRaw lists the templates that write something as it is, without an escaper.
func (s *Set) UsesRaw() []string { return slices.Compact(slices.Sorted(slices.Values(s.raw))) }

// Render writes the file that the template gives for v. Nothing is written unless
// all of it could be rendered. A set without the template is phone.ErrNotFound;
// what goes wrong inside the template is an *Error.
func (s *Set) Render(w io.Writer, name string, v View) error {
	p, ok := s.programs[name]
	if !ok {
		return fmt.Errorf("template %.60q: %w", name, phone.ErrNotFound)
	}
	f, err := p.file(name, &v)
	if err != nil {
		return err
	}
	defer f.release()
	if _, err := w.Write(f.out); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// RenderMasked is Render with Mask in place of every secret.
func (s *Set) RenderMasked(w io.Writer, name string, v View) error {
	return s.Render(w, name, v.masked())
}
