package templates

import (
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

func variant(name, text string, change ...func(*Variant)) Variant {
	v := Variant{Name: name, File: "yealink/phone", Revision: 1, Text: "#!version:1.0.0.1\nnetwork.name = " + text + "\n"}
	for _, c := range change {
		c(&v)
	}
	return v
}

func models(m ...string) func(*Variant) { return func(v *Variant) { v.Models = m } }

func firmware(low, high string) func(*Variant) {
	return func(v *Variant) { v.MinFirmware, v.MaxFirmware = low, high }
}

func TestPick(t *testing.T) {
	t.Parallel()
	l, errs := NewLibrary(Builtin(),
		variant("all", "all"), variant("t46", "t46", models("T46S", "T46U")), variant("new", "new", firmware("66.86", "")),
		variant("t46-old", "t46-old", models("t46s"), firmware("", "66.85.99")), variant("broken", "{{.Nothing}}{{"),
	)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "broken") {
		t.Errorf("errors %v", errs)
	}
	for _, tt := range []struct{ model, firmware, want string }{
		{"", "", "all"},
		{"T48S", "", "all"},
		{"SIP-T46S", "", "all"},
		{"T46S", "", "t46"},
		{"t46 s", "", "t46"},
		{"T46U", "66.85.0.5", "t46"},
		{"T46S", "66.85.0.5", "t46-old"},
		{"T46S", "66.86.0.15", "t46"},
		{"T48S", "66.86.0.15", "new"},
		{"T48S", "66.85.0.5", "all"},
	} {
		if got := l.Pick("yealink/phone", tt.model, tt.firmware); got.Template != tt.want {
			t.Errorf("%q with firmware %q gets %q, want %q", tt.model, tt.firmware, got.Template, tt.want)
		}
	}
	if got := l.Pick("polycom/phone", "", ""); got.Template != "" || got.Set != l.Base() {
		t.Errorf("polycom gets %+v", got)
	}
	if !l.Bounded("yealink/phone") || l.Bounded("yealink/boot") {
		t.Error("only the phone's file has variants by firmware")
	}
}

// What a variant defines stays its own, and makes the revision of the library.
func TestVariantsAreApart(t *testing.T) {
	t.Parallel()
	v := variant("a", `{{template "yealink.site" .}}{{define "yealink.site"}}mine{{end}}`)
	l, errs := NewLibrary(Builtin(), v)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var own, other strings.Builder
	c := l.Pick("yealink/phone", "", "")
	if err := c.Set.Render(&own, c.File, ordinary(t, phone.Yealink)); err != nil || !strings.Contains(own.String(), "= mine") {
		t.Errorf("%q, %v", own.String(), err)
	}
	c = l.Pick("yealink/common", "", "")
	if err := c.Set.Render(&other, c.File, common(t, phone.Yealink)); err != nil || strings.Contains(other.String(), "mine") {
		t.Errorf("%q, %v", other.String(), err)
	}
	same, _ := NewLibrary(Builtin(), v)
	v.Models = []string{"T46S"}
	changed, _ := NewLibrary(Builtin(), v)
	plain, _ := NewLibrary(Builtin())
	if l.Revision() != same.Revision() || l.Revision() == changed.Revision() || l.Revision() == plain.Revision() {
		t.Errorf("revisions %s %s %s %s", l.Revision(), same.Revision(), changed.Revision(), plain.Revision())
	}
}

func TestVariantOfNoFile(t *testing.T) {
	t.Parallel()
	v := variant("x", "x")
	v.File = "yealink/nothing"
	if _, errs := NewLibrary(Builtin(), v); len(errs) != 1 {
		t.Errorf("errors %v", errs)
	}
}
