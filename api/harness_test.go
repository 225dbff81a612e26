package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata and openapi.json")

// request is one call as a test writes it: "GET /v1/pbx/phones".
type request struct {
	call   string
	body   string
	key    string // adminKey unless given; "none" sends none
	header map[string]string
}

func (h *house) handler(t testing.TB) http.Handler {
	t.Helper()
	handler, err := New(h.options())
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// send serves one request.
func send(t testing.TB, h http.Handler, q request) *httptest.ResponseRecorder {
	t.Helper()
	method, target, _ := strings.Cut(q.call, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(q.body))
	switch q.key {
	case "":
		r.Header.Set("Authorization", "Bearer "+adminKey)
	case "none":
	default:
		r.Header.Set("Authorization", "Bearer "+q.key)
	}
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Request-Id", "test")
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares an answer's body with testdata/name.json.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatalf("answer is not JSON: %v\n%s", err, body)
	}
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// readAll follows next to the end and returns one field of each item.
func readAll(t *testing.T, h http.Handler, path, field, limit string) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		w := send(t, h, request{call: "GET " + path + "?limit=" + limit + "&cursor=" + cursor})
		var page map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var items []map[string]any
		if err := json.Unmarshal(page[filepath.Base(path)], &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			all = append(all, item[field].(string))
		}
		cursor = ""
		if page["next"] == nil {
			return all
		}
		if err := json.Unmarshal(page["next"], &cursor); err != nil || cursor == "" || len(all) > 100 {
			t.Fatalf("next %s after %d items: %v", page["next"], len(all), err)
		}
	}
}
