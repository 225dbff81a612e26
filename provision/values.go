package provision

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// effectWarnings are about the settings of a phone or a layer that phones of a vendor
// have no parameter for, or whose value their files cannot say.
func (s *Service) effectWarnings(set map[string]string, v phone.Vendor, models []string) (warnings []string) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		warnings = append(warnings, s.effectWarning(set, name, "", v, models)...)
	}
	return warnings
}

// effectWarning is about one name of set. of follows the name in the sentences.
func (s *Service) effectWarning(set map[string]string, name, of string, v phone.Vendor, models []string) (warnings []string) {
	bare, op := settings.SplitOp(name)
	ref, ok := settings.Lookup(bare)
	if !ok || set[name] == "" || !slices.Contains(phone.Vendors(), v) {
		return nil // a vendor's own, or what takes away, or nobody who gets files
	}
	predicates := s.unsaid(ref, set[name], v, models)
	if setting, by := templates.Overruled(v); name == setting && set[by] != "" {
		predicates = append(predicates, "follow "+by+" alone where both are set")
	}
	for _, predicate := range predicates {
		warnings = append(warnings, fmt.Sprintf("settings.%s%s: phones of %s %s", name, of, v.DisplayName(), predicate))
	}
	if kind, ok := keyTypeOf(set, name, ref); ok && op == "" && s.HasEffect(v, ref.Spec.Key) {
		if without := keyless(v, models, ref, kind); without != "" {
			warnings = append(warnings, fmt.Sprintf("settings.%s%s: no parameter is known that makes this key of the %s a %s; it is left out", name, of, without, kind))
		}
	}
	return warnings
}

// unsaid says what the files of a vendor's models cannot say of a setting.
func (s *Service) unsaid(ref settings.Ref, value string, v phone.Vendor, models []string) (predicates []string) {
	if !s.HasEffect(v, ref.Spec.Key) {
		return []string{"have no parameter for it"}
	}
	text, err := ref.Spec.Parse(value)
	if err != nil {
		return nil // refused elsewhere
	}
	asked := templates.Asked{Vendor: v, Key: ref.Spec.Key, Line: ref.Line, Value: text}
	if len(models) == 1 {
		asked.Model = models[0]
	}
	return templates.Unsaid(asked)
}

// layerWarnings are the effectWarnings of each vendor whose phones have the layer.
func (s *Service) layerWarnings(scope, name string, layer map[string]string, vendors []phone.Vendor) (warnings []string) {
	if scope == "model" && len(vendors) > 1 {
		return nil // the vendor of the model is not known
	}
	for _, v := range vendors {
		models := []string{name}
		if scope != "model" {
			models = modelNames(v)
		}
		warnings = append(warnings, s.effectWarnings(layer, v, models)...)
	}
	return warnings
}

func modelNames(v phone.Vendor) (names []string) {
	for _, m := range catalog.Models(v) {
		names = append(names, m.Name)
	}
	return names
}

// keyless names the models that have key ref and cannot make it what kind says.
func keyless(v phone.Vendor, models []string, ref settings.Ref, kind string) string {
	var names []string
	for _, model := range models {
		m, known := catalog.Lookup(string(v), model)
		if !templates.HasKey(v, model, ref.Module, ref.Key, kind) && (!known || checkKey(m, ref) == nil) {
			names = append(names, cmp.Or(m.Name, "phone"))
		}
	}
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// InheritedWarnings are those of the settings that a phone has from layers, beside
// those of its own, which CheckPhone gives.
func (s *Service) InheritedWarnings(d phone.Device) (warnings []string) {
	effective := s.layers().Effective(d, modelCode(d), nil)
	all := make(map[string]string, len(effective))
	for name, v := range effective {
		all[name] = v.Text
	}
	for _, name := range slices.Sorted(maps.Keys(effective)) {
		layer := effective[name].Layer
		if layer == settings.PhoneLayer || layer == settings.LineLayer {
			continue
		}
		warnings = append(warnings, s.effectWarning(all, name, " of "+layer, d.Vendor, []string{d.Model})...)
	}
	return warnings
}

// NoEffectValues are, by vendor, the values of a setting that its files cannot say,
// each with what comes of it.
func (s *Service) NoEffectValues(name string) map[phone.Vendor]map[string]string {
	out := map[phone.Vendor]map[string]string{}
	ref, ok := settings.Lookup(name)
	if !ok {
		return out
	}
	for _, v := range phone.Vendors() {
		values := map[string]string{}
		for _, g := range templates.Gaps(v, ref.Spec.Key) {
			values[g.Value] = g.Instead
		}
		if strings.HasSuffix(ref.Spec.Key, ".type") {
			for _, kind := range ref.Spec.Choices {
				if without := keyless(v, modelNames(v), ref, kind); without != "" {
					values[kind] = "it is left out on " + without
				}
			}
		}
		if len(values) > 0 {
			out[v] = values
		}
	}
	return out
}
