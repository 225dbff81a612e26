package provision

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// CheckPhone reports what cannot be in a phone's own settings and lines: a value
// that a setting cannot have, a key that the model has not, a name that no parameter
// of the vendor can have, a line that the vendor's files cannot say. The error is
// phone.FieldErrors for "settings.NAME" and "lines[i].line". Warnings are sentences
// about what is stored and may not do what was meant.
func (s *Service) CheckPhone(d phone.Device) (warnings []string, err error) {
	raw, err := settings.Check(d.Settings)
	all := []error{err}
	m, known := catalog.Lookup(string(d.Vendor), d.Model)
	if !known && d.Model != "" && slices.Contains(phone.Vendors(), d.Vendor) {
		warnings = append(warnings, fmt.Sprintf("model: %s is not in the catalogue; it gets what all phones of %s get", d.Model, d.Vendor.DisplayName()))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		bare, _ := settings.SplitOp(name)
		ref, inSchema := settings.Lookup(bare)
		if inSchema && known {
			if err := checkKey(m, ref); err != nil {
				all = append(all, settings.Field(name, err))
			}
		}
		if !templates.Carries(d.Vendor, d.Settings[name]) {
			all = append(all, phone.Invalid("settings."+name, "holds a character that the file of the phone cannot carry"))
		}
	}
	warnings = append(warnings, s.effectWarnings(d.Settings, d.Vendor, []string{d.Model})...)
	more, err := s.checkRaw(d.Settings, raw, []phone.Vendor{d.Vendor})
	lines, lineErr := checkLines(d, m, known)
	zone, zoneErr := s.checkZone(d.Settings, []phone.Vendor{d.Vendor})
	return slices.Concat(warnings, more, lines, zone), errors.Join(append(all, err, lineErr, zoneErr)...)
}

// CheckLayer is CheckPhone for the settings of a layer. name is the vendor of a
// vendor's layer and the model of a model's.
func (s *Service) CheckLayer(scope, name string, layer map[string]string) (warnings []string, err error) {
	raw, err := settings.Check(layer)
	vendors := phone.Vendors()
	all := []error{err, settings.CheckScope(layer)}
	switch scope {
	case "vendor":
		vendors = []phone.Vendor{phone.Vendor(name)}
	case "model":
		m, known := catalog.Lookup("", name)
		if !known {
			warnings = append(warnings, "model: "+name+" is not in the catalogue")
			break
		}
		vendors = []phone.Vendor{m.Vendor}
		for _, n := range slices.Sorted(maps.Keys(layer)) {
			bare, _ := settings.SplitOp(n)
			if ref, ok := settings.Lookup(bare); ok {
				if err := checkKey(m, ref); err != nil {
					all = append(all, settings.Field(n, err))
				}
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(layer)) {
		if !slices.ContainsFunc(vendors, func(v phone.Vendor) bool { return templates.Carries(v, layer[n]) }) {
			all = append(all, phone.Invalid("settings."+n, "holds a character that the files of the phones cannot carry"))
		}
	}
	warnings = append(warnings, s.layerWarnings(scope, name, layer, vendors)...)
	more, err := s.checkRaw(layer, raw, vendors)
	zone, zoneErr := s.checkZone(layer, vendors)
	return slices.Concat(warnings, more, zone), errors.Join(append(all, err, zoneErr)...)
}

// checkRaw checks names that are not of the schema: at least one of the vendors has
// to be able to have such a parameter, and its list should know it.
func (s *Service) checkRaw(set map[string]string, names []string, vendors []phone.Vendor) (warnings []string, err error) {
	var all []error
	for _, name := range names {
		if strings.HasPrefix(name, variablePrefix) {
			warning, err := s.checkVariable(name, set[name], vendors)
			if all = append(all, err); warning != "" {
				warnings = append(warnings, warning)
			}
			continue
		}
		possible, known := false, false
		for _, v := range vendors {
			if rawName(v, name) {
				possible = true
				known = known || templates.KnownParam(v, name)
				warnings = append(warnings, dangers(v, name, set[name])...)
			}
		}
		switch {
		case !possible:
			all = append(all, phone.Invalid("settings."+name, "neither a setting nor the name of a parameter of this vendor"))
		case !known:
			warnings = append(warnings, fmt.Sprintf("settings.%s: no list of the vendor's parameters has this name; it goes into the file as it is", name))
		}
	}
	return warnings, errors.Join(all...)
}

// dangers are warnings of a vendor's parameter that can cut the phone off or keep
// phones from ringing together.
func dangers(v phone.Vendor, name, text string) (warnings []string) {
	bare, op := settings.SplitOp(name)
	if op != "" {
		return nil // takes away; lists of parameters there are none
	}
	for _, w := range templates.Lint(string(v)+"/phone", []templates.Parameter{{Name: bare, Value: text}}, nil) {
		warnings = append(warnings, fmt.Sprintf("settings.%s: %s (%s)", name, w.Reason, w.Code))
	}
	return warnings
}

// checkLines refuses lines that the model has not, and warns of them where the count
// of the table may be the limit of a template and not of the phone.
func checkLines(d phone.Device, m catalog.Model, known bool) (warnings []string, err error) {
	for i, l := range d.Lines {
		switch {
		case d.Vendor == phone.Grandstream && l.Number > templates.MaxGrandstreamAccounts:
			return warnings, phone.Invalid(fmt.Sprintf("lines[%d].line", i), fmt.Sprintf(
				"the parameters of accounts above %d of Grandstream phones are not known", templates.MaxGrandstreamAccounts))
		case known && m.SureLines() && l.Number > m.Lines:
			return warnings, phone.Invalid(fmt.Sprintf("lines[%d].line", i), fmt.Sprintf("the %s has %s", m.Name, count(m.Lines, "line")))
		case known && m.Lines >= 0 && l.Number > m.Lines:
			warnings = append(warnings, fmt.Sprintf("lines[%d].line: the catalogue knows %s of the %s", i, count(m.Lines, "line"), m.Name))
		}
	}
	return warnings, nil
}

// HasEffect reports whether a setting changes any file of the vendor's phones, by
// rendering them with and without it.
func (s *Service) HasEffect(v phone.Vendor, key string) bool {
	if key == "group" || key == SettingAddress {
		return true // not for the phone
	}
	return s.effects.of(v, key, s.renderedWith)
}

// renderedWith is what a phone's own files are with these settings, all in one. A
// model that has keys of every kind stands for the vendor.
func (s *Service) renderedWith(v phone.Vendor, set map[string]string) string {
	return s.renderedAs(v, richest(v), set)
}

// renderedAs is renderedWith for a model.
func (s *Service) renderedAs(v phone.Vendor, model string, set map[string]string) string {
	d := phone.Device{
		Vendor: v, MAC: phone.MAC{2, 0, 0, 0, 0, 1}, Model: model, Settings: set,
		Lines: []phone.Line{{Number: 1, Extension: "1", AuthUser: "u"}},
	}
	facts := Facts{TimeZone: "UTC", NTP: "ntp", SIPServer: "s", SIPPort: 5060, SIPTransport: "udp", BaseURL: "http://b/"}
	view, err := s.viewOf(d, facts, settings.Merge(settings.Layer{Settings: set}))
	if err != nil {
		return err.Error()
	}
	view.Contacts = contactsOf(nil, view.Keys)
	var b strings.Builder
	for _, r := range roles(v) {
		if r.own && !r.binary {
			if err := s.opts.Renderer.Render(&b, r.template, view); err != nil {
				return err.Error()
			}
		}
	}
	return b.String()
}

func richest(v phone.Vendor) string {
	return map[phone.Vendor]string{phone.Polycom: "VVX 450", phone.Yealink: "T46S", phone.Grandstream: "GXP2170"}[v]
}
