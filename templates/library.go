package templates

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Variant is a template that stands in for a built-in one on some phones.
type Variant struct {
	Name     string // of the template; unique
	File     string // template it stands in for, as in Set: "yealink/phone"
	Revision int64
	Text     string
	// Models are those it is for, compared without case and blanks; none: all.
	Models []string
	// MinFirmware and MaxFirmware bound the firmware it is for, inclusive; empty: no
	// bound. A phone whose firmware is not known is within no bounds.
	MinFirmware, MaxFirmware string
	Variables                []phone.TemplateVariable
}

// fits reports whether the variant is for a phone.
func (v *Variant) fits(model, firmware string) bool {
	if len(v.Models) > 0 && !slices.ContainsFunc(v.Models, func(m string) bool { return sameModel(m, model) }) {
		return false
	}
	if v.MinFirmware == "" && v.MaxFirmware == "" {
		return true
	}
	return firmware != "" &&
		(v.MinFirmware == "" || phone.CompareVersions(firmware, v.MinFirmware) >= 0) &&
		(v.MaxFirmware == "" || phone.CompareVersions(firmware, v.MaxFirmware) <= 0)
}

// weight orders variants: one for some models comes before one for all, then one
// for some firmware.
func (v *Variant) weight() int {
	w := 0
	if len(v.Models) > 0 {
		w += 2
	}
	if v.MinFirmware != "" || v.MaxFirmware != "" {
		w++
	}
	return w
}

func sameModel(a, b string) bool {
	plain := strings.NewReplacer(" ", "", "_", "", "-", "")
	return strings.EqualFold(plain.Replace(a), plain.Replace(b))
}

// Choice is the template that a phone's file is rendered from.
type Choice struct {
	Set  *Set
	File string // to render: "yealink/phone"
	// Template and Revision name the variant; empty and 0: the built-in one.
	Template string
	Revision int64
	// Variables are what the variant declares.
	Variables []phone.TemplateVariable
}

// loaded is a variant that parsed, in a set of its own: whatever it defines, no
// other template sees it.
type loaded struct {
	Variant
	set *Set
}

// Library is the built-in templates and the variants that stand in for some of
// them. It never changes and is safe for concurrent use.
type Library struct {
	base     *Set
	variants map[string][]loaded // by File, most specific first
	revision string
}

// VariantError says why a variant is left out.
type VariantError struct {
	Name     string
	Revision int64
	Err      error
}

// Error implements error.
func (e *VariantError) Error() string {
	return fmt.Sprintf("template %s, revision %d: %v", e.Name, e.Revision, e.Err)
}

// Unwrap returns the *Error of the text.
func (e *VariantError) Unwrap() error { return e.Err }

// NewLibrary returns a library of base and variants. A variant that does not parse
// is left out, so that phones get the template it stood in for, and its
// *VariantError is among those returned.
func NewLibrary(base *Set, variants ...Variant) (*Library, []error) {
	l := &Library{base: base, variants: map[string][]loaded{}}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", base.Revision())
	var errs []error
	for _, v := range variants {
		set, err := base.With(v)
		if err != nil {
			errs = append(errs, &VariantError{Name: v.Name, Revision: v.Revision, Err: err})
			continue
		}
		l.variants[v.File] = append(l.variants[v.File], loaded{v, set})
		fmt.Fprintf(h, "%s %d %s %q %q %q\n", v.Name, v.Revision, set.Revision(), v.Models, v.MinFirmware, v.MaxFirmware)
	}
	for _, list := range l.variants {
		slices.SortFunc(list, func(a, b loaded) int {
			return cmp.Or(b.weight()-a.weight(), strings.Compare(a.Name, b.Name))
		})
	}
	if l.revision = base.Revision(); len(l.variants) > 0 {
		l.revision = hex.EncodeToString(h.Sum(nil)[:8])
	}
	return l, errs
}

// With is s with the text of v in place of the file it stands in for.
func (s *Set) With(v Variant) (*Set, error) {
	if _, ok := s.programs[v.File]; !ok {
		return nil, phone.Invalid("file", fmt.Sprintf("%s has no file %q", path.Dir(v.File), path.Base(v.File)))
	}
	return s.with(map[string]string{v.File: v.Text})
}

// Pick returns the template of a file, "yealink/phone", for a phone of a model with
// a firmware; both may be empty.
func (l *Library) Pick(file, model, firmware string) Choice {
	for _, v := range l.variants[file] {
		if v.fits(model, firmware) {
			return Choice{Set: v.set, File: file, Template: v.Name, Revision: v.Revision, Variables: v.Variables}
		}
	}
	return Choice{Set: l.base, File: file}
}

// Bounded reports whether the firmware of a phone can make a difference to what
// Pick returns for a file.
func (l *Library) Bounded(file string) bool {
	return slices.ContainsFunc(l.variants[file], func(v loaded) bool { return v.weight()&1 == 1 })
}

// Variables are what the variants declare, by the file that they stand in for.
func (l *Library) Variables() map[string][]phone.TemplateVariable {
	out := map[string][]phone.TemplateVariable{}
	for file, list := range l.variants {
		for _, v := range list {
			out[file] = append(out[file], v.Variables...)
		}
	}
	return out
}

// Base returns the built-in templates.
func (l *Library) Base() *Set { return l.base }

// Revision changes whenever a file can come out otherwise.
func (l *Library) Revision() string { return l.revision }
