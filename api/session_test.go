package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func login(t *testing.T, h http.Handler, body string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, h, request{call: "POST /v1/pbx/session", key: "none", body: body, header: header})
}

// The cookie of a login stands for the key, on this site only and until it is over.
func TestSession(t *testing.T) {
	t.Parallel()
	house := fixed()
	o := house.options()
	now := noon
	o.Now = func() time.Time { return now }
	o.SessionKey = []byte(strings.Repeat("k", 32))
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := login(t, handler, `{"key":"`+adminKey+`"}`, map[string]string{"Sec-Fetch-Site": "same-origin"})
	cookies := w.Result().Cookies()
	if w.Code != http.StatusOK || len(cookies) != 1 || strings.Contains(w.Body.String()+cookies[0].Value, adminKey) {
		t.Fatalf("%d %s %v", w.Code, w.Body, cookies)
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	cookie := sessionCookie + "=" + cookies[0].Value
	for _, tt := range []struct {
		name, call, cookie, site string
		want                     int
	}{
		{"read", "GET /v1/pbx/phones", cookie, "same-origin", http.StatusOK},
		{"write", "DELETE /v1/pbx/phones/phone_desk", cookie, "same-origin", http.StatusNoContent},
		{"write from another site", "DELETE /v1/pbx/phones/phone_desk", cookie, "cross-site", http.StatusUnauthorized},
		{"write from a sister site", "DELETE /v1/pbx/phones/phone_desk", cookie, "same-site", http.StatusUnauthorized},
		{"forged", "GET /v1/pbx/phones", cookie[:len(cookie)-2] + "AA", "same-origin", http.StatusUnauthorized},
		{"nonsense", "GET /v1/pbx/phones", sessionCookie + "=x", "same-origin", http.StatusUnauthorized},
		{"who", "GET /v1/pbx/session", cookie, "same-origin", http.StatusOK},
		{"nobody", "GET /v1/pbx/session", "", "same-origin", http.StatusUnauthorized},
	} {
		w := send(t, handler, request{call: tt.call, key: "none", header: map[string]string{"Cookie": tt.cookie, "Sec-Fetch-Site": tt.site}})
		if w.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
	now = now.Add(sessionLife)
	if w := send(t, handler, request{call: "GET /v1/pbx/phones", key: "none", header: map[string]string{"Cookie": cookie}}); w.Code != http.StatusUnauthorized {
		t.Errorf("after its end: %d", w.Code)
	}
	w = send(t, handler, request{call: "DELETE /v1/pbx/session", key: "none"})
	if c := w.Result().Cookies(); w.Code != http.StatusNoContent || len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("log out: %d %v", w.Code, c)
	}
}

// A key that is revoked ends its sessions.
func TestSessionOfARevokedKey(t *testing.T) {
	t.Parallel()
	house := fixed()
	handler := house.handler(t)
	cookie := login(t, handler, `{"key":"`+adminKey+`"}`, nil).Result().Cookies()[0]
	house.keys.keys = nil
	w := send(t, handler, request{call: "GET /v1/pbx/phones", key: "none", header: map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}})
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// endedSessions is Sessions in memory.
type endedSessions struct{ over map[string]time.Time }

func (e endedSessions) EndSession(_ context.Context, id string, over time.Time) error {
	e.over[id] = over
	return nil
}

func (e endedSessions) SessionEnded(_ context.Context, id string) (bool, error) {
	_, ended := e.over[id]
	return ended, nil
}

// A cookie that somebody has copied is worth nothing after the log out, and other
// sessions of the key go on.
func TestLogOutEndsTheSession(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	ended := endedSessions{map[string]time.Time{}}
	o.Sessions = ended
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []map[string]string
	for range 2 {
		c := login(t, handler, `{"key":"`+adminKey+`"}`, nil).Result().Cookies()[0]
		cookies = append(cookies, map[string]string{"Cookie": c.Name + "=" + c.Value, "Sec-Fetch-Site": "same-origin"})
	}
	list := func(cookie map[string]string) int {
		return send(t, handler, request{call: "GET /v1/pbx/phones", key: "none", header: cookie}).Code
	}
	stranger := map[string]string{"Cookie": cookies[0]["Cookie"], "Sec-Fetch-Site": "cross-site"}
	if w := send(t, handler, request{call: "DELETE /v1/pbx/session", key: "none", header: stranger}); w.Code != http.StatusForbidden || list(cookies[0]) != http.StatusOK {
		t.Errorf("another site: %d", w.Code)
	}
	if w := send(t, handler, request{call: "DELETE /v1/pbx/session", key: "none", header: cookies[0]}); w.Code != http.StatusNoContent {
		t.Fatalf("log out: %d %s", w.Code, w.Body)
	}
	if got := []int{list(cookies[0]), list(cookies[1])}; got[0] != http.StatusUnauthorized || got[1] != http.StatusOK {
		t.Errorf("the session that ended, the other: %v", got)
	}
	for _, over := range ended.over {
		if !over.Equal(noon.Add(sessionLife)) {
			t.Errorf("kept until %v", over)
		}
	}
	if w := send(t, handler, request{call: "DELETE /v1/pbx/session", key: "none", header: cookies[0]}); w.Code != http.StatusNoContent || len(ended.over) != 1 {
		t.Errorf("again: %d, %d kept", w.Code, len(ended.over))
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	handler := fixed().handler(t)
	for _, tt := range []struct {
		name, body string
		header     map[string]string
		want       int
	}{
		{"wrong key", `{"key":"do_live_wrong"}`, nil, http.StatusUnauthorized},
		{"no key", `{}`, nil, http.StatusUnprocessableEntity},
		{"another site", `{"key":"` + adminKey + `"}`, map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"another origin", `{"key":"` + adminKey + `"}`, map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
	} {
		if w := login(t, handler, tt.body, tt.header); w.Code != tt.want || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
}
