package api

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	w := send(t, h, request{call: "GET /", key: "none"})
	page := w.Body.String()
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]`).MatchString(page) {
		t.Error("the page has inline script or style, which its policy refuses")
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(page, -1) {
		if part := send(t, h, request{call: "GET " + m[1], key: "none"}); part.Code != 200 {
			t.Errorf("%s: %d", m[1], part.Code)
		}
	}
}

// No part of the page reaches outside or makes HTML of text.
func TestPageStaysHere(t *testing.T) {
	t.Parallel()
	parts, err := filepath.Glob("ui/static/*.*")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("ui/static/pages/*.js")
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	vendored, err := filepath.Glob("ui/static/vendor/*.js")
	if err != nil || len(vendored) != 1 {
		t.Fatal(vendored, err)
	}
	for _, name := range slices.Concat(parts, pages, vendored) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "") // a name, not a place
		if regexp.MustCompile(`https?://|innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write`).MatchString(plain) {
			t.Errorf("%s reaches outside or writes HTML", name)
		}
	}
}

func TestPageIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	tag := send(t, h, request{call: "GET /static/app.js", key: "none"}).Header().Get("ETag")
	w := send(t, h, request{call: "GET /static/app.js", key: "none", header: map[string]string{"If-None-Match": tag}})
	if tag == "" || w.Code != 304 {
		t.Errorf("tag %q: %d", tag, w.Code)
	}
}

func TestPageHasNothingElse(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	for _, path := range []string{"/static/", "/static/..", "/static/../ui.go", "/static/x", "/index.html", "/static//app.js"} {
		if w := send(t, h, request{call: "GET " + path, key: "none"}); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
