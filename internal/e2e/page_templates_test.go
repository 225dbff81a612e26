package e2e

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed makes a zip file of a template that declares variables, and its manifest.
func packed(t *testing.T, dir, name, content string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	const manifest = `[{"name": "lobby", "vendor": "yealink", "path": "yealink/lobby.tmpl", "models": ["T46S"], "minFirmware": "66.80.0.1", "note": "of a pack",
		"variables": [{"name": "greeting", "default": "Hotel Adler", "help": "Shown on the display of an idle phone"}, {"name": "size", "type": "choice", "choices": ["small", "large"], "default": "small"}]}]`
	for file, text := range map[string]string{"manifest.json": manifest, "yealink/lobby.tmpl": content} {
		w, err := z.Create(file)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// A broken pack is refused with the file and the place, a good one is stored; what its
// template declares is shown, and where it is set.
func TestPagePack(t *testing.T) {
	t.Parallel()
	d := serve(t)
	var builtin struct{ Content string }
	d.call("GET", "/v1/pbx/templates/yealink-phone", nil, &builtin)
	own := strings.TrimRight(builtin.Content, "\n") + "\nfeatures.greeting = {{.Vars.greeting}}\nfeatures.size = {{.Vars.size}}\n"
	dir := t.TempDir()
	d.tell(t, "pack", func(word string) string {
		if word == "broken" {
			return packed(t, dir, word, own+"{{.Nothing}}\n")
		}
		return packed(t, dir, word, own)
	})
	if _, layer := d.raw("GET", "/v1/pbx/settings/global", nil); !strings.Contains(string(layer), `"vars.greeting":"Palace"`) {
		t.Errorf("the layer is %s", layer)
	}
}

// A template reaches two phones in waves, which are watched; one with which phones
// cannot register halts at the first phone and is taken back.
func TestPageTemplateWaves(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.extension("102", "Lab")
	d.phone("001565aabb02", "T46S", "102")
	d.plug("yealink", "001565aabb02")
	d.awaitRegisteredCount(2)
	d.tell(t, "waves", nil)
	for _, mac := range []string{"001565aabb01", "001565aabb02"} {
		if got := d.answer("GET", "/"+mac+".cfg", ""); !strings.Contains(got, "phone_setting.lcd_logo.mode = 1") || strings.Contains(got, "wrong") {
			t.Errorf("%s gets %s", mac, got)
		}
	}
}
