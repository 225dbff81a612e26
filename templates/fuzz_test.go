package templates

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// patience is more than any check may take, on a busy machine under the fuzzer.
const patience = 30 * time.Second

// FuzzCheck uploads any text: it is refused with a place or a reason, or what it
// renders is well-formed; it never panics and never takes for ever.
func FuzzCheck(f *testing.F) {
	files := []string{"yealink/phone", "polycom/phone", "grandstream/phone", "yealink/phonebook"}
	for i, file := range files {
		text, _ := Builtin().Source(file)
		f.Add(byte(i), text)
	}
	for _, text := range []string{
		yealinkFirst + "\n{{range .Lines}}{{range .Codecs}}a.b = {{raw .Name}}\n{{end}}{{end}}",
		yealinkFirst + "\n{{template \"x\" .}}{{define \"x\"}}{{template \"x\" .}}{{end}}",
		yealinkFirst + "\n{{$a := .Name}}{{with $a}}{{.}}{{else}}{{break}}{{end}}",
		"{{" + strings.Repeat("(", 500), "{{define \"" + strings.Repeat("x", 5000) + "\"}}{{end}}",
		"{{range $i, $x := .Raw}}{{$i | param}} = {{$x}}\n{{end}}",
	} {
		f.Add(byte(0), text)
	}
	base := Builtin()
	f.Fuzz(func(t *testing.T, which byte, text string) {
		start := time.Now()
		file := files[int(which)%len(files)]
		_, err := Check(base, Variant{Name: "x", File: file, Text: text})
		if err != nil && !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%v is not the fault of the text", err)
		}
		if took := time.Since(start); took > patience {
			t.Errorf("took %s", took)
		}
	})
}

// Bombs are refused and end in time.
func TestBombs(t *testing.T) {
	t.Parallel()
	loop := strings.Repeat("{{range .Lines}}", 20) + "a.b = 1\n" + strings.Repeat("{{end}}", 20)
	deep := strings.Repeat("{{range $.Lines}}", 20) + "a.b = 1\n" + strings.Repeat("{{end}}", 20)
	var tree strings.Builder
	for i := range 40 {
		name, next := strings.Repeat("t", i+1), strings.Repeat("t", i+2)
		tree.WriteString("{{define \"" + name + "\"}}{{template \"" + next + "\" .}}{{template \"" + next + "\" .}}{{end}}")
	}
	tree.WriteString("{{define \"" + strings.Repeat("t", 41) + "\"}}a.b = 1\n{{end}}{{template \"t\" .}}")
	for name, text := range map[string]string{
		"loops of the dot": loop, "loops in loops": deep, "two calls each, forty deep": tree.String(),
		"calls itself":        "{{template \"x\" .}}{{define \"x\"}}a{{template \"x\" .}}{{end}}",
		"a name of a MB":      "{{." + strings.Repeat("x", 1<<20) + "}}",
		"a parameter of a MB": strings.Repeat("x", 1<<20) + " = 1\n" + strings.Repeat("y = 1\n", 1000),
		"brackets":            "{{" + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + "}}",
		"nested ifs":          strings.Repeat("{{if .Name}}", 50_000) + strings.Repeat("{{end}}", 50_000) + "x",
	} {
		start := time.Now()
		_, err := Check(Builtin(), Variant{Name: "x", File: "yealink/phone", Text: yealinkFirst + "\n" + text})
		if !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > patience {
			t.Errorf("%s took %s", name, took)
		}
	}
}
