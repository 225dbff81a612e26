package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/textdiff"
	"pbx.dev/dialtone/templates"
)

// Entry is one template of the library as people see it.
type Entry struct {
	phone.Template
	Builtin  bool                   // nothing was uploaded under this name
	Revision phone.TemplateRevision // the active one, else the newest; of a built-in one: its text
	// Behind says that the built-in template it was made from has changed since: see
	// Merge.
	Behind bool
	Fault  string // why phones do not get it although it is active; empty: they do
}

// BuiltinRevision is what a built-in template says, as a revision id: it changes with
// the text.
func BuiltinRevision(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// List returns all templates by name: the built-in ones, and those uploaded, in
// whose place they are listed when they have the same name.
func (s *Service) List(ctx context.Context) ([]Entry, error) {
	uploaded, revisions, err := s.opts.Reader.ShownTemplates(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]Entry{}
	for _, file := range templates.Builtin().Names() {
		e, _ := builtinEntry(builtinName(file))
		byName[e.Name] = e
	}
	for i, t := range uploaded {
		byName[t.Name] = s.entryOf(t, revisions[i])
	}
	out := make([]Entry, 0, len(byName))
	for _, e := range byName {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Get returns one template, or phone.ErrNotFound.
func (s *Service) Get(ctx context.Context, name string) (Entry, error) {
	t, err := s.opts.Reader.Template(ctx, name)
	if errors.Is(err, phone.ErrNotFound) {
		if e, ok := builtinEntry(name); ok {
			return e, nil
		}
	}
	if err != nil {
		return Entry{}, err
	}
	return s.entry(ctx, t)
}

func builtinEntry(name string) (Entry, bool) {
	t, ok := builtin(name)
	if !ok {
		return Entry{}, false
	}
	text, _ := templates.Builtin().Source(fileOf(t))
	return Entry{Template: t, Builtin: true, Revision: phone.TemplateRevision{
		Template: name, ID: BuiltinRevision(text), TemplateContent: phone.TemplateContent{Text: text},
	}}, true
}

func (s *Service) entry(ctx context.Context, t phone.Template) (Entry, error) {
	number := t.Active
	if number == 0 {
		number = t.Latest
	}
	r, err := s.opts.Reader.TemplateRevision(ctx, t.Name, number)
	if err != nil {
		return Entry{}, err
	}
	return s.entryOf(t, r), nil
}

func (s *Service) entryOf(t phone.Template, r phone.TemplateRevision) Entry {
	now, _ := templates.Builtin().Source(fileOf(t))
	return Entry{Template: t, Revision: r, Behind: r.Base != "" && r.Base != now, Fault: (*s.faults.Load())[t.Name]}
}

// Revisions returns up to limit revisions of an uploaded template with a number
// below before (0: from the newest), newest first. A built-in one has none.
func (s *Service) Revisions(ctx context.Context, name string, before int64, limit int) ([]phone.TemplateRevision, error) {
	if _, err := s.Get(ctx, name); err != nil {
		return nil, err
	}
	return s.opts.Reader.TemplateRevisions(ctx, name, before, limit)
}

// Diff is the difference of two revisions, as "diff -u" shows it; from 0 is the
// built-in template.
func (s *Service) Diff(ctx context.Context, name string, from, to int64) (string, error) {
	a, err := s.text(ctx, name, from)
	if err != nil {
		return "", err
	}
	b, err := s.text(ctx, name, to)
	if err != nil {
		return "", err
	}
	return textdiff.Unified(a, b), nil
}

func (s *Service) text(ctx context.Context, name string, number int64) (string, error) {
	if number > 0 {
		r, err := s.opts.Reader.TemplateRevision(ctx, name, number)
		return r.Text, err
	}
	e, err := s.Get(ctx, name)
	if err != nil {
		return "", err
	}
	text, _ := templates.Builtin().Source(fileOf(e.Template))
	return text, nil
}

// Merged is a template brought up to the built-in one of today.
type Merged struct {
	Text      string
	Conflicts int // places that a person has to decide, between marks in Text
}

// Merge brings the newest revision of an uploaded template up to date: what the
// built-in template it was made from has changed since goes into it. One that was
// made from none is phone.ErrInvalid.
func (s *Service) Merge(ctx context.Context, name string) (Merged, error) {
	t, err := s.opts.Reader.Template(ctx, name)
	if err != nil {
		return Merged{}, err
	}
	r, err := s.opts.Reader.TemplateRevision(ctx, name, t.Latest)
	if err != nil {
		return Merged{}, err
	}
	if r.Base == "" {
		return Merged{}, phone.Invalid("name", fmt.Sprintf("the template %s was not made from a built-in one", name))
	}
	now, _ := templates.Builtin().Source(fileOf(t))
	var m Merged
	m.Text, m.Conflicts = textdiff.Merge(r.Base, r.Text, now)
	return m, nil
}
