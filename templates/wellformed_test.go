package templates

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// What is built in is well-formed, and reads as the tests' own readers have it.
func TestParametersOfBuiltin(t *testing.T) {
	t.Parallel()
	for _, v := range phone.Vendors() {
		for name, file := range files(v) {
			for _, view := range []View{ordinary(t, v), everything(t, v), hostile(t, v)} {
				text := render(t, file, view)
				want, err := readFile(v, text)
				if err != nil {
					t.Fatal(err)
				}
				list, err := Parameters(file, []byte(text))
				if err != nil {
					t.Errorf("%s: %v\n%s", name, err, text)
					continue
				}
				if len(want) == 0 { // a phone book sets nothing
					continue
				}
				got := map[string]string{}
				for _, p := range list {
					if _, first := got[p.Name]; first && v == phone.Polycom {
						continue // the first definition wins
					}
					got[p.Name] = p.Value
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-reader +Parameters):\n%s", name, diff)
				}
			}
		}
	}
}

func TestFilesThatPhonesCannotRead(t *testing.T) {
	t.Parallel()
	const head = "<?xml version=\"1.0\"?>\n"
	for _, tt := range []struct {
		file, text string
		line       int
	}{
		{"yealink/phone", "a.b = 1\n", 1},
		{"yealink/phone", yealinkFirst + "\na.b = 1\nnonsense\n", 3},
		{"yealink/phone", yealinkFirst + "\na.b = \x01\n", 2},
		{"polycom/phone", "\n" + head + "<a/>", 1},
		{"polycom/phone", head + "<a x=\"1\"\n x=\"2\"/>", 3},
		{"polycom/phone", head + "<a>\n</b>", 3},
		{"polycom/phone", head + "<a>", 2},
		{"polycom/phone", head + "<a/>\n<b/>", 3},
		{"polycom/phone", head + "<a/>\ntext", 3},
		{"polycom/phone", head + "<!DOCTYPE a>\n<a/>", 2},
		{"grandstream/phone", head + "<other/>", 2},
		{"grandstream/phone", head + "<gs_provision><config>\n<P1>a</P1>\n<P1>b</P1></config></gs_provision>", 4},
	} {
		_, err := Parameters(tt.file, []byte(tt.text))
		var out *Output
		if !errors.As(err, &out) || out.Line != tt.line {
			t.Errorf("%s %q: %v, want an error in line %d", tt.file, tt.text, err, tt.line)
		}
	}
}

func FuzzParameters(f *testing.F) {
	for _, file := range []string{"yealink/phone", "polycom/phone", "grandstream/phone"} {
		f.Add(file, "<?xml version=\"1.0\"?><gs_provision><config><P1>a</P1></config></gs_provision>")
		f.Add(file, yealinkFirst+"\na.b = c\n")
	}
	f.Fuzz(func(t *testing.T, file, text string) {
		list, err := Parameters(file, []byte(text))
		var out *Output
		if err != nil && !errors.As(err, &out) {
			t.Errorf("%v is no *Output", err)
		}
		for i, p := range list {
			if p.Name == "" || p.Line < 1 {
				t.Error(fmt.Sprint(i, p))
			}
		}
	})
}
