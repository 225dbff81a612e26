package templates

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// What is built in passes its own check, without a warning.
func TestBuiltinPassesTheCheck(t *testing.T) {
	t.Parallel()
	for _, name := range Builtin().Names() {
		text, _ := Builtin().Source(name)
		report, err := Check(Builtin(), Variant{Name: "same", File: name, Text: text})
		if err != nil || len(report.Warnings) > 0 || report.Bytes == 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const yealink, polycom, grandstream = "yealink/phone", "polycom/phone", "grandstream/phone"
	const head = `<?xml version="1.0"?>`
	for _, tt := range []struct {
		name, file, text string
		want             string
	}{
		{"syntax", yealink, yealinkFirst + "\na.b = {{if}}\n", "yealink/phone:2"},
		{"unknown field", yealink, yealinkFirst + "\na.b = {{.Nothing}}\n", "yealink/phone:2"},
		{"unknown function", yealink, yealinkFirst + "\na.b = {{env \"HOME\"}}\n", "yealink/phone:2"},
		{"no version line", yealink, "a.b = 1\n", "line 1"},
		{"not a parameter", yealink, yealinkFirst + "\nhello\n", "line 2"},
		{"not well-formed", polycom, head + "<a><b></a>", "line 1"},
		{"wrong root", grandstream, head + "<a/>", "gs_provision"},
		{"raw text", yealink, yealinkFirst + "\na.b = {{range .Lines}}{{raw .Label}}{{end}}\n", "sample phone \"hostile\""},
		{"raw xml", grandstream, head + "<gs_provision><config>{{range .Lines}}<P{{.Number}}>{{raw .Label}}</P{{.Number}}>{{end}}</config></gs_provision>", "sample phone \"hostile\""},
		{"calls itself", yealink, yealinkFirst + "\n{{template \"x\" .}}{{define \"x\"}}{{template \"x\" .}}{{end}}", "calls itself"},
		{"too large", yealink, yealinkFirst + "\n{{range .Lines}}" + strings.Repeat("a.b = 1\n", 70_000) + "{{end}}", "1 MB"},
		{"no file", "yealink/nothing", "x", "no file"},
	} {
		_, err := Check(Builtin(), Variant{Name: "x", File: tt.file, Text: tt.text})
		if !errors.Is(err, phone.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckWarns(t *testing.T) {
	t.Parallel()
	text, _ := Builtin().Source("yealink/phone")
	report, err := Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: text +
		"static.network.vlan.internet_port_vid = 20\naccount.1.unregister_on_reboot = 1\n" +
		"{{range .Lines}}account.{{.Number}}.note = {{.Password}}\n{{end}}acount.1.label = x\n"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range report.Warnings {
		got = append(got, w.Code+" "+w.Parameter)
	}
	for _, want := range []string{"lockout static.network.vlan.internet_port_vid", "fork-ring account.1.unregister_on_reboot", "secret account.1.note", "unknown-parameter acount.1.label"} {
		if !slices.Contains(got, want) {
			t.Errorf("warnings %q lack %q", got, want)
		}
	}
}

// What is wrong with a file is said of the line of the template that wrote it.
func TestCheckNamesTheLineOfTheTemplate(t *testing.T) {
	t.Parallel()
	text := yealinkFirst + "\n{{range .Lines}}{{/* three\nlines */}}account.{{.Number}}.label = {{.Label}}\n{{end}}{{range .Lines -}}\nhello {{.Number}}\n{{end}}"
	_, err := Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: text})
	var got *SampleError
	if !errors.As(err, &got) || got.Line != 5 {
		t.Errorf("%v: %+v, want line 5 of the template", err, got)
	}
	_, err = Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: yealinkFirst + "\n{{range .Lines}}\na.b = {{raw .Label}}{{end}}\n"})
	if !errors.As(err, &got) || got.Line != 3 || got.Sample != "hostile" {
		t.Errorf("%v: %+v, want line 3 of the template", err, got)
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	lib, errs := NewLibrary(Builtin(), Variant{
		Name: "mine", File: "yealink/phone", Revision: 4, Variables: []phone.TemplateVariable{{Name: "logo"}},
		Text: yealinkFirst + "\na.b = {{.Vars.logo}}\n{{range .Lines}}{{if .Codecs}}c.d = 1\n{{end}}{{end}}",
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	mine := func(line int) Use { return Use{File: "yealink/phone", Line: line, Template: "mine", Revision: 4} }
	for setting, want := range map[string]Use{"vars.logo": mine(2), "codecs": mine(3), "lines.2.codecs": mine(3)} {
		if got := lib.Uses(setting); !slices.Contains(got, want) {
			t.Errorf("%s: %+v lacks %+v", setting, got, want)
		}
	}
	for _, v := range phone.Vendors() {
		if !slices.ContainsFunc(lib.Uses("sipServer"), func(u Use) bool { return strings.HasPrefix(u.File, string(v)) }) {
			t.Errorf("sipServer is not used by %s", v)
		}
	}
	if got := lib.Uses("nothing"); len(got) != 0 {
		t.Errorf("nothing is used at %v", got)
	}
}
