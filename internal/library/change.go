package library

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// Check tries a template as templates.Check does; nothing is stored.
func (s *Service) Check(t phone.Template, c phone.TemplateContent) (templates.Report, error) {
	if err := validContent(c); err != nil {
		return templates.Report{}, err
	}
	if t.Vendor == "" {
		return templates.Report{}, phone.Invalid("vendor", "is missing: only a built-in template's name says which it is")
	}
	report, err := templates.Check(templates.Builtin(), variantOf(t, phone.TemplateRevision{TemplateContent: c}))
	return report, asField(err)
}

// Create checks and stores a new template. The name of a built-in one gives that
// template's vendor and file when t has none, and must not contradict them. phone.ErrConflict: there
// is an uploaded template of that name.
func (s *Service) Create(ctx context.Context, t phone.Template, d phone.TemplateDraft) (Entry, templates.Report, error) {
	if own, ok := builtin(t.Name); ok {
		if t.Vendor == "" && t.File == "" {
			t = own
		}
		if t.Vendor != own.Vendor || t.File != own.File {
			return Entry{}, templates.Report{}, phone.Invalid("name", "is the name of the built-in template of another file")
		}
	}
	report, err := s.Check(t, d.TemplateContent)
	if err != nil {
		return Entry{}, report, err
	}
	if d.Base == "" {
		d.Base, _ = templates.Builtin().Source(fileOf(t))
	}
	made, _, err := s.opts.Writer.CreateTemplate(ctx, t, d)
	return s.stored(ctx, made, report, err)
}

// Update checks and stores another revision of an uploaded template, or the first
// one in place of a built-in template.
func (s *Service) Update(ctx context.Context, name string, d phone.TemplateDraft) (Entry, templates.Report, error) {
	t, err := s.opts.Reader.Template(ctx, name)
	if errors.Is(err, phone.ErrNotFound) {
		if own, ok := builtin(name); ok {
			return s.Create(ctx, own, d)
		}
	}
	if err != nil {
		return Entry{}, templates.Report{}, err
	}
	report, err := s.Check(t, d.TemplateContent)
	if err != nil {
		return Entry{}, report, err
	}
	if d.Merged {
		d.Base, _ = templates.Builtin().Source(fileOf(t))
	}
	if d.Base == "" {
		last, err := s.opts.Reader.TemplateRevision(ctx, name, t.Latest)
		if err != nil {
			return Entry{}, report, err
		}
		d.Base = last.Base
	}
	updated, _, err := s.opts.Writer.UpdateTemplate(ctx, name, d)
	return s.stored(ctx, updated, report, err)
}

// stored puts in use what was stored, so that the answer holds.
func (s *Service) stored(ctx context.Context, t phone.Template, report templates.Report, err error) (Entry, templates.Report, error) {
	if err != nil {
		return Entry{}, report, err
	}
	if err := s.Reload(ctx); err != nil {
		return Entry{}, report, err
	}
	e, err := s.entry(ctx, t)
	return e, report, err
}

// Activate makes a revision what phones get, after checking that the program of
// today can still use it; 0 gives them the built-in template.
func (s *Service) Activate(ctx context.Context, name string, number int64, check phone.Check[phone.Template]) (Entry, templates.Report, error) {
	var report templates.Report
	t, err := s.opts.Reader.Template(ctx, name)
	if err != nil {
		return Entry{}, report, err
	}
	if number != 0 {
		r, err := s.opts.Reader.TemplateRevision(ctx, name, number)
		if errors.Is(err, phone.ErrNotFound) {
			return Entry{}, report, phone.Invalid("revision", fmt.Sprintf("there is no revision %d of %s", number, name))
		}
		if err != nil {
			return Entry{}, report, err
		}
		if report, err = s.Check(t, r.TemplateContent); err != nil {
			return Entry{}, report, err
		}
	}
	t, err = s.opts.Writer.ActivateTemplate(ctx, name, number, check)
	return s.stored(ctx, t, report, err)
}

// Delete removes an uploaded template; a built-in one alone is phone.ErrConflict.
func (s *Service) Delete(ctx context.Context, name string, check phone.Check[phone.Template]) error {
	err := s.opts.Writer.DeleteTemplate(ctx, name, check)
	if errors.Is(err, phone.ErrNotFound) {
		if _, ok := builtin(name); ok {
			return fmt.Errorf("the template %s is built in: %w", name, phone.ErrConflict)
		}
	}
	if err != nil {
		return err
	}
	return s.Reload(ctx)
}

// Limits of what a template may declare.
const (
	maxModels    = 200
	maxVariables = 100
	maxValue     = 200 // characters of a default, a choice, a help
)

func validContent(c phone.TemplateContent) error {
	if len(c.Models) > maxModels {
		return phone.Invalid("models", fmt.Sprintf("has more than %d entries", maxModels))
	}
	for i, m := range c.Models {
		if strings.TrimSpace(m) == "" {
			return phone.Invalid(fmt.Sprintf("models[%d]", i), "is empty")
		}
	}
	if c.MinFirmware != "" && c.MaxFirmware != "" && phone.CompareVersions(c.MinFirmware, c.MaxFirmware) > 0 {
		return phone.Invalid("maxFirmware", "is below minFirmware")
	}
	if len(c.Variables) > maxVariables {
		return phone.Invalid("variables", fmt.Sprintf("has more than %d entries", maxVariables))
	}
	seen := map[string]bool{}
	for i, v := range c.Variables {
		if err := validVariable(fmt.Sprintf("variables[%d].", i), v); err != nil {
			return err
		}
		if seen[v.Name] {
			return phone.Invalid(fmt.Sprintf("variables[%d].name", i), "is declared twice")
		}
		seen[v.Name] = true
	}
	return nil
}

// asField turns what is wrong with a template's text into the error of its field.
func asField(err error) error {
	var (
		place  *templates.Error
		sample *templates.SampleError
		out    *templates.Output
	)
	switch {
	case errors.As(err, &place):
		return &phone.FieldError{Field: "content", Reason: place.Reason, Line: place.Line, Column: place.Column}
	case errors.As(err, &sample) && sample.Line > 0:
		return &phone.FieldError{Field: "content", Reason: err.Error(), Line: sample.Line, Column: 1}
	case errors.As(err, &out):
		return &phone.FieldError{Field: "content", Reason: err.Error()}
	}
	return err
}
