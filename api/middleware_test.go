package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

func TestAllow(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	for call, want := range map[string]string{
		"PUT /v1/pbx/phones":        "GET, HEAD, POST",
		"POST /v1/pbx/phones/stats": "GET, HEAD",
		"OPTIONS /v1/pbx/phones/x":  "DELETE, GET, HEAD, PATCH",
		"GET /v1/pbx/keys/x":        "DELETE",
		"HEAD /v1/pbx/keys/x":       "DELETE",
		"POST /healthz":             "GET, HEAD",
		"POST /":                    "GET, HEAD",
		"DELETE /static/app.js":     "GET, HEAD",
	} {
		w := send(t, h, request{call: call})
		if w.Code != 405 || w.Header().Get("Allow") != want {
			t.Errorf("%s: %d, Allow %q, want %q", call, w.Code, w.Header().Get("Allow"), want)
		}
	}
}

// TestHead goes over a real server, which drops the body.
func TestHead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(fixed().handler(t))
	defer srv.Close()
	for _, path := range []string{"/healthz", "/v1/pbx/phones", "/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+adminKey)
		answer, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 || answer.ContentLength <= 0 {
			t.Errorf("%s: %d with %d bytes", path, answer.StatusCode, answer.ContentLength)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	for _, call := range []string{"GET /healthz", "GET /v1/pbx/phones", "GET /v1/pbx/nothing", "PUT /v1/pbx/phones"} {
		w := send(t, h, request{call: call})
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "X-Request-Id": "test",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", call, name, got, want)
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	own := regexp.MustCompile(`^[0-9a-f]{16}$`)
	for _, given := range []string{"", "a b", "a\nb", "\"", strings.Repeat("x", 65)} {
		r := &http.Request{Header: http.Header{"X-Request-Id": {given}}}
		if got := requestID(r); !own.MatchString(got) {
			t.Errorf("%q was taken as %q", given, got)
		}
	}
}

// TestPanic: the client gets a 500 without detail, the log the reason, and the
// next request is served.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, reg := fixed(), prometheus.NewRegistry()
	o := h.options()
	o.Logger, o.Registerer = slog.New(slog.NewJSONHandler(&log, nil)), reg
	o.VendorOf = func(phone.MAC) (phone.Vendor, bool) { panic("broken table") }
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := send(t, handler, request{call: "POST /v1/pbx/phones", body: newPhone})
	if p := problemIn(t, w.Code, 500, w.Header(), w.Body.Bytes()); p.Detail != "" {
		t.Errorf("detail %q", p.Detail)
	}
	if !strings.Contains(log.String(), "broken table") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	if w := send(t, handler, request{call: "GET /v1/pbx/phones"}); w.Code != 200 {
		t.Errorf("the next request: %d", w.Code)
	}
	want := "# HELP dialtone_api_panics_total Requests that ended in a panic.\n# TYPE dialtone_api_panics_total counter\ndialtone_api_panics_total 1\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "dialtone_api_panics_total"); err != nil {
		t.Error(err)
	}
}

// TestPanicInTheMiddle: half an answer is cut off, never ended as if whole.
func TestPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	o.MetricsHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("the rest is gone")
	})
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // recover gives the value itself
			t.Errorf("recovered %v", got)
		}
	}()
	send(t, handler, request{call: "GET /metrics"})
}

// TestAccessLog: one line, bounded, without the key and the query.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, reg := fixed(), prometheus.NewRegistry()
	o := h.options()
	o.Logger, o.Registerer = slog.New(slog.NewJSONHandler(&log, nil)), reg
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	send(t, handler, request{call: "GET /v1/pbx/phones/" + strings.Repeat("x", 5000) + "?q=private"})
	send(t, handler, request{call: "GET /healthz"}) // not worth a line
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 || len(lines[0]) > 700 || strings.Contains(lines[0], adminKey) || strings.Contains(lines[0], "private") {
		t.Fatalf("%d lines: %s", len(lines), log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"time", "level", "path", "bytes"} {
		delete(line, name)
	}
	want := map[string]any{
		"msg": "request", "component": "api", "request_id": "test", "method": "GET", "route": "/v1/pbx/phones/{id}",
		"status": 404.0, "ms": 0.0, "client": "192.0.2.1:1234", "key": "key_admin",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// TestMetricLabels: no request can make a label of its own.
func TestMetricLabels(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	o := fixed().options()
	o.Registerer = reg
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"GET /a", "GET /b", "BREW /v1/pbx/phones/1", "STEEP /v1/pbx/phones/2", "GET /v1/pbx/phones/3"} {
		send(t, handler, request{call: call})
	}
	got, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, family := range got {
		if family.GetName() != "dialtone_api_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			labels = append(labels, strings.Join(values, " "))
		}
	}
	slices.Sort(labels)
	want := []string{"404 GET /v1/pbx/phones/{id}", "404 GET none", "405 other /v1/pbx/phones/{id}"}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	o.Ready = func() []ReadyCheck {
		return []ReadyCheck{{Name: "inventory", OK: true}, {Name: "redis", Detail: "degraded since 12:00"}}
	}
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := send(t, handler, request{call: "GET /readyz", key: "none"})
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	golden(t, "readyz-not", w.Body.Bytes())
}

func TestMetricsRoute(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	o.MetricsHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if w := send(t, handler, request{call: "GET /metrics", key: "none"}); w.Code != 200 || w.Body.String() != "up 1\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(t, fixed().handler(t), request{call: "GET /metrics"}); w.Code != 404 {
		t.Errorf("without a handler: %d", w.Code)
	}
}

func TestNewNeedsItsStores(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("New took nothing")
	}
	o := fixed().options()
	o.Registerer = prometheus.NewRegistry()
	if _, err := New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("New registered its metrics twice")
	}
}
