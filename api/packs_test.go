package api

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func zipOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A pack goes in and comes out; a bad one stores nothing and says which entry.
func TestPacksOverHTTP(t *testing.T) {
	t.Parallel()
	c := newTemplateClient(t)
	post := func(body, media string) (int, string) {
		w := send(t, c.handler, request{call: "POST /v1/pbx/templates/packs", body: body, key: c.key, header: map[string]string{"Content-Type": media}})
		return w.Code, w.Body.String()
	}
	manifest := `[{"name":"a","vendor":"yealink","file":"phone","path":"a.tmpl","models":["T46S"]},
		{"name":"b","vendor":"yealink","file":"phone","path":"b.tmpl","models":["T48S"]}]`
	bad := zipOf(t, map[string]string{"manifest.json": manifest, "a.tmpl": plainYealink, "b.tmpl": "{{.Nothing}}"})
	if code, answer := post(bad, "application/zip"); code != http.StatusUnprocessableEntity || !strings.Contains(answer, `"manifest[1].content"`) {
		t.Errorf("a bad pack: %d %s", code, answer)
	}
	if list, err := c.store.Templates(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("stored %v, %v", list, err)
	}
	good := zipOf(t, map[string]string{"manifest.json": manifest, "a.tmpl": plainYealink, "b.tmpl": plainYealink})
	if code, answer := post(good, "text/plain"); code != http.StatusUnsupportedMediaType {
		t.Errorf("as text: %d %s", code, answer)
	}
	if code, answer := post(good, "application/zip"); code != http.StatusOK {
		t.Fatalf("a good pack: %d %s", code, answer)
	}
	if a := c.do(http.StatusOK, "GET /v1/pbx/templates/b", ""); a["active"] != true || a["content"] != plainYealink {
		t.Errorf("stored %v", a)
	}
	w := send(t, c.handler, request{call: "GET /v1/pbx/templates/packs", key: c.key})
	z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	if err != nil || w.Code != http.StatusOK || len(z.File) != 3 {
		t.Fatalf("%d %v, %d files", w.Code, err, len(z.File))
	}
	if code, answer := post(w.Body.String(), "application/zip"); code != http.StatusOK {
		t.Errorf("what came out goes in again: %d %s", code, answer)
	}
}
