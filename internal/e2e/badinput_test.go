package e2e

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Malformed SIP gets a 400 that names the header, or silence; the next phone
// notices nothing.
func TestMalformedSIP(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := d.extension("101", "Front Desk")
	p := newRawPhone(t, d.addr["sip.udp"])
	head := "Via: SIP/2.0/UDP " + p.conn.LocalAddr().String() + ";branch=z9hG4bKx;rport\r\nFrom: <sip:101@pbx.dev>;tag=1\r\nTo: <sip:101@pbx.dev>\r\nMax-Forwards: 70\r\n"
	for _, tt := range []struct{ name, msg, want string }{
		{"garbage", "\x00\x01\x02 hello", ""},
		{"no via", "REGISTER sip:pbx.dev SIP/2.0\r\nCall-ID: 1\r\n\r\n", ""},
		{"keep-alive", "\r\n\r\n", ""},
		{"cut in a header", "REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/U", ""},
		{"no call-id", "REGISTER sip:pbx.dev SIP/2.0\r\n" + head + "CSeq: 1 REGISTER\r\n\r\n", "SIP/2.0 400 "},
		{"wrong cseq method", "REGISTER sip:pbx.dev SIP/2.0\r\n" + head + "Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n", "SIP/2.0 400 "},
		{"version", "REGISTER sip:pbx.dev SIP/3.0\r\n" + head + "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n", "SIP/2.0 505 "},
		{"foreign domain", "REGISTER sip:elsewhere.example SIP/2.0\r\n" + head + "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n", "SIP/2.0 40"},
	} {
		within := 300 * time.Millisecond
		if tt.want != "" {
			within = 3 * time.Second
		}
		if got := p.roundTrip(tt.msg, within); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := p.register("101", c.SIPUsername, c.SIPPassword, "good", 60); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Errorf("a good phone afterwards: %q", got)
	}
}

// A wrong password and an unknown user get the same answer, and no contact.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	d := serve(t)
	c := d.extension("101", "Front Desk")
	other := d.extension("102", "Other")
	p := newRawPhone(t, d.addr["sip.udp"])
	wrong := p.register("101", c.SIPUsername, "wrong", "a", 60)
	unknown := p.register("999", "nobody", "wrong", "b", 60)
	for name, got := range map[string]string{"wrong password": wrong, "unknown user": unknown} {
		if !strings.HasPrefix(got, "SIP/2.0 401 ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := p.register("101", other.SIPUsername, other.SIPPassword, "c", 60); !strings.HasPrefix(got, "SIP/2.0 403 ") {
		t.Errorf("another extension's credentials: %q", got)
	}
	if text := contactsOf(d, "101"); strings.Contains(text, "sip:") {
		t.Errorf("a contact was stored: %s", text)
	}
	if strings.Contains(d.log.String(), "panic") {
		t.Error("a panic in the log")
	}
}

// TFTP answers nonsense with an error and goes on.
func TestMalformedTFTP(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := deskPhones(d)
	to, err := net.ResolveUDPAddr("udp", d.addr["tftp"])
	if err != nil {
		t.Fatal(err)
	}
	// Each question comes from a port of its own, as TFTP wants it.
	ask := func(msg string) string {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.WriteTo([]byte(msg), to)
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		buf := make([]byte, 2000)
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return ""
		}
		return string(buf[:n])
	}
	for name, tt := range map[string]struct{ msg, want string }{
		"passwd":  {"\x00\x01../../etc/passwd\x00octet\x00", "\x00\x05\x00\x01"},
		"unknown": {"\x00\x01001565999999.cfg\x00octet\x00", "\x00\x05\x00\x01"},
		"write":   {"\x00\x02evil.cfg\x00octet\x00", "\x00\x05"},
		"mode":    {"\x00\x01" + macs["yealink"] + ".cfg\x00mail\x00", "\x00\x05"},
		"good":    {"\x00\x01" + macs["yealink"] + ".cfg\x00OCTET\x00", "\x00\x03\x00\x01"},
	} {
		if got := ask(tt.msg); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %.40q, want %q", name, got, tt.want)
		}
	}
	ask("\x00\x01no-end")
	if got := ask("\x00\x01" + macs["yealink"] + ".cfg\x00octet\x00"); !strings.HasPrefix(got, "\x00\x03\x00\x01") {
		t.Errorf("after nonsense: %.40q", got)
	}
}

// Bad requests to the API name what is wrong.
func TestBadJSON(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	for _, tt := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/pbx/extensions", `{"number":`, http.StatusBadRequest, ""},
		{"/v1/pbx/extensions", `{"number":"abc"}`, http.StatusUnprocessableEntity, "number"},
		{"/v1/pbx/extensions", `{"number":"101"}`, http.StatusConflict, ""},
		{"/v1/pbx/extensions", `{"number":"102","colour":"red"}`, http.StatusUnprocessableEntity, "colour"},
		{"/v1/pbx/phones", `{"macAddress":"001565aabb01","settings":{"timezone":"Mars/Base"}}`, http.StatusUnprocessableEntity, "settings.timezone"},
		{"/v1/pbx/phones", `{"macAddress":"nonsense"}`, http.StatusUnprocessableEntity, "macAddress"},
		{"/v1/pbx/phones", `{"macAddress":"001565aabb01","lines":[{"line":1,"extensionNumber":"999"}]}`, http.StatusUnprocessableEntity, "lines[0].extensionNumber"},
	} {
		status, text := d.raw("POST", tt.path, tt.body)
		if status != tt.status || !strings.Contains(string(text), tt.want) {
			t.Errorf("%s: %d %s, want %d naming %q", tt.body, status, text, tt.status, tt.want)
		}
	}
	d.key = "do_live_wrong"
	if status, _ := d.raw("GET", "/v1/pbx/phones", nil); status != http.StatusUnauthorized {
		t.Errorf("a wrong key: %d", status)
	}
}
