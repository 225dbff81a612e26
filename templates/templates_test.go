package templates

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"text/template/parse"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	t.Parallel()
	cases := map[string]func(testing.TB, phone.Vendor) View{"ordinary": ordinary, "everything": everything}
	for _, vendor := range phone.Vendors() {
		for name, view := range cases {
			for file, tmpl := range files(vendor) {
				v := view(t, vendor)
				if strings.HasSuffix(tmpl, "common") {
					if name != "ordinary" {
						continue
					}
					v = common(t, vendor)
				}
				golden(t, filepath.Join(string(vendor), name, file), render(t, tmpl, v))
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Every template of a set ends every action in an escaper, and none of ours asks
// for the text as it is.
func TestEveryActionEndsInAnEscaper(t *testing.T) {
	t.Parallel()
	set := Builtin()
	n := 0
	for _, d := range dialects() {
		c := &compiler{trees: map[string]*parse.Tree{}, sources: set.sources, dialect: d}
		if err := set.parse(c); err != nil {
			t.Fatal(err)
		}
		if err := c.secure(); err != nil {
			t.Fatal(err)
		}
		for name, tree := range c.trees {
			walkActions(tree.Root, func(p *parse.PipeNode) {
				n++
				if last := lastName(p); !slices.Contains(d.escapers, last) || last == escRaw {
					t.Errorf("%s: action {{%s}} ends in %q", name, p, last)
				}
			})
		}
	}
	if len(set.UsesRaw()) > 0 {
		t.Errorf("%q use %q", set.UsesRaw(), escRaw)
	}
	if n < 250 {
		t.Errorf("only %d actions seen", n)
	}
	for _, name := range set.Names() {
		text, _ := set.Source(name)
		if asksForRaw.MatchString(text) {
			t.Errorf("%s uses %q", name, escRaw)
		}
	}
}

var asksForRaw = regexp.MustCompile(`(\||\{\{-?|\()\s*raw\b`)

// No definition of ours stands in place of another.
func TestDefinitionsAreUnique(t *testing.T) {
	t.Parallel()
	set := Builtin()
	where := map[string]string{}
	for _, name := range set.all() {
		text, _ := set.Source(name)
		for _, m := range regexp.MustCompile(`\{\{-? *define "([^"]+)"`).FindAllStringSubmatch(text, -1) {
			if first, twice := where[m[1]]; twice {
				t.Errorf("%s is defined in %s and in %s", m[1], first, name)
			}
			where[m[1]] = name
		}
	}
	if len(where) < 10 {
		t.Errorf("only %d definitions", len(where))
	}
}

// walkActions is a walk of its own, so that a kind of node which the rewriter
// forgets is found.
func walkActions(n parse.Node, do func(*parse.PipeNode)) {
	branch := func(b parse.BranchNode) {
		walkActions(b.List, do)
		if b.ElseList != nil {
			walkActions(b.ElseList, do)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			walkActions(c, do)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			do(n.Pipe)
		}
	case *parse.IfNode:
		branch(n.BranchNode)
	case *parse.RangeNode:
		branch(n.BranchNode)
	case *parse.WithNode:
		branch(n.BranchNode)
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`{{.Name}}`:                                                          "a &lt;b&gt;",
		`{{.Name | attr}}`:                                                   "a &lt;b&gt;",
		`{{attr .Name}}`:                                                     "a &lt;b&gt;",
		`{{.Name | raw}}`:                                                    "a <b>",
		`{{.Name | raw | printf "%s"}}`:                                      "a &lt;b&gt;",
		`{{printf "%s" (.Name | raw)}}`:                                      "a &lt;b&gt;",
		`{{$x := .Name}}{{$x}}`:                                              "a &lt;b&gt;",
		`{{if $x := .Name}}{{$x}}{{end}}`:                                    "a &lt;b&gt;",
		`{{with .Name}}{{.}}{{else}}none{{end}}`:                             "a &lt;b&gt;",
		`{{range .Lines}}x{{else}}{{$.Name}}{{end}}`:                         "a &lt;b&gt;",
		`{{define "d"}}{{.}}{{end}}{{template "d" .Name}}`:                   "a &lt;b&gt;",
		`{{block "e" .Name}}{{.}}{{end}}`:                                    "a &lt;b&gt;",
		`{{if and .Name (eq .Name "a <b>" "x")}}{{len .Name}}{{end}}`:        "5",
		`{{range $i, $l := .Lines}}{{$i}}{{else}}{{or .Model .Name}}{{end}}`: "a &lt;b&gt;",
		`{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}`:            "02",
		`{{range 9}}{{.}}{{if ge . 2}}{{break}}{{end}}{{end}}`:               "012",
		`{{$n := 1}}{{range 3}}{{$n = add $n .}}{{end}}{{$n}}`:               "4",
		`{{with $x := .MAC}}{{$x.Hex}}{{$.Name}}{{end}}`:                     "a &lt;b&gt;",
		`{{printf "%s-%02d %t" .Name 7 true}}`:                               "a &lt;b&gt;-07 true",
		`{{.AdminPassword}}{{print .AdminPassword}}`:                         "[redacted]",
		`{{index .Raw "k&"}}{{range $k, $v := .Raw}}{{$k}}={{$v}};{{end}}`:   "v&lt;k&amp;=v&lt;;z=1;",
		`{{not .Lines}}{{(index .Keys 0).Label}}`:                            "1key",
	} {
		set, err := Builtin().Overlay(fstest.MapFS{"polycom/t.tmpl": {Data: []byte(src)}})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var b strings.Builder
		if err := set.Render(&b, "polycom/t", View{Name: "a <b>", Raw: map[string]string{"z": "1", "k&": "v<"}, Keys: []Key{{Label: "key"}}}); err != nil || b.String() != want {
			t.Errorf("%s gives %q, %v, want %q", src, b.String(), err, want)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("{{if .Name}}", 40) + strings.Repeat("{{end}}", 40)
	for name, tt := range map[string]struct {
		src    string
		parses bool
		line   int
		column int
	}{
		"syntax":            {src: "ok\n{{.Name", line: 2},
		"unknown function":  {src: "\n\n{{env \"HOME\"}}", line: 3},
		"no such field":     {src: "\n  {{.Nonsense}}", line: 2, column: 5},
		"deep field":        {src: "{{.MAC.Hex.Nope}}", line: 1, column: 7},
		"missing key":       {src: "{{.Raw.nothing}}", parses: true, line: 1, column: 7},
		"no element":        {src: "\n{{(index .Lines 7).Label}}", parses: true, line: 2, column: 4},
		"calls itself":      {src: `{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}`, line: 1, column: 1},
		"nested":            {src: nested, line: 1},
		"endless":           {src: "\n{{range 2000000000}}{{end}}", parses: true, line: 2},
		"endless in lists":  {src: "{{range 9000}}{{range 9000}}{{range $.Raw}}{{end}}{{end}}{{end}}", parses: true, line: 1},
		"too big":           {src: `{{range 2000}}{{printf "%1000d" 1}}{{end}}`, parses: true, line: 1},
		"calls":             {src: `{{define "d"}}{{end}}{{range 150000}}{{template "d" .}}{{end}}`, parses: true, line: 1},
		"a list":            {src: "\n{{.Lines}}", line: 2},
		"a nil":             {src: "{{account 99}}", line: 1},
		"of a nil":          {src: "{{(account 99).Active}}", parses: true, line: 1},
		"called with a nil": {src: `{{define "d"}}{{.Active}}{{end}}{{template "d" (account 99)}}`, parses: true, line: 1, column: 44},
		"a doubled text":    {src: "\n{{$a := .Name}}{{range 99}}{{$a = print $a $a}}{{end}}", parses: true, line: 2},
		"bad name":          {src: "{{.Name | param}}", parses: true, line: 1},
		"no such template":  {src: `{{template "polycom/none" .}}`, line: 1},
		"no value":          {src: `{{template "polycom/master"}}`, line: 1},
		"wrong type":        {src: "\n{{minutes .Name}}", line: 2},
		"a comparison":      {src: "{{if eq .Name 1}}{{end}}", line: 1},
		"a secret compared": {src: `{{if eq .AdminPassword .UserPassword}}{{end}}`, line: 1},
		"a method":          {src: "{{.TimeZone.String}}", line: 1},
		"a break":           {src: "{{break}}", line: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := Builtin().Overlay(fstest.MapFS{"polycom/t.tmpl": {Data: []byte(tt.src)}})
			if (err == nil) != tt.parses {
				t.Fatalf("Overlay: %v, want parsing to be %t", err, tt.parses)
			}
			if err == nil {
				var b strings.Builder
				err = set.Render(&b, "polycom/t", View{Name: "a b", Raw: map[string]string{}})
				if b.Len() != 0 {
					t.Errorf("a broken template wrote %d bytes", b.Len())
				}
			}
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, phone.ErrInvalid) {
				t.Fatalf("error is %v, want an *Error", err)
			}
			if e.Line != tt.line || tt.column != 0 && e.Column != tt.column {
				t.Errorf("error %v is in line %d:%d, want %d:%d", e, e.Line, e.Column, tt.line, tt.column)
			}
		})
	}
}

func TestOverlayLeavesTheSetAlone(t *testing.T) {
	t.Parallel()
	set := Builtin()
	over, err := set.Overlay(fstest.MapFS{"yealink/boot.tmpl": {Data: []byte("mine {{.MAC.Hex}}")}, "other/x.tmpl": {Data: []byte("{{")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		set  *Set
		mine bool
	}{"old": {set, false}, "new": {over, true}} {
		var b strings.Builder
		if err := tt.set.Render(&b, "yealink/boot", ordinary(t, phone.Yealink)); err != nil {
			t.Fatal(err)
		}
		if got := b.String() == "mine 805ec0aabbcc"; got != tt.mine {
			t.Errorf("%s set renders %q", name, b.String())
		}
	}
	if set.Revision() == over.Revision() || set.Revision() != Builtin().Revision() {
		t.Errorf("revisions: %s, %s, %s", set.Revision(), over.Revision(), Builtin().Revision())
	}
	live := NewLive(libraryOf(set))
	live.Swap(libraryOf(over))
	if live.Revision() != over.Revision() {
		t.Error("Live keeps the old set")
	}
}

func TestRenderUnknown(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "polycom/none", "none/phone", "../polycom/phone", "polycom.site"} {
		if err := Builtin().Render(io.Discard, name, View{}); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("Render(%q) = %v, want ErrNotFound", name, err)
		}
	}
}

// A masked file is the file with the mask in place of each secret.
func TestRenderMasked(t *testing.T) {
	t.Parallel()
	for _, vendor := range phone.Vendors() {
		v := everything(t, vendor)
		for file, tmpl := range files(vendor) {
			var plainFile, masked bytes.Buffer
			if err := Builtin().Render(&plainFile, tmpl, v); err != nil {
				t.Fatal(err)
			}
			if err := Builtin().RenderMasked(&masked, tmpl, v); err != nil {
				t.Fatal(err)
			}
			want := plainFile.String()
			for _, secret := range []string{"admin-secret", "user-secret", "provision-secret", "line-one-secret", "line-three-secret"} {
				want = strings.ReplaceAll(want, secret, Mask)
			}
			if diff := cmp.Diff(want, masked.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
		if v.Lines[0].Password.Reveal() != "line-one-secret" {
			t.Error("masking changed the view")
		}
	}
}

func TestMaskedRawSettings(t *testing.T) {
	t.Parallel()
	v := View{Raw: map[string]string{
		"account.1.password": "a", "P34": "b", "P341": "c", "device.sec.configEncryption.key": "d",
		"linekey.1.value": "e", "account.1.label": "f", "device.auth.localAdminPassword": "g", "P2": "h",
	}}
	want := map[string]string{
		"account.1.password": Mask, "P34": Mask, "P341": "c", "device.sec.configEncryption.key": Mask,
		"linekey.1.value": "e", "account.1.label": "f", "device.auth.localAdminPassword": Mask, "P2": Mask,
	}
	if diff := cmp.Diff(want, v.masked().Raw); diff != "" {
		t.Error(diff)
	}
}

func TestFuncsAreNotThoseOfSprig(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"env", "expandenv", "repeat", "until", "now", "randAlpha", "genPrivateKey", "readFile"} {
		if functions[name] != nil {
			t.Errorf("templates can call %s", name)
		}
	}
}

func BenchmarkRenderPhone(b *testing.B) {
	set := Builtin()
	for _, vendor := range phone.Vendors() {
		v := ordinary(b, vendor)
		b.Run(string(vendor), func(b *testing.B) {
			for b.Loop() {
				if err := set.Render(io.Discard, string(vendor)+"/phone", v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// libraryOf is the library of a set alone.
func libraryOf(set *Set) *Library {
	l, _ := NewLibrary(set)
	return l
}
