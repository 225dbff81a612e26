package provision

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// ownTemplate stands in for the file of every Yealink phone and declares variables.
func ownTemplate(t *testing.T, b *bench) {
	t.Helper()
	lib, errs := templates.NewLibrary(templates.Builtin(), templates.Variant{
		Name: "mine", File: "yealink/phone", Revision: 3,
		Text: "#!version:1.0.0.1\nphone_setting.backlight_time = {{.Vars.light}}\nfeatures.note = {{.Vars.note}}\nlocal_time.ntp_server1 = {{.NTP}}\n" +
			"{{range .Lines}}account.{{.Number}}.label = {{.Label}}\naccount.{{.Number}}.password = {{.Password}}\n{{end}}{{template \"yealink.network\" .}}",
		Variables: []phone.TemplateVariable{{Name: "light", Type: "number", Default: "30"}, {Name: "note", Type: "choice", Choices: []string{"a", "b"}, Default: "a"}},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	b.live.Swap(lib)
}

func benchWithTemplate(t *testing.T, stack *settings.Stack) *bench {
	t.Helper()
	var b *bench
	b = newBench(t, func(o *Options) {
		o.Layers = func() *settings.Stack { return stack }
		o.Choose = func(file string, d phone.Device) templates.Choice { return b.live.Library().Pick(file, d.Model, "") }
		o.Variables = func() map[string][]phone.TemplateVariable { return b.live.Library().Variables() }
	})
	return b
}

func TestExplain(t *testing.T) {
	t.Parallel()
	b := benchWithTemplate(t, settings.NewStack(1, []phone.Layer{
		{Scope: "global", Settings: map[string]string{"vlan.id": "7", "vars.light": "60"}},
		{Scope: "site", Name: "Berlin", Settings: map[string]string{"ntp": "ntp.berlin"}},
	}))
	d := device(phone.Yealink, yeaMAC)
	d.Site = "Berlin"
	find := func(text string) phone.FileLine {
		t.Helper()
		lines, err := b.Explain(t.Context(), d, "805ec0aabbcc.cfg")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if strings.Contains(l.Text, text) {
				return l
			}
		}
		t.Fatalf("no line has %q", text)
		return phone.FileLine{}
	}
	if l := find("account.1.unregister_on_reboot"); l.Layer != "built-in" || l.Template != "yealink-phone" || l.Revision != 0 {
		t.Errorf("a line of the built-in template: %+v", l)
	}
	ownTemplate(t, b)
	for text, want := range map[string]phone.FileLine{
		"#!version":                     {Layer: "template", Template: "mine", Line: 1, Revision: 3},
		"backlight_time = 60":           {Layer: "global", Template: "mine", Line: 2, Revision: 3, Settings: []string{"vars.light"}},
		"features.note = a":             {Layer: "template", Template: "mine", Line: 3, Revision: 3, Settings: []string{"vars.note"}},
		"ntp_server1 = ntp.berlin":      {Layer: "site/Berlin", Template: "mine", Line: 4, Revision: 3, Settings: []string{"ntp"}},
		"account.1.label = Desk":        {Layer: "line", Template: "mine", Line: 5, Revision: 3, Settings: []string{"lines.1.label"}},
		"account.1.password = ********": {Layer: "template", Template: "mine", Line: 6, Revision: 3},
		"vid = 7":                       {Layer: "global", Template: "yealink-parts", Settings: []string{"vlan.id"}},
	} {
		got := find(text)
		if want.Line == 0 {
			want.Line = got.Line
		}
		if got.Layer != want.Layer || got.Template != want.Template || got.Line != want.Line || got.Revision != want.Revision || !slices.Equal(got.Settings, want.Settings) {
			t.Errorf("%s:\n%+v, want\n%+v", text, got, want)
		}
	}
	if _, err := b.Explain(t.Context(), d, "000000000001.cfg"); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("another phone's file: %v", err)
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	b := benchWithTemplate(t, settings.NewStack(1, []phone.Layer{{Scope: "global", Settings: map[string]string{"vars.light": "60", "vars.note": "gone"}}}))
	ownTemplate(t, b)
	d := b.shelf.devices[yeaMAC]
	text, _, err := b.fetch("/805ec0aabbcc.cfg")
	if err != nil || !strings.Contains(text, "backlight_time = 60\nfeatures.note = a\n") {
		t.Errorf("%v: the value of the layer, and the default of what cannot be\n%s", err, text)
	}
	d.Settings, d.Revision = map[string]string{"vars.light": "90"}, 8
	b.shelf.devices[yeaMAC] = d
	if text, _, err = b.fetch("/805ec0aabbcc.cfg"); err != nil || !strings.Contains(text, "backlight_time = 90\n") {
		t.Errorf("%v: the phone's own value\n%s", err, text)
	}
	for name, value := range map[string]string{"vars.light": "bright", "vars.note": "c", "vars.a-b": "1", "vars.": "1", "vars.x": strings.Repeat("x", 201)} {
		d.Settings = map[string]string{name: value}
		_, err := b.CheckPhone(d)
		if _, layerErr := b.CheckLayer("vendor", "yealink", d.Settings); !errors.Is(err, phone.ErrInvalid) || !errors.Is(layerErr, phone.ErrInvalid) {
			t.Errorf("%s = %q: %v, %v", name, value, err, layerErr)
		}
	}
	d.Settings = map[string]string{"vars.light": "10", "vars.later": "x"}
	if warnings, err := b.CheckPhone(d); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "vars.later") {
		t.Errorf("%v, %v, want a warning of the variable that nobody declares", warnings, err)
	}
}

func TestNoEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if none := b.NoEffect("keys.20.type"); !slices.Contains(none[phone.Yealink], "T21P_E2") || slices.Contains(none[phone.Yealink], "T46S") {
		t.Errorf("key 20 has no effect on %v", none[phone.Yealink])
	}
	if none := b.NoEffect("ntp"); len(none[phone.Yealink]) != 0 {
		t.Errorf("ntp has no effect on %v", none)
	}
}
