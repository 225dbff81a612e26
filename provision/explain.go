package provision

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// explainer says who wrote what; *templates.Set is one.
type explainer interface {
	Explain(name string, v templates.View) ([]templates.Written, error)
}

// Explain is Preview with the origin of every line.
func (s *Service) Explain(_ context.Context, d phone.Device, name string) ([]phone.FileLine, error) {
	p, err := s.pageOf(d, name)
	if err != nil {
		return nil, err
	}
	facts := s.opts.Facts()
	view, renderer, err := s.prepare(p, facts)
	if err != nil {
		return nil, err
	}
	by, ok := renderer.(explainer)
	if !ok {
		return nil, fmt.Errorf("explain %.60q: %w", name, phone.ErrNotFound)
	}
	lines, err := by.Explain(p.role.template, view)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", name, err)
	}
	o := origins{device: p.device, choice: p.choice, set: s.layers().Effective(p.device, modelCode(p.device), s.Base())}
	out := make([]phone.FileLine, len(lines))
	for i, w := range lines {
		out[i] = o.explain(w)
	}
	return out, nil
}

// origins knows where the values of a phone come from.
type origins struct {
	device phone.Device
	choice templates.Choice
	set    settings.Effective
}

func (o origins) explain(w templates.Written) phone.FileLine {
	e := phone.FileLine{Text: w.Text, Layer: "built-in", Template: strings.Replace(w.Template, "/", "-", 1), Line: w.Line}
	if o.choice.Template != "" && w.Template == o.choice.File {
		e.Layer, e.Template, e.Revision = "template", o.choice.Template, o.choice.Revision
	}
	best := -1
	for _, name := range w.Settings {
		layer := o.layer(name)
		if !slices.Contains(e.Settings, name) {
			e.Settings = append(e.Settings, name)
		}
		if r := rank(layer); r > best {
			e.Layer, best = layer, r
		}
	}
	return e
}

// layer is where the value of a setting comes from; empty: from nowhere, it is the
// default of the template.
func (o origins) layer(name string) string {
	if v, ok := o.set[name]; ok {
		return v.Layer
	}
	ref, known := settings.Lookup(name)
	if !known || ref.Line == 0 {
		return ""
	}
	if v, ok := o.set[ref.Spec.Key]; ok && (ref.Line == 1 || !slices.Contains([]string{"label", "displayName"}, ref.Spec.Key)) {
		return v.Layer
	}
	for _, l := range o.device.Lines {
		if l.Number == ref.Line && (ref.Spec.Key == "label" || ref.Spec.Key == "displayName") {
			return settings.LineLayer
		}
	}
	return ""
}

// rank orders layers, the most specific last.
func rank(layer string) int {
	kind, _, _ := strings.Cut(layer, "/")
	order := append(append([]string{settings.ServerLayer}, settings.Scopes()...), settings.PhoneLayer, settings.LineLayer)
	return slices.Index(order, kind)
}

// NoEffect are the models of the catalogue on which a setting changes no file.
func (s *Service) NoEffect(name string) map[phone.Vendor][]string {
	ref, ok := settings.Lookup(name)
	out := map[phone.Vendor][]string{}
	for _, v := range phone.Vendors() {
		for _, m := range catalog.Models(v) {
			if ok && (!s.HasEffect(v, ref.Spec.Key) || checkKey(m, ref) != nil) {
				out[v] = append(out[v], m.Name)
			}
		}
	}
	return out
}

// checkVariable checks the value of a variable by what the templates in use of the
// vendors declare; one that none declares is stored for a template to come.
func (s *Service) checkVariable(setting, value string, vendors []phone.Vendor) (warning string, err error) {
	name, op := settings.SplitOp(setting)
	name = strings.TrimPrefix(name, variablePrefix)
	if err := (phone.TemplateVariable{Name: name}).Valid(); err != "" {
		return "", phone.Invalid("settings."+setting, "a variable's name "+err)
	}
	if op != "" {
		return "", nil
	}
	if why := (phone.TemplateVariable{}).Check(value); why != "" {
		return "", phone.Invalid("settings."+setting, why)
	}
	declared := false
	for _, v := range vendors {
		for _, d := range s.declared(v, name) {
			declared = true
			if why := d.Check(value); why != "" {
				return "", phone.Invalid("settings."+setting, why)
			}
		}
	}
	if !declared {
		return fmt.Sprintf("settings.%s: no template in use declares this variable", setting), nil
	}
	return "", nil
}

// declared are the declarations of a variable in the templates in use of a vendor.
func (s *Service) declared(v phone.Vendor, name string) []phone.TemplateVariable {
	if s.opts.Variables == nil {
		return nil
	}
	var out []phone.TemplateVariable
	for file, list := range s.opts.Variables() {
		for _, d := range list {
			if phone.Vendor(path.Dir(file)) == v && d.Name == name {
				out = append(out, d)
			}
		}
	}
	return out
}
