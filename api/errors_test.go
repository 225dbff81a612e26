package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// TestErrors has one line for each way a call can fail. fields are the fields
// the answer must name, in order.
func TestErrors(t *testing.T) {
	t.Parallel()
	phones, desk, ext := "POST /v1/pbx/phones", "PATCH /v1/pbx/phones/phone_desk", "POST /v1/pbx/extensions"
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	tests := []struct {
		name   string
		house  *house
		req    request
		status int
		fields string
	}{
		{name: "no route", req: request{call: "GET /v2"}, status: 404},
		{name: "unclean path is not redirected", req: request{call: "GET /v1//pbx/phones"}, status: 404},
		{name: "trailing slash", req: request{call: "GET /v1/pbx/phones/"}, status: 404},
		{name: "method", req: request{call: "PUT /v1/pbx/phones"}, status: 405},
		{name: "no key", req: request{call: "GET /v1/pbx/phones", key: "none"}, status: 401},
		{name: "unknown key", req: request{call: "GET /v1/pbx/phones", key: "do_live_x"}, status: 401},
		{name: "scope", req: request{call: ext, key: readKey}, status: 403},
		{name: "write does not imply read", house: writer(), req: request{call: "GET /v1/pbx/phones", key: "do_live_writer"}, status: 403},

		{name: "limit 0", req: request{call: "GET /v1/pbx/phones?limit=0"}, status: 422, fields: "limit"},
		{name: "limit 501", req: request{call: "GET /v1/pbx/extensions?limit=501"}, status: 422, fields: "limit"},
		{name: "limit text", req: request{call: "GET /v1/pbx/keys?limit=many"}, status: 422, fields: "limit"},
		{name: "bad cursor", req: request{call: "GET /v1/pbx/extensions?cursor=%21"}, status: 422, fields: "cursor"},
		{name: "bad filters", req: request{call: "GET /v1/pbx/phones?registered=maybe&deviceType=fax&state=odd&macAddress=1&drift=odd"}, status: 422, fields: "drift registered deviceType macAddress state"},
		{name: "unknown parameter", req: request{call: "GET /v1/pbx/phones?maker=Polycom"}, status: 422, fields: "maker"},
		{name: "hours 0", req: request{call: "GET /v1/pbx/phones/stats/history?hours=0"}, status: 422, fields: "hours"},
		{name: "hours 25", req: request{call: "GET /v1/pbx/phones/stats/history?hours=25"}, status: 422, fields: "hours"},
		{name: "audit from when", req: request{call: "GET /v1/pbx/audit?from=yesterday&to=1"}, status: 422, fields: "from to"},
		{name: "settings of a phone", req: request{call: "GET /v1/pbx/phones/phone_desk?settings=1"}, status: 422, fields: "settings"},
		{name: "DHCP servers take nothing", req: request{call: "GET /v1/pbx/dhcp/servers?q=1"}, status: 422, fields: "q"},
		{name: "a reader lifts a ban", req: request{call: "DELETE /v1/pbx/bans?source=203.0.113.9", key: readKey}, status: 403},
		{name: "parameter twice", req: request{call: "GET /v1/pbx/phones?q=a&q=b"}, status: 422, fields: "q"},
		{name: "unknown parameter of a POST", req: request{call: phones + "?dryRun=1", body: `{}`}, status: 422, fields: "dryRun"},
		{name: "broken query", req: request{call: "GET /v1/pbx/phones?q=%zz"}, status: 400},

		{name: "empty body", req: request{call: phones}, status: 400},
		{name: "not JSON", req: request{call: phones, body: `{"macAddress":`}, status: 400},
		{name: "two values", req: request{call: phones, body: `{} {}`}, status: 400},
		{name: "not an object", req: request{call: phones, body: `[]`}, status: 422, fields: "body"},
		{name: "form", req: request{call: phones, body: `a=b`, header: form}, status: 400},
		{name: "text", req: request{call: phones, body: `{}`, header: map[string]string{"Content-Type": "text/plain"}}, status: 415},
		{name: "not UTF-8", req: request{call: phones, body: "{\"name\":\"\xff\"}"}, status: 400},
		{name: "a name twice", req: request{call: phones, body: `{"name":"a","name":"b"}`}, status: 422, fields: "name"},
		{name: "a name twice inside", req: request{call: phones, body: `{"lines":[{"line":1},{"line":1,"line":2}]}`}, status: 422, fields: "line"},
		{name: "line 0", req: request{call: phones, body: `{"macAddress":"0004f2000001","lines":[{"line":0,"extensionNumber":"101"}]}`}, status: 422, fields: "lines[0].line"},
		{name: "broadcast", req: request{call: phones, body: `{"macAddress":"ffffffffffff","manufacturer":"Yealink"}`}, status: 422, fields: "macAddress"},
		{name: "multicast", req: request{call: phones, body: `{"macAddress":"01005e000001","manufacturer":"Yealink"}`}, status: 422, fields: "macAddress"},
		{name: "merge patch on POST", req: request{call: phones, body: `{}`, header: map[string]string{"Content-Type": patchType}}, status: 415},
		{name: "too large", req: request{call: phones, body: `{"name":"` + strings.Repeat("x", maxBody) + `"}`}, status: 413},

		{name: "unknown fields", req: request{call: phones, body: `{"mac":"1","lines":[{"line":1,"extensionNumber":"1","lable":""}]}`}, status: 422, fields: "lines[0].lable mac"},
		{name: "case of a field", req: request{call: phones, body: `{"MACAddress":"0004f2000001"}`}, status: 422, fields: "MACAddress"},
		{name: "wrong types", req: request{call: phones, body: `{"model":1,"lines":{},"settings":[],"name":true,"macAddress":{}}`}, status: 422, fields: "lines macAddress model name settings"},
		{name: "wrong types inside", req: request{call: phones, body: `{"lines":[{"line":"1"},{"line":1.5},null,7],"settings":{"a":[1]}}`}, status: 422, fields: "lines[0].line lines[1].line lines[2] lines[3] settings.a"},
		{name: "no MAC address", req: request{call: phones, body: `{}`}, status: 422, fields: "macAddress"},
		{name: "bad MAC address", req: request{call: phones, body: `{"macAddress":"zz"}`}, status: 422, fields: "macAddress"},
		{name: "MAC address of zeros", req: request{call: phones, body: `{"macAddress":"000000000000"}`}, status: 422, fields: "macAddress"},
		{name: "maker not known", req: request{call: phones, body: `{"macAddress":"020000000001"}`}, status: 422, fields: "manufacturer"},
		{name: "maker not ours", req: request{call: phones, body: `{"macAddress":"0004f2000001","manufacturer":"Acme"}`}, status: 422, fields: "manufacturer"},
		{name: "store finds a field wrong", house: failing(phone.Invalid("lines[0].extensionNumber", "there is no such extension")), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 422, fields: "lines[0].extensionNumber"},
		{name: "store says invalid", house: failing(fmt.Errorf("create: %w", phone.ErrInvalid)), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 422},
		{name: "id with a NUL", req: request{call: "GET /v1/pbx/phones/phone_%00"}, status: 404},
		{name: "id without an end", req: request{call: "GET /v1/pbx/phones/" + strings.Repeat("x", 300)}, status: 404},
		{name: "the database is away", house: failing(fmt.Errorf("create: %w", phone.ErrUnavailable)), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 503},
		{name: "the disk is full", house: failing(fmt.Errorf("create: %w", phone.ErrFull)), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 507},
		{name: "no space for a file", house: failing(fmt.Errorf("create: %w", syscall.ENOSPC)), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 507},
		{name: "MAC address is taken", house: failing(fmt.Errorf("create: %w", phone.ErrConflict)), req: request{call: phones, body: `{"macAddress":"0004f2000001"}`}, status: 409},

		{name: "no phone", req: request{call: "GET /v1/pbx/phones/phone_x"}, status: 404},
		{name: "no phone to change", req: request{call: "PATCH /v1/pbx/phones/phone_x", body: `{}`}, status: 404},
		{name: "a seen phone cannot be changed", req: request{call: "PATCH /v1/pbx/phones/phone_seen", body: `{}`}, status: 404},
		{name: "no phone to delete", req: request{call: "DELETE /v1/pbx/phones/phone_x"}, status: 404},
		{name: "the roster is behind", house: behind(), req: request{call: "GET /v1/pbx/phones/phone_desk"}, status: 404},
		{name: "nothing to forget when the roster is behind", house: behind(), req: request{call: "DELETE /v1/pbx/phones/phone_desk"}, status: 404},
		{name: "MAC address changed", req: request{call: desk, body: `{"macAddress":"0004f2000001"}`}, status: 422, fields: "macAddress"},
		{name: "MAC address removed", req: request{call: desk, body: `{"macAddress":null}`}, status: 422, fields: "macAddress"},
		{name: "read-only field changed", req: request{call: desk, body: `{"registered":null}`}, status: 422, fields: "registered"},
		{name: "patch of a wrong type", req: request{call: desk, body: `{"settings":{"a":{"b":"c"}}}`}, status: 422, fields: "settings.a"},
		{name: "no config of a seen phone", req: request{call: "GET /v1/pbx/phones/phone_seen/config"}, status: 404},
		{name: "no such file", req: request{call: "GET /v1/pbx/phones/phone_desk/config?file=../x"}, status: 404},
		{name: "no timeline", req: request{call: "GET /v1/pbx/phones/phone_x/timeline"}, status: 404},

		{name: "no extension", req: request{call: "GET /v1/pbx/extensions/999"}, status: 404},
		{name: "no extension to change", req: request{call: "PATCH /v1/pbx/extensions/999", body: `{}`}, status: 404},
		{name: "no extension to delete", req: request{call: "DELETE /v1/pbx/extensions/999"}, status: 404},
		{name: "no extension to rotate", req: request{call: "POST /v1/pbx/extensions/999/credentials"}, status: 404},
		{name: "no extension to ring", req: request{call: "GET /v1/pbx/extensions/999/contacts"}, status: 404},
		{name: "number changed", req: request{call: "PATCH /v1/pbx/extensions/101", body: `{"number":"102"}`}, status: 422, fields: "number"},
		{name: "password by patch", req: request{call: "PATCH /v1/pbx/extensions/101", body: `{"sipPassword":"x"}`}, status: 422, fields: "sipPassword"},

		{name: "no key to revoke", req: request{call: "DELETE /v1/pbx/keys/key_x"}, status: 404},
		{name: "key with a bad time", req: request{call: "POST /v1/pbx/keys", body: `{"scopes":["pbx:keys:write"],"expiresAt":"soon"}`}, status: 422, fields: "expiresAt"},
		{name: "key over its maker", house: writer(), req: request{call: "POST /v1/pbx/keys", key: "do_live_writer", body: `{"scopes":["pbx:phones:read"]}`}, status: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := tt.house
			if h == nil {
				h = fixed()
			}
			w := send(t, h.handler(t), tt.req)
			p := problemIn(t, w.Code, tt.status, w.Header(), w.Body.Bytes())
			var fields []string
			for _, f := range p.Errors {
				fields = append(fields, f.Field)
			}
			if diff := cmp.Diff(tt.fields, strings.Join(fields, " ")); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBrokenStores: whatever a store says, the client learns nothing of it.
func TestBrokenStores(t *testing.T) {
	t.Parallel()
	for _, req := range []request{
		{call: "GET /v1/pbx/phones"},
		{call: "POST /v1/pbx/phones", body: newPhone},
		{call: "GET /v1/pbx/phones/phone_desk"},
		{call: "PATCH /v1/pbx/phones/phone_desk", body: `{}`},
		{call: "DELETE /v1/pbx/phones/phone_desk"},
		{call: "GET /v1/pbx/phones/phone_desk/config"},
		{call: "GET /v1/pbx/phones/phone_desk/timeline"},
		{call: "GET /v1/pbx/extensions"},
		{call: "POST /v1/pbx/extensions", body: `{"number":"1"}`},
		{call: "GET /v1/pbx/extensions/101"},
		{call: "PATCH /v1/pbx/extensions/101", body: `{}`},
		{call: "DELETE /v1/pbx/extensions/101"},
		{call: "POST /v1/pbx/extensions/101/credentials"},
		{call: "GET /v1/pbx/extensions/101/contacts"},
	} {
		w := send(t, broken().handler(t), req)
		p := problemIn(t, w.Code, http.StatusInternalServerError, w.Header(), w.Body.Bytes())
		if p.Detail != "" || strings.Contains(w.Body.String(), "5432") {
			t.Errorf("%s tells too much: %s", req.call, w.Body)
		}
	}
}

// TestStoreOfKeysFails: not to know is not to admit, and not a 401 either.
func TestStoreOfKeysFails(t *testing.T) {
	t.Parallel()
	h := fixed()
	h.keys.err = errors.New("down")
	w := send(t, h.handler(t), request{call: "GET /v1/pbx/phones"})
	problemIn(t, w.Code, http.StatusInternalServerError, w.Header(), w.Body.Bytes())
}

// TestProblemGolden keeps the shape of the two problems clients read most.
func TestProblemGolden(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	golden(t, "problem-fields", send(t, h, request{call: "POST /v1/pbx/phones", body: `{"macAddress":1,"lines":[{"line":"x"}]}`}).Body.Bytes())
	golden(t, "problem-not-found", send(t, h, request{call: "GET /v1/pbx/phones/phone_x"}).Body.Bytes())
	taken := failing(fmt.Errorf("phone %s exists already: %w", deskMAC, phone.ErrConflict)).handler(t)
	golden(t, "problem-conflict", send(t, taken, request{call: "POST /v1/pbx/phones", body: `{"macAddress":"0004f2abcdef"}`}).Body.Bytes())
	golden(t, "problem-scope", send(t, h, request{call: "GET /v1/pbx/keys", key: readKey}).Body.Bytes())
}

// TestLargeWrongBody: the answer to a thousand mistakes is still small.
func TestLargeWrongBody(t *testing.T) {
	t.Parallel()
	body := `{"lines":[` + strings.Repeat(`{"line":"x"},`, 10000) + `{}]}`
	w := send(t, fixed().handler(t), request{call: "POST /v1/pbx/phones", body: body})
	if w.Code != 422 || w.Body.Len() > 10_000 {
		t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
	}
}

// problemIn checks status and type of a problem and returns it.
func problemIn(t *testing.T, got, want int, h http.Header, body []byte) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("status %d, want %d, and not a problem: %s", got, want, body)
	}
	if got != want || p.Status != want || p.Title != http.StatusText(want) || p.Type != "about:blank" {
		t.Errorf("status %d, want %d: %s", got, want, body)
	}
	if h.Get("Content-Type") != "application/problem+json" {
		t.Errorf("Content-Type %q", h.Get("Content-Type"))
	}
	return p
}

// writer has a key that may write phones and keys and nothing else.
func writer() *house {
	h := fixed()
	h.keys.keys = append(h.keys.keys, keyWith("do_live_writer", phonesWrite, keysWrite))
	return h
}

// failing has an inventory that answers with err.
func failing(err error) *house {
	h := fixed()
	h.devices.err = err
	return h
}

// behind has a roster that still lists a device that is gone.
func behind() *house {
	h := fixed()
	h.devices.devices = nil
	return h
}
