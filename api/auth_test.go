package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func keyWith(text string, scopes ...string) phone.APIKey {
	return phone.APIKey{ID: "key_" + text, Hash: sha256.Sum256([]byte(text)), Scopes: scopes}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	const plain, invalid = `Bearer realm="dialtone"`, `Bearer realm="dialtone", error="invalid_token"`
	tests := []struct {
		name, header string
		status       int
		challenge    string
	}{
		{"admin", "Bearer " + adminKey, 200, ""},
		{"scheme in any case", "bearer " + adminKey, 200, ""},
		{"blanks", "Bearer   " + adminKey + " ", 200, ""},
		{"none", "", 401, plain},
		{"scheme only", "Bearer", 401, plain},
		{"empty token", "Bearer ", 401, plain},
		{"other scheme", "Basic " + adminKey, 401, plain},
		{"unknown", "Bearer do_live_nobody", 401, invalid},
		{"expired", "Bearer " + oldKey, 401, invalid},
		{"not one of ours", "Bearer admin", 401, invalid},
		{"long", "Bearer do_live_" + string(make([]byte, 4096)), 401, invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := send(t, fixed().handler(t), request{call: "GET /v1/pbx/phones", key: "none", header: map[string]string{"Authorization": tt.header}})
			if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("%d %q: %s", w.Code, w.Header().Get("WWW-Authenticate"), w.Body)
			}
		})
	}
}

// TestScopes calls every route with a key that has all scopes but the route's
// own, and without a key.
func TestScopes(t *testing.T) {
	t.Parallel()
	s, err := newServer(fixed().options())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.routes() {
		if r.scope == "" {
			continue
		}
		var others []string
		for _, scope := range Scopes() {
			if scope != r.scope {
				others = append(others, scope)
			}
		}
		h := fixed()
		h.keys.keys = []phone.APIKey{keyWith("do_live_others", others...)}
		w := send(t, h.handler(t), request{call: r.method + " " + r.path, key: "do_live_others", body: "{}"})
		want := fmt.Sprintf(`Bearer realm="dialtone", error="insufficient_scope", scope=%q`, r.scope)
		if w.Code != http.StatusForbidden || w.Header().Get("WWW-Authenticate") != want {
			t.Errorf("%s %s: %d %q", r.method, r.path, w.Code, w.Header().Get("WWW-Authenticate"))
		}
		if w := send(t, h.handler(t), request{call: r.method + " " + r.path, key: "none"}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s %s without a key: %d", r.method, r.path, w.Code)
		}
	}
}

// TestHashIsComparedAgain: a store that finds by prefix must not admit anybody.
func TestHashIsComparedAgain(t *testing.T) {
	t.Parallel()
	h := fixed()
	o := h.options()
	o.Keys = careless{h.keys}
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if w := send(t, handler, request{call: "GET /v1/pbx/phones", key: "do_live_guess"}); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
}

func TestGuessingIsLimited(t *testing.T) {
	t.Parallel()
	now := noon
	h := fixed()
	o := h.options()
	o.Now = func() time.Time { return now }
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	list := func(key string) *httptest.ResponseRecorder {
		return send(t, handler, request{call: "GET /v1/pbx/phones", key: key})
	}
	if w := list(adminKey); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i := range failureBurst {
		if w := list(fmt.Sprintf("do_live_guess%d", i)); w.Code != 401 {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	asked := h.keys.asked
	w := list("do_live_guess")
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || h.keys.asked != asked {
		t.Errorf("%d, Retry-After %q, the store was asked %d times more", w.Code, w.Header().Get("Retry-After"), h.keys.asked-asked)
	}
	if w := list(adminKey); w.Code != 200 {
		t.Errorf("a key known to be good is locked out: %d", w.Code)
	}
	now = now.Add(2 * time.Second)
	if w := list("do_live_guess"); w.Code != 401 {
		t.Errorf("after waiting: %d", w.Code)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	f := newFailureLimiter()
	for i := range maxSources + 10 {
		f.failed(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32), noon)
	}
	if len(f.sources) != maxSources {
		t.Errorf("%d sources", len(f.sources))
	}
	f.failed(netip.MustParsePrefix("192.0.2.1/32"), noon.Add(time.Hour))
	if len(f.sources) != 1 {
		t.Errorf("%d sources after an hour of peace", len(f.sources))
	}
	for i := range maxKnownHashes + 10 {
		f.good(sha256.Sum256([]byte{byte(i >> 8), byte(i)}))
	}
	if len(f.known) > maxKnownHashes {
		t.Errorf("%d known hashes", len(f.known))
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:99":           "192.0.2.1/32",
		"[::ffff:192.0.2.1]:99":  "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:99": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:99":      "fe80::/64",
		"@":                      "invalid Prefix",
	} {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
		if got := sourceOf(r).String(); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
}

// careless finds the first key whatever the text.
type careless struct{ *fakeKeys }

func (c careless) KeyByText(context.Context, string) (phone.APIKey, error) { return c.keys[0], nil }
