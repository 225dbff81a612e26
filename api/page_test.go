package api

import (
	"regexp"
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
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		part := send(t, h, request{call: "GET " + m[1], key: "none"})
		if part.Code != 200 {
			t.Errorf("%s: %d", m[1], part.Code)
		}
		if strings.Contains(part.Body.String(), "http://") || strings.Contains(part.Body.String(), "https://") || strings.Contains(part.Body.String(), "innerHTML") {
			t.Errorf("%s reaches outside or writes HTML", m[1])
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
