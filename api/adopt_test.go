package api

import (
	"net/http"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// A phone that waits is adopted under the id it is listed by, by that id or by the
// code it shows.
func TestAdopt(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.do(201, "POST /v1/pbx/extensions", `{"number":"101"}`)
	ask := func(mac phone.MAC) string {
		c.list.Waiting(phone.Event{Kind: phone.EventFile, MAC: mac, UserAgent: "Yealink SIP-T46S 66.86.0.15 " + mac.String(), Source: "192.0.2.5:1"})
		list := c.do(200, "GET /v1/pbx/phones?state=pending&macAddress="+mac.String(), "")["phones"].([]any)
		if len(list) != 1 {
			t.Fatalf("pending: %v", list)
		}
		return list[0].(map[string]any)["id"].(string)
	}
	byID, byCode := phone.MAC{0x80, 0x5e, 0xc0, 0, 0, 8}, phone.MAC{0x80, 0x5e, 0xc0, 0, 0, 9} // fakeDesk knows the second
	id := ask(byID)
	for body, want := range map[string]string{
		`{"extensionNumber":"999"}`: "extensionNumber", `{}`: "extensionNumber", `{"extensionNumber":"x y"}`: "extensionNumber", `{"extension":"101"}`: "extension",
	} {
		if p := c.do(422, "POST /v1/pbx/phones/"+id+"/adopt", body); field(p) != want {
			t.Errorf("%s: %v", body, p)
		}
	}
	a := c.do(200, "POST /v1/pbx/phones/"+id+"/adopt", `{"extensionNumber":"101"}`)
	if a["id"] != id || a["extensionNumber"] != "101" || a["macAddress"] != byID.String() || a["state"] != "expected" || a["model"] != "T46S" || a["manufacturer"] != "Yealink" {
		t.Errorf("adopted: %v", a)
	}
	if a := c.do(200, "GET /v1/pbx/phones/"+id, ""); a["extensionNumber"] != "101" {
		t.Errorf("read again: %v", a)
	}
	c.do(409, "POST /v1/pbx/phones/"+id+"/adopt", `{"extensionNumber":"101"}`)
	c.do(404, "POST /v1/pbx/phones/phone_none/adopt", `{"extensionNumber":"101"}`)

	id = ask(byCode)
	if p := c.do(422, "POST /v1/pbx/phones/adopt", `{"claimCode":"000000","extensionNumber":"101"}`); field(p) != "claimCode" {
		t.Errorf("wrong code: %v", p)
	}
	if a := c.do(200, "POST /v1/pbx/phones/adopt", `{"claimCode":"123456","extensionNumber":"101"}`); a["id"] != id || a["macAddress"] != byCode.String() {
		t.Errorf("adopted: %v", a)
	}

	// A provisioned phone without lines waits as well.
	d := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"80:5e:c0:00:00:10"}`)
	if a := c.do(200, "POST /v1/pbx/phones/"+d["id"].(string)+"/adopt", `{"extensionNumber":"101"}`); a["extensionNumber"] != "101" {
		t.Errorf("adopted: %v", a)
	}
}

func TestEnrollmentCalls(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if a := c.do(200, "GET /v1/pbx/enrollment", ""); a["open"] != false {
		t.Errorf("%v", a)
	}
	c.do(404, "DELETE /v1/pbx/enrollment", "")
	for body, want := range map[string]string{
		`{"phones":-1}`: "phones", `{"phones":10001}`: "phones", `{"minutes":10081}`: "minutes", `{"subnet":"here"}`: "subnet", `{"mode":"open"}`: "mode",
	} {
		if p := c.do(422, "POST /v1/pbx/enrollment", body); field(p) != want {
			t.Errorf("%s: %v", body, p)
		}
	}
	if a := c.do(201, "POST /v1/pbx/enrollment", `{}`); a["open"] != true || a["phones"] != 10.0 || a["mode"] != "pending" {
		t.Errorf("%v", a)
	}
	c.do(409, "POST /v1/pbx/enrollment", `{"phones":2}`)
	c.do(204, "DELETE /v1/pbx/enrollment", "")
	if a := c.do(201, "POST /v1/pbx/enrollment", `{"phones":2,"mode":"auto","subnet":"2001:db8::1/64"}`); a["subnet"] != "2001:db8::/64" || a["mode"] != "auto" {
		t.Errorf("%v", a)
	}
}

func TestBansForAFirewall(t *testing.T) {
	t.Parallel()
	w := send(t, fixed().handler(t), request{call: "GET /v1/pbx/bans", header: map[string]string{"Accept": "text/plain"}})
	if w.Code != 200 || w.Body.String() != "203.0.113.9\n" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%d %s %q", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
}

func TestLiftBan(t *testing.T) {
	t.Parallel()
	h := fixed().handler(t)
	for call, want := range map[string]int{"?source=203.0.113.9": 204, "?source=203.0.113.8": 404, "": 422, "?source=": 422, "?source=203.0.113.9&x=1": 422} {
		if w := send(t, h, request{call: "DELETE /v1/pbx/bans" + call}); w.Code != want {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
}

func TestEnrollmentIsClosed(t *testing.T) {
	t.Parallel()
	o := fixed().options()
	o.EnrollClosed = true
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if w := send(t, h, request{call: "POST /v1/pbx/enrollment", body: "{}"}); w.Code != http.StatusConflict {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
