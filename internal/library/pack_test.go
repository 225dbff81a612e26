package library

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withPacks(t *testing.T) (*Service, *templates.Live) {
	t.Helper()
	store := openStore(t)
	s, live := newLibrary(t, store)
	s.opts.Packs = store
	return s, live
}

// A pack is stored as a whole and comes out as it went in.
func TestPack(t *testing.T) {
	t.Parallel()
	s, live := withPacks(t)
	const manifest = `[{"name":"a","vendor":"yealink","file":"phone","path":"x/a","models":["T46S"],"variables":[{"name":"v","type":"number","default":"1"}],"note":"first"},
		{"name":"b","vendor":"yealink","file":"phone","path":"x/b"}]`
	if _, err := s.PutPack(t.Context(), zipped(t, map[string]string{"manifest.json": manifest, "x/a": mine + "my.v = {{.Vars.v}}\n", "x/b": mine}), "key_1"); err != nil {
		t.Fatal(err)
	}
	if got := live.Library().Pick("yealink/phone", "T46S", "").Template + live.Library().Pick("yealink/phone", "T21P", "").Template; got != "ab" {
		t.Errorf("phones get %s", got)
	}
	out, err := s.Pack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadPack(out)
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].Models[0] != "T46S" || list[0].Variables[0].Type != "number" || list[0].Note != "first" ||
		!strings.Contains(list[0].Text, ".Vars.v") {
		t.Errorf("%+v, %v", list, err)
	}
	other, _ := withPacks(t)
	if _, err := other.PutPack(t.Context(), out, "key_1"); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
}

// A manifest may be an object, and leave out that a template makes the phone's own file.
func TestPackAsAnObject(t *testing.T) {
	t.Parallel()
	list, err := ReadPack(zipped(t, map[string]string{"manifest.json": ` {"templates":[{"name":"a","vendor":"yealink","path":"a"}]}`, "a": mine}))
	if err != nil || len(list) != 1 || list[0].File != "phone" || list[0].Text != mine {
		t.Errorf("%+v, %v", list, err)
	}
}

// Of a pack with anything wrong nothing is stored.
func TestPackRefused(t *testing.T) {
	t.Parallel()
	s, _ := withPacks(t)
	good := `{"name":"a","vendor":"yealink","file":"phone","path":"a"}`
	many := map[string]string{"manifest.json": "[" + good + "]", "a": mine}
	for i := range maxPackFiles {
		many["f"+strings.Repeat("x", i%100)+string(rune('a'+i/100))] = ""
	}
	for name, tt := range map[string]struct {
		body  []byte
		field string
	}{
		"no zip":      {[]byte("hello"), "body"},
		"no manifest": {zipped(t, map[string]string{"a": mine}), "path"},
		"no list":     {zipped(t, map[string]string{"manifest.json": "{}"}), "manifest"},
		"no text":     {zipped(t, map[string]string{"manifest.json": "[" + good + "]"}), "manifest[0].path"},
		"twice":       {zipped(t, map[string]string{"manifest.json": "[" + good + "," + good + "]", "a": mine}), "manifest[1].name"},
		"broken":      {zipped(t, map[string]string{"manifest.json": "[" + good + `,{"name":"b","vendor":"yealink","file":"phone","path":"b"}]`, "a": mine, "b": "{{.Nothing}}"}), "manifest[1].content"},
		"bomb":        {zipped(t, map[string]string{"manifest.json": "[" + good + "]", "a": strings.Repeat("\n", maxPackFile+1)}), "manifest[0].path"},
		"many":        {zipped(t, many), "body"},
		"long name":   {zipped(t, map[string]string{"manifest.json": "[" + good + "]", "a": mine, strings.Repeat("n", 1<<15): ""}), "body"},
	} {
		_, err := s.PutPack(t.Context(), tt.body, "key_1")
		var got *phone.FieldError
		if !errors.As(err, &got) || got.Field != tt.field {
			t.Errorf("%s: %v, want an error of %s", name, err, tt.field)
		}
	}
	if list, _, err := s.opts.Reader.ShownTemplates(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("stored %v, %v", list, err)
	}
}

// Of a pack with several wrong templates each is named with its file.
func TestPackNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	s, _ := withPacks(t)
	const manifest = `[{"name":"a","vendor":"yealink","path":"y/a.tmpl"},{"name":"b","vendor":"yealink","path":"y/b.tmpl"},{"name":"c","vendor":"yealink","path":"y/c.tmpl","variables":[{"name":"1"}]}]`
	_, err := s.PutPack(t.Context(), zipped(t, map[string]string{"manifest.json": manifest, "y/a.tmpl": "{{.Nothing}}", "y/b.tmpl": mine, "y/c.tmpl": mine}), "key_1")
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != 2 {
		t.Fatalf("%v, want two errors", err)
	}
	for i, want := range []phone.FieldError{{Field: "manifest[0].content", File: "y/a.tmpl", Line: 1}, {Field: "manifest[2].variables[0].name", File: "y/c.tmpl"}} {
		var got *phone.FieldError
		if !errors.As(all.Unwrap()[i], &got) || got.Field != want.Field || got.File != want.File || got.Line != want.Line {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
