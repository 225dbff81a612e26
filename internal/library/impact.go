package library

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/textdiff"
	"pbx.dev/dialtone/templates"
)

// Impact is what a change of a template would do to the phones of the inventory.
type Impact struct {
	Phones    int // phones of the vendor
	Concerned int // those that would get their file from the template
	Changed   int // those whose file would differ
	Failed    int // those whose file could not be rendered
	Warnings  map[string]int
	// Examples are the first phones whose file would differ or fail.
	Examples []Example
}

// Example is how the file of one phone would change.
type Example struct {
	ID    string
	MAC   phone.MAC
	Model string
	Diff  string // as "diff -u" shows it, secrets masked
	Error string // why it could not be rendered
}

// Limits of an Impact: all phones are looked at, few are shown.
const (
	maxExamples = 20
	devicePage  = 500
)

// Impact renders the file of every phone that the change concerns, before and
// after. Nothing is stored.
func (s *Service) Impact(ctx context.Context, t phone.Template, c phone.TemplateContent) (Impact, error) {
	if _, err := s.Check(t, c); err != nil {
		return Impact{}, err
	}
	next, err := s.with(ctx, t, c)
	if err != nil {
		return Impact{}, err
	}
	out := Impact{Warnings: map[string]int{}}
	for after := ""; ; {
		page, err := s.opts.Devices.Devices(ctx, after, devicePage)
		if err != nil {
			return out, fmt.Errorf("list the phones: %w", err)
		}
		for _, d := range page {
			if d.Vendor != t.Vendor {
				continue
			}
			out.Phones++
			s.compare(ctx, &out, d, s.opts.Live.Library(), next, t)
		}
		if len(page) < devicePage {
			return out, nil
		}
		after = page[len(page)-1].ID
	}
}

// with is the library in use with one template changed or added.
func (s *Service) with(ctx context.Context, t phone.Template, c phone.TemplateContent) (*templates.Library, error) {
	variants, err := s.active(ctx)
	if err != nil {
		return nil, err
	}
	variants = slices.DeleteFunc(variants, func(v templates.Variant) bool { return v.Name == t.Name })
	variants = append(variants, variantOf(t, phone.TemplateRevision{TemplateContent: c}))
	lib, _ := templates.NewLibrary(templates.Builtin(), variants...) // what is broken now is so already
	return lib, nil
}

func (s *Service) compare(ctx context.Context, out *Impact, d phone.Device, now, next *templates.Library, t phone.Template) {
	file, firmware := fileOf(t), s.opts.FirmwareOf(d)
	was, will := now.Pick(file, d.Model, firmware), next.Pick(file, d.Model, firmware)
	if was.Template != t.Name && will.Template != t.Name {
		return
	}
	out.Concerned++
	before, _ := s.opts.Files.With(ctx, d, was) // one that is broken already differs
	after, err := s.opts.Files.With(ctx, d, will)
	example := Example{ID: d.ID, MAC: d.MAC, Model: d.Model}
	switch {
	case err != nil:
		out.Failed++
		example.Error = err.Error()
	default:
		out.lint(file, before, after)
		if example.Diff = textdiff.Unified(string(before), string(after)); example.Diff == "" {
			return
		}
		out.Changed++
	}
	if len(out.Examples) < maxExamples {
		out.Examples = append(out.Examples, example)
	}
}

func (i *Impact) lint(file string, before, after []byte) {
	params, err := templates.Parameters(file, after)
	if err != nil {
		i.Warnings["not-well-formed"]++
		return
	}
	usual, err := templates.Parameters(file, before)
	if err != nil {
		usual = nil
	}
	codes := map[string]bool{}
	for _, w := range templates.Lint(file, params, usual) {
		codes[w.Code] = true
	}
	for code := range codes {
		i.Warnings[code]++
	}
}

// Preview renders a phone's file with a template that need not be stored, secrets
// masked. With an empty text it is what the phone would get now.
func (s *Service) Preview(ctx context.Context, deviceID string, t phone.Template, c phone.TemplateContent) ([]byte, templates.Choice, error) {
	d, err := s.opts.Devices.Device(ctx, deviceID)
	if err != nil {
		return nil, templates.Choice{}, err
	}
	if t.Vendor != d.Vendor {
		return nil, templates.Choice{}, phone.Invalid("vendor", fmt.Sprintf("the phone is of %s", d.Vendor.DisplayName()))
	}
	choice := s.opts.Live.Library().Pick(fileOf(t), d.Model, s.opts.FirmwareOf(d))
	if strings.TrimSpace(c.Text) != "" {
		v := variantOf(t, phone.TemplateRevision{TemplateContent: c})
		set, err := templates.Builtin().With(v)
		if err != nil {
			return nil, choice, asField(err)
		}
		choice = templates.Choice{Set: set, File: v.File, Template: t.Name, Variables: v.Variables}
	}
	body, err := s.opts.Files.With(ctx, d, choice)
	return body, choice, asField(err)
}
