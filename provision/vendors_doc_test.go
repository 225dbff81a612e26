package provision

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// The table of settings in docs/VENDORS.md is what rendering a phone with and
// without each setting shows.
func TestVendorsTable(t *testing.T) {
	t.Parallel()
	const file = "../docs/VENDORS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- made by provision: go test ./provision -run VendorsTable -update -->\n", "<!-- end of settings -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks are missing")
	}
	want := head + begin + vendorsTable(t) + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("docs/VENDORS.md is not what the templates do; run with -update (-want +got):\n%s", diff)
	}
}

func vendorsTable(t *testing.T) string {
	t.Helper()
	b := newBench(t, nil)
	var out strings.Builder
	out.WriteString("\n| setting | Polycom | Yealink | Grandstream |\n|---|---|---|---|\n")
	for _, spec := range settings.Schema() {
		fmt.Fprintf(&out, "| `%s` |", spec.Key)
		for _, v := range phone.Vendors() {
			with, without := Sample(spec), Sample(spec)
			for name := range with {
				if ref, ok := settings.Lookup(name); ok && ref.Spec.Key == spec.Key {
					delete(without, name)
				}
			}
			names := changed(paramsOf(b.renderedWith(v, without)), paramsOf(b.renderedWith(v, with)))
			switch {
			case spec.Key == "group" || spec.Key == SettingAddress:
				out.WriteString(" in no file |")
			case len(names) == 0:
				out.WriteString(" not supported |")
			default:
				fmt.Fprintf(&out, " %s%s |", strings.Join(names, " "), notValues(v, spec.Key))
			}
		}
		out.WriteString("\n")
	}
	return out.String() + "\n"
}

// notValues names the values that the vendor's files cannot say; TestGaps holds the
// list to what rendering shows.
func notValues(v phone.Vendor, key string) string {
	var names []string
	for _, g := range templates.Gaps(v, key) {
		name := "`" + g.Value + "`"
		if g.Like != "" {
			name += " (written as `" + g.Like + "`)"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	return "; not " + strings.Join(names, ", ")
}

// changed lists the parameters that differ, at most four by name.
func changed(a, b map[string]string) []string {
	var names []string
	for name, text := range b {
		if old, ok := a[name]; !ok || old != text {
			names = append(names, "`"+name+"`")
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			names = append(names, "`"+name+"`")
		}
	}
	slices.Sort(names)
	if len(names) > 4 {
		return append(names[:4], fmt.Sprintf("and %d more", len(names)-4))
	}
	return names
}

// paramsOf reads every parameter of some files, one behind the other.
func paramsOf(text string) map[string]string {
	out := map[string]string{}
	for doc := range strings.SplitSeq(text, "<?xml") {
		if !strings.Contains(doc, "?>") {
			for s := bufio.NewScanner(strings.NewReader(doc)); s.Scan(); {
				if key, value, ok := strings.Cut(s.Text(), " ="); ok && s.Text()[0] != '#' {
					out[key] = value
				}
			}
			continue
		}
		xmlParams(out, "<?xml"+doc)
	}
	return out
}

func xmlParams(out map[string]string, doc string) {
	d := xml.NewDecoder(strings.NewReader(doc))
	var value string
	for {
		tok, _ := d.Token()
		switch tok := tok.(type) {
		case nil:
			return
		case xml.StartElement:
			for _, a := range tok.Attr {
				out[a.Name.Local] = a.Value
			}
		case xml.CharData:
			value = string(tok)
		case xml.EndElement:
			if grandstreamParam(tok.Name.Local) {
				out[tok.Name.Local] = value
			} else if tok.Name.Local == "ct" {
				out["directory"] += value + ";"
			}
		}
	}
}
