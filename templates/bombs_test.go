package templates

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// defined is n templates t0.., each with what body says of the number of the next,
// the last one with a line; then a call of the first.
func defined(n int, body func(next int) string) string {
	var b strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&b, `{{define "t%d"}}%s{{end}}`, i, body(i+1))
	}
	fmt.Fprintf(&b, `{{define "t%d"}}a.b = 1%s{{end}}{{template "t0" .}}`, n-1, "\n")
	return b.String()
}

// around puts n times before and after what is in the middle.
func around(n int, before, middle, after string) string {
	return strings.Repeat(before, n) + middle + strings.Repeat(after, n)
}

func twice(next int) string { return strings.Repeat(fmt.Sprintf(`{{template "t%d" .}}`, next), 2) }

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// bombs are templates that would take for ever, or all memory, by what refuses them.
var bombs = map[string]struct{ text, reason string }{
	"loops of the dot":           {around(20, "{{range .Lines}}", "a.b = 1\n", "{{end}}"), "no field Lines"},
	"loops in loops":             {around(20, "{{range $.Lines}}", "a.b = 1\n", "{{end}}"), tooLarge},
	"loops in loops of nothing":  {around(20, "{{range $.Lines}}", "", "{{end}}"), tooMany},
	"a loop of a billion":        {"{{range 1000000000}}{{end}}", tooMany},
	"breaks in loops":            {around(20, "{{range 1000}}", "", "{{end}}") + "{{range 900000}}{{continue}}{{end}}", tooMany},
	"two calls each, forty deep": {defined(40, twice), "more than 32 deep"},
	"two calls each, thirty":     {defined(30, twice), tooMany},
	"calls itself":               {`{{template "x" .}}{{define "x"}}a{{template "x" .}}{{end}}`, "calls itself"},
	"calls itself over others":   {defined(20, func(n int) string { return fmt.Sprintf(`{{template "t%d" .}}`, n%19) }), "calls itself"},
	"many definitions":           {many(5000, `{{define "t%d"}}{{end}}`), "more than 1000 templates"},
	"many actions":               {strings.Repeat("{{.Name}}", 110_000), "more than 100000 parts"},
	"many variables":             {many(5000, "{{$v%d := 1}}"), "more than 1000 variables"},

	"a name of a MB":      {"{{." + strings.Repeat("x", 1<<20) + "}}", "larger than 1 MB"},
	"a long name":         {"{{." + strings.Repeat("x", 1<<19) + "}}", "no field xxx"},
	"a long function":     {"{{" + strings.Repeat("x", 1<<19) + "}}", "xxx"},
	"a long chain":        {"{{" + strings.Repeat(".x", 1<<18) + "}}", "no field x"},
	"a parameter of a MB": {strings.Repeat("x", 1<<20) + " = 1\n" + strings.Repeat("y = 1\n", 1000), "larger than 1 MB"},
	"a long parameter":    {strings.Repeat("x", 1<<19) + " = 1\n", "is not"},
	"a long literal":      {`{{range 3}}a.b = {{"` + strings.Repeat("x", 1<<19) + `"}}` + "\n{{end}}", tooLarge},
	"an endless number":   {"{{" + strings.Repeat("9", 1<<19) + "}}", "999"},
	"an open literal":     {`{{"` + strings.Repeat("x", 1<<19), "unterminated"},

	"brackets":         {"{{" + around(100_000, "(", "1", ")") + "}}", "depth"},
	"calls in calls":   {"{{" + around(5000, "(print ", "1", ")") + "}}", "more than 200 functions"},
	"pipes":            {"{{1" + strings.Repeat(" | print", 5000) + "}}", "more than 200 functions"},
	"nested ifs":       {around(50_000, "{{if .Name}}", "", "{{end}}") + "x", "nested deeper"},
	"a chain of elses": {"{{if .Name}}" + strings.Repeat("{{else if .Name}}", 50_000) + "{{end}}x", "nested deeper"},

	"a wide number":     {"{{range 9}}a.b = {{printf \"%0999999d\" 1}}\n{{end}}", tooLarge},
	"wider numbers":     {"a.b = {{printf \"%999999d%999999d\" 1 1}}\n", "printf would make more"},
	"a width to come":   {"a.b = {{printf \"%*d%*d\" 999999 1 999999 1}}\n", "printf would make more"},
	"a text many times": {"{{$a := printf \"%9999d\" 1}}a.b = {{printf \"" + strings.Repeat("%[1]s", 50_000) + "\" $a}}\n", "printf would make more"},
	"many texts":        {"{{$a := printf \"%99999d\" 1}}a.b = {{print" + strings.Repeat(" $a", 50_000) + "}}\n", tooMuch},
	"a doubled text":    {"{{$a := \"x\"}}{{range 60}}{{$a = print $a $a}}{{end}}a.b = {{$a}}\n", tooMuch},
	"doubled dots":      {"{{with .MAC.Hex}}" + around(25, "{{with print . .}}", "a.b = {{.}}\n", "{{end}}") + "{{end}}", tooMuch},
	"wide variables":    {many(900, "{{$v%d := printf \"%%999999d\" 1}}"), tooMuch},
	"variables of calls": {defined(30, func(n int) string {
		return many(900, "{{$v%d := 1}}") + fmt.Sprintf(`{{range 99}}{{template "t%d" $}}{{end}}`, n)
	}), tooMany},
	"lists of lists":   {"{{range 150000}}{{range unused $.Lines 64}}{{break}}{{end}}{{end}}", tooMuch},
	"a slow body":      {"{{range 190000}}" + strings.Repeat(`{{if (print "")}}{{end}}`, 10_000) + "{{end}}", tooLong},
	"slow comparisons": {"{{$a := printf \"%999999d\" 1}}{{$b := printf \"%999999d\" 1}}{{range 190000}}" + strings.Repeat("{{if ne $a $b}}{{end}}", 100) + "{{end}}", tooLong},
}

// Bombs are refused for what they are, in time, and without the memory that they
// would take. Not parallel: the memory is that of the process.
func TestBombs(t *testing.T) {
	for name, tt := range bombs {
		t.Run(name, func(t *testing.T) {
			start, before := time.Now(), allocated()
			_, err := Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: yealinkFirst + "\n" + tt.text})
			if !errors.Is(err, phone.ErrInvalid) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("%.300v, want %q", err, tt.reason)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("says it in %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > patience {
				t.Errorf("took %s", took)
			}
			if took := allocated() - before; took > 512<<20 {
				t.Errorf("took %d MB", took>>20)
			}
		})
	}
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// What looks like a bomb and is none takes no longer than it should: each value is
// evaluated once, however deep it is.
func TestDeepExpressions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"or":   {around(150, "(or ", ".Name", ` "x")`), "n"},
		"and":  {around(150, "(and ", ".Name", " .Name)"), "n"},
		"else": {around(150, "(or ", `""`, ` .Model)`), "m"},
		"eq":   {around(60, "(eq ", "true", " false false true)"), "1"},
		"not":  {around(150, "(not ", ".Name", ")"), "1"},
	} {
		set, err := Builtin().Overlay(fstest.MapFS{"yealink/t.tmpl": {Data: []byte("{{" + tt.text + "}}")}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		start := time.Now()
		var b strings.Builder
		if err := set.Render(&b, "yealink/t", View{Name: "n", Model: "m"}); err != nil || !strings.HasPrefix(b.String(), tt.want) {
			t.Errorf("%s: %q, %v", name, b.String(), err)
		}
		if took := time.Since(start); took > patience {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// The time limit ends the rendering itself: when Render has returned, nothing goes
// on, and there never was a goroutine beside the caller's.
func TestTimeLimitStops(t *testing.T) {
	t.Parallel()
	set, err := Builtin().Overlay(fstest.MapFS{"yealink/t.tmpl": {Data: []byte("{{range 190000}}" + strings.Repeat("{{if $.Name}}{{end}}", 100) + "x{{end}}")}})
	if err != nil {
		t.Fatal(err)
	}
	p, v := set.programs["yealink/t"], &View{Name: "n"}
	f := &frame{}
	err = p.execute(f, v, time.Now().Add(-time.Second))
	var e *Error
	if !errors.As(err, &e) || e.Reason != tooLong {
		t.Errorf("past its time: %v", err)
	}
	if f.turns > lookEvery {
		t.Errorf("it went on for %d turns", f.turns)
	}
	if err := p.execute(&frame{}, v, time.Now().Add(time.Hour)); err != nil {
		t.Errorf("in time: %v", err)
	}
}

// A file that says too much is not explained at any price.
func TestExplainIsBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, reason string }{
		"pieces":    {"{{range 150000}}{{.}}{{$.Model}}{{end}}", "pieces"},
		"variables": {many(900, "{{$v%d := 1}}") + "{{range 190000}}{{with $.Keys}}{{range .}}{{.Label}}{{end}}{{end}}{{end}}", ""},
	} {
		set, err := Builtin().Overlay(fstest.MapFS{"yealink/t.tmpl": {Data: []byte(tt.text)}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = set.Explain("yealink/t", View{Model: "m", Keys: []Key{{Label: "a"}, {Label: "b"}}})
		if tt.reason != "" && (err == nil || !strings.Contains(err.Error(), tt.reason)) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > patience {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// Nobody reads thousands of warnings, and nothing is made of them.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	start := time.Now()
	report, err := Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: yealinkFirst + "\n{{range 60000}}x.y{{.}}z = 1\n{{end}}"})
	if err != nil || len(report.Warnings) != maxWarnings {
		t.Errorf("%d warnings, %v", len(report.Warnings), err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("took %s", took)
	}
}
