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
