package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/feed"
	"pbx.dev/dialtone/internal/phone"
)

// listener is a client of the stream.
type listener struct {
	t     *testing.T
	lines *bufio.Scanner
	stop  func()
}

func (h *house) server(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h.handler(t))
	t.Cleanup(srv.Close)
	return srv
}

func listenTo(t *testing.T, srv *httptest.Server, query, last string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/pbx/events"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	l := &listener{t: t, lines: bufio.NewScanner(res.Body), stop: cancel}
	l.next(": listening")
	return l
}

// next skips to the line that begins so and returns what follows.
func (l *listener) next(prefix string) string {
	l.t.Helper()
	for l.lines.Scan() {
		if rest, ok := strings.CutPrefix(l.lines.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	l.t.Fatalf("the stream ended before %q: %v", prefix, l.lines.Err())
	return ""
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := fixed()
	h.feed = newFeed(4)
	srv := h.server(t)
	all, desk := listenTo(t, srv, "", ""), listenTo(t, srv, "?phoneId=phone_desk", "")
	h.feed.Publish(phone.Event{At: noon, Kind: phone.EventFile, DeviceID: "phone_2", Path: "/y.cfg", Outcome: "ok"})
	h.feed.Publish(phone.Event{At: noon, Kind: phone.EventRegister, DeviceID: "phone_desk", Outcome: "ok"})
	if got := all.next("event:"); got != "provisioning" {
		t.Error(got)
	}
	id := all.next("id:")
	if got := all.next("data:"); !strings.Contains(got, `"path":"/y.cfg"`) || !strings.Contains(got, `"at":"2026-09-01T12:00:00Z"`) {
		t.Error(got)
	}
	if got := desk.next("event:"); got != "registration" {
		t.Error(got)
	}
	all.stop()

	again := listenTo(t, srv, "", id) // goes on after it
	if got := again.next("data:"); !strings.Contains(got, `"phoneId":"phone_desk"`) {
		t.Error(got)
	}
	h.feed.Put(feed.Item{Lost: true})
	if got := again.next("event:"); got != "lost" {
		t.Errorf("events of other nodes are missing and the client is told %q", got)
	}
	for range 9 {
		h.feed.Publish(phone.Event{Kind: phone.EventCall})
	}
	late := listenTo(t, srv, "", id)
	if got := late.next("event:"); got != "lost" {
		t.Errorf("events are missing and the client is told %q", got)
	}
	if got := late.next("event:"); got != "call" {
		t.Error(got)
	}
	listenTo(t, srv, "", "17").next("event: lost") // of an earlier run
	h.feed.Close()
	late.next(": the server stops")
}

func TestEventsRefused(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	answer[problem](t, h, "GET /v1/pbx/events?colour=red", "", 422)
	w := send(t, h, request{call: "GET /v1/pbx/events", header: map[string]string{"Last-Event-ID": "first"}})
	if w.Code != 422 {
		t.Error(w.Code)
	}
	if w := send(t, h, request{call: "HEAD /v1/pbx/events"}); w.Code != 200 {
		t.Error(w.Code)
	}
	house := fixed()
	srv := house.server(t)
	for range maxStreams {
		listenTo(t, srv, "", "")
	}
	if w := send(t, srv.Config.Handler, request{call: "GET /v1/pbx/events"}); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
	house.feed.Close()
}
