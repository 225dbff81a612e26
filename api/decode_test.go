package api

import (
	"net/http"
	"strings"
	"testing"
)

// TestContentTypes: what curl says unless it is told is taken from whoever has the
// key, and not from a page, which another site's form could have made the browser send.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	handler := fixed().handler(t)
	login := send(t, handler, request{call: "POST /v1/pbx/session", key: "none", body: `{"key":"` + adminKey + `"}`})
	if login.Code != http.StatusOK {
		t.Fatalf("no session: %d %s", login.Code, login.Body)
	}
	cookie, _, _ := strings.Cut(login.Header().Get("Set-Cookie"), ";")
	for _, tt := range []struct {
		name, call, body string
		header           map[string]string
		key              string
		want             int
	}{
		{name: "JSON", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}, want: 200},
		{name: "none", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": ""}, want: 200},
		{name: "curl -d", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": formType}, want: 200},
		{name: "curl --data-binary", call: "POST /v1/pbx/phones/import?dryRun=1", body: "mac\n", header: map[string]string{"Content-Type": formType}, want: 200},
		{name: "CSV without a type", call: "POST /v1/pbx/phones/import?dryRun=1", body: "mac\n", header: map[string]string{"Content-Type": ""}, want: 200},
		{name: "form with a session", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": formType, "Cookie": cookie}, key: "none", want: 415},
		{name: "JSON with a session", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": jsonType, "Cookie": cookie}, key: "none", want: 200},
		{name: "XML", call: "PATCH /v1/pbx/extensions/101", body: `{}`, header: map[string]string{"Content-Type": "application/xml"}, want: 415},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := send(t, handler, request{call: tt.call, body: tt.body, header: tt.header, key: tt.key})
			if w.Code != tt.want {
				t.Errorf("%d, want %d: %s", w.Code, tt.want, w.Body)
			}
		})
	}
}
