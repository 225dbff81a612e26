package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

const newPhone = `{"macAddress":"0004f2-00.00 01","model":"VVX 450","name":"Hall",
	"lines":[{"line":1,"extensionNumber":"101","label":"Me"},{"line":2,"extensionNumber":"102"}],"settings":{"a":"b"}}`

// TestAnswers compares the answer of every call with its golden file.
func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		house  *house
		req    request
		status int
		where  string // Location
	}{
		{name: "healthz", req: request{call: "GET /healthz", key: "none"}},
		{name: "readyz", req: request{call: "GET /readyz", key: "none"}},
		{name: "phones", req: request{call: "GET /v1/pbx/phones"}},
		{name: "phones-page", req: request{call: "GET /v1/pbx/phones?limit=1"}},
		{name: "phones-empty", house: empty(), req: request{call: "GET /v1/pbx/phones"}},
		{name: "stats", req: request{call: "GET /v1/pbx/phones/stats"}},
		{name: "stats-details", req: request{call: "GET /v1/pbx/phones/stats?details=1"}},
		{name: "phone", req: request{call: "GET /v1/pbx/phones/phone_desk"}},
		{name: "phone-for-reader", req: request{call: "GET /v1/pbx/phones/phone_desk", key: readKey}},
		{name: "phone-seen", req: request{call: "GET /v1/pbx/phones/phone_seen"}},
		{name: "phone-created", status: 201, where: "/v1/pbx/phones/phone_new", req: request{call: "POST /v1/pbx/phones", body: newPhone}},
		{name: "phone-patched", req: request{call: "PATCH /v1/pbx/phones/phone_desk", body: `{"name":null,"model":"VVX 250",
			"macAddress":"0004F2ABCDEF","settings":{"up.oneTouchVoiceMail":null,"new":"1"},"lines":[{"line":1,"extensionNumber":"102"}]}`}},
		{name: "enrollment", req: request{call: "GET /v1/pbx/enrollment"}},
		{name: "enrollment-opened", status: 201, where: "/v1/pbx/enrollment", req: request{call: "POST /v1/pbx/enrollment", body: `{"phones":3,"minutes":30,"subnet":"192.0.2.7/24"}`}},
		{name: "dhcp-servers", req: request{call: "GET /v1/pbx/dhcp/servers"}},
		{name: "history", req: request{call: "GET /v1/pbx/phones/stats/history?hours=1"}},
		{name: "bans", req: request{call: "GET /v1/pbx/bans"}},
		{name: "token", status: 201, req: request{call: "POST /v1/pbx/phones/phone_desk/token"}},
		{name: "config-files", req: request{call: "GET /v1/pbx/phones/phone_desk/config"}},
		{name: "timeline", req: request{call: "GET /v1/pbx/phones/phone_desk/timeline"}},
		{name: "timeline-stuck", house: stuck(), req: request{call: "GET /v1/pbx/phones/phone_desk/timeline?limit=1"}},
		{name: "timeline-empty", req: request{call: "GET /v1/pbx/phones/phone_seen/timeline"}, house: quiet()},
		{name: "extensions", req: request{call: "GET /v1/pbx/extensions"}},
		{name: "extensions-page", req: request{call: "GET /v1/pbx/extensions?limit=2"}},
		{name: "extensions-empty", house: empty(), req: request{call: "GET /v1/pbx/extensions"}},
		{name: "extension", req: request{call: "GET /v1/pbx/extensions/101"}},
		{name: "extension-star", req: request{call: "GET /v1/pbx/extensions/*9%23"}},
		{name: "extension-created", status: 201, where: "/v1/pbx/extensions/%2A7%23", req: request{call: "POST /v1/pbx/extensions", body: `{"number":"*7#","name":"Gate"}`}},
		{name: "extension-moved-in", status: 201, where: "/v1/pbx/extensions/103", req: request{call: "POST /v1/pbx/extensions", body: `{"number":"103","sipUsername":"u","sipPassword":"p"}`}},
		{name: "extension-patched", req: request{call: "PATCH /v1/pbx/extensions/101", body: `{"number":"101","name":"Back Desk"}`}},
		{name: "credentials", req: request{call: "POST /v1/pbx/extensions/101/credentials"}},
		{name: "contacts", req: request{call: "GET /v1/pbx/extensions/101/contacts"}},
		{name: "keys", req: request{call: "GET /v1/pbx/keys"}},
		{name: "keys-page", req: request{call: "GET /v1/pbx/keys?limit=2"}},
		{name: "key-created", status: 201, where: "/v1/pbx/keys/key_new", req: request{call: "POST /v1/pbx/keys", body: `{"name":"ci","scopes":["pbx:phones:read"],"expiresAt":"2027-01-01T01:00:00+01:00"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := tt.house
			if h == nil {
				h = fixed()
			}
			w := send(t, h.handler(t), tt.req)
			if tt.status == 0 {
				tt.status = http.StatusOK
			}
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if got := w.Header().Get("Location"); got != tt.where {
				t.Errorf("Location %q, want %q", got, tt.where)
			}
			golden(t, tt.name, w.Body.Bytes())
		})
	}
}

// stuck is a phone that got its boot file and nothing after it.
func stuck() *house {
	h := fixed()
	h.roster.phones[0].Registered = false
	h.timeline.events = h.timeline.events[1:]
	return h
}

func quiet() *house {
	h := fixed()
	h.timeline.events = nil
	return h
}

// TestSecretsStayIn looks for every password of the cast in the answers that
// must not show it.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	for _, call := range []string{
		"GET /v1/pbx/phones", "GET /v1/pbx/phones/phone_desk", "GET /v1/pbx/phones/phone_desk/timeline",
		"GET /v1/pbx/extensions", "GET /v1/pbx/extensions/101", "PATCH /v1/pbx/extensions/101",
		"GET /v1/pbx/extensions/101/contacts", "GET /v1/pbx/keys",
	} {
		w := send(t, h, request{call: call, body: "{}"})
		if w.Code != 200 {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
		shown := strings.ReplaceAll(w.Body.String(), "hush-setting", "") // shown to who may write it
		if strings.Contains(shown, "hush") || strings.Contains(shown, "sipPassword") || strings.Contains(shown, "do_live") {
			t.Errorf("%s shows a secret: %s", call, w.Body)
		}
	}
	w := send(t, h, request{call: "GET /v1/pbx/phones/phone_desk", key: readKey})
	if w.Code != 200 || strings.Contains(w.Body.String(), "hush") {
		t.Errorf("a reader sees settings: %d %s", w.Code, w.Body)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	h := fixed()
	call := "GET /v1/pbx/phones?registered=false&deviceType=webrtc&manufacturer=Polycom&model=VVX+450&extensionNumber=101" +
		"&macAddress=0004f2abcdef&state=expected&drift=model&q=desk&limit=500&cursor=abc"
	if w := send(t, h.handler(t), request{call: call}); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	no := false
	want := roster.Filter{
		Registered: &no, DeviceType: "webrtc", Manufacturer: "Polycom", Model: "VVX 450", Extension: "101",
		MAC: &deskMAC, State: "expected", DriftKind: "model", Q: "desk",
	}
	if diff := cmp.Diff(want, h.roster.filter); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
	if h.roster.cursor != "abc" || h.roster.limit != 500 {
		t.Errorf("cursor %q limit %d", h.roster.cursor, h.roster.limit)
	}
}

// TestPagesMeet reads all extensions and all keys by twos and ones.
func TestPagesMeet(t *testing.T) {
	t.Parallel()
	h := fixed()
	h.extensions.extensions = []phone.Extension{{Number: "*9#"}, {Number: "101"}, {Number: "102"}}
	handler := h.handler(t)
	for _, list := range []struct {
		path, item string
		want       []string
	}{
		{"/v1/pbx/extensions", "number", []string{"*9#", "101", "102"}},
		{"/v1/pbx/keys", "id", []string{"key_admin", "key_expired", "key_reader"}},
	} {
		for _, limit := range []string{"1", "2", "3"} {
			if diff := cmp.Diff(list.want, readAll(t, handler, list.path, list.item, limit)); diff != "" {
				t.Errorf("%s by %s (-want +got):\n%s", list.path, limit, diff)
			}
		}
	}
}

func TestManufacturer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, mac, given string
		want             phone.Vendor
	}{
		{"from the OUI", "00:04:f2:00:00:01", "", phone.Polycom},
		{"given, any case", "02:00:00:00:00:01", "YEALINK", phone.Yealink},
		{"given wins", "00:04:f2:00:00:01", "Grandstream", phone.Grandstream},
		{"unknown OUI", "02:00:00:00:00:01", "", ""},
		{"maker without files", "00:04:13:00:00:01", "", ""},
		{"unknown name", "00:04:f2:00:00:01", "Acme", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newServer(fixed().options())
			if err != nil {
				t.Fatal(err)
			}
			var d phone.Device
			err = s.newDevice(&d, phoneInput{MACAddress: tt.mac, Manufacturer: tt.given})
			if d.Vendor != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("vendor %q, %v", d.Vendor, err)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	h := fixed()
	handler := h.handler(t)
	for _, call := range []string{
		"DELETE /v1/pbx/phones/phone_desk", "DELETE /v1/pbx/phones/phone_seen",
		"DELETE /v1/pbx/extensions/102", "DELETE /v1/pbx/keys/key_reader",
	} {
		if w := send(t, handler, request{call: call}); w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
	if len(h.devices.devices) != 0 {
		t.Error("the device is still there")
	}
	if diff := cmp.Diff([]string{"phone_seen"}, h.roster.forgotten); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
}

func TestExplainedFile(t *testing.T) {
	t.Parallel()
	w := send(t, fixed().handler(t), request{call: "GET /v1/pbx/phones/phone_desk/config?file=0004f2abcdef.cfg&explain=1"})
	want := `{"file":"0004f2abcdef.cfg","lines":[{"text":"<APPLICATION password=\"[redacted]\"/>","layer":"global","template":"yealink-phone","templateLine":3,"settings":["ntp"]}]}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
	for query, code := range map[string]int{"file=0004f2000000.cfg&explain=1": 404, "file=0004f2abcdef.cfg&explain=x": 422} {
		if w := send(t, fixed().handler(t), request{call: "GET /v1/pbx/phones/phone_desk/config?" + query}); w.Code != code {
			t.Errorf("%s: %d, want %d", query, w.Code, code)
		}
	}
}

func TestConfigPreview(t *testing.T) {
	t.Parallel()
	w := send(t, fixed().handler(t), request{call: "GET /v1/pbx/phones/phone_desk/config?file=0004f2abcdef.cfg"})
	if w.Code != 200 || !strings.Contains(w.Body.String(), "APPLICATION") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q: a browser would run it", got)
	}
}
