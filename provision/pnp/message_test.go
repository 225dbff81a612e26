package pnp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The forms of phone-facts/request_sequence.md 2.2: Yealink as it was captured, and
// the variant of Snom.
var samples = map[string]string{
	"yealink": `SUBSCRIBE sip:MAC001565aabbcc@224.0.1.75 SIP/2.0
Via: SIP/2.0/UDP 192.168.50.7:5059;branch=z9hG4bK1234
From: <sip:MAC001565aabbcc@224.0.1.75>;tag=99
To: <sip:MAC001565aabbcc@224.0.1.75>
Call-ID: 1234@192.168.50.7
CSeq: 1 SUBSCRIBE
Contact: <sip:MAC001565aabbcc@192.168.50.7:5059>
Max-Forwards: 70
User-Agent: Yealink W52P 25.81.0.10
Expires: 0
Event: ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"
Accept: application/url
Content-Length: 0

`,
	"snom": `SUBSCRIBE sip:MAC%3a000413aabbcc@domain SIP/2.0
v: SIP/2.0/UDP 192.168.50.8:2048;branch=z9hG4bK-x;rport
f: <sip:MAC%3a000413aabbcc@domain>;tag=1
t: <sip:MAC%3a000413aabbcc@domain>
i: abc
CSeq: 1 SUBSCRIBE
m: <sip:192.168.50.8:2048>
o: ua-profile;profile-type="device";vendor="snom";model="snomD120";version="10.1.39.11"
User-Agent: snomD120/10.1.39.11
l: 0

`,
}

func wire(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

var asker = netip.MustParseAddrPort("192.168.50.7:5059")

func TestParseSubscribe(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ mac, vendor, model, version, contact string }{
		"yealink": {"001565aabbcc", "yealink", "W52P", "25.81.0.10", "sip:MAC001565aabbcc@192.168.50.7:5059"},
		"snom":    {"000413aabbcc", "snom", "snomD120", "10.1.39.11", "sip:192.168.50.8:2048"},
	} {
		q, err := parseSubscribe(wire(samples[name]), asker)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if q.MAC.Hex() != want.mac || q.Vendor != want.vendor || q.Model != want.model || q.Version != want.version || contactURI(q.contact) != want.contact {
			t.Errorf("%s: %+v", name, q)
		}
	}
	good := samples["yealink"]
	for name, bad := range map[string]string{
		"another method":   strings.Replace(good, "SUBSCRIBE sip", "REGISTER sip", 1),
		"another event":    strings.Replace(good, "ua-profile", "presence", 1),
		"no MAC":           strings.Replace(good, "sip:MAC001565aabbcc@224.0.1.75 SIP", "sip:bob@224.0.1.75 SIP", 1),
		"a group address":  strings.Replace(good, "MAC001565aabbcc@224.0.1.75 SIP", "MAC011565aabbcc@224.0.1.75 SIP", 1),
		"no Via":           strings.Replace(good, "Via:", "Vai:", 1),
		"no To":            strings.Replace(good, "To:", "Ot:", 1),
		"no end":           strings.TrimRight(good, "\n"),
		"a control byte":   strings.Replace(good, "Call-ID: ", "Call-ID: \x01", 1),
		"a bare line feed": "x",
		"a long header":    strings.Replace(good, "Call-ID: ", "Call-ID: "+strings.Repeat("a", maxHeader), 1),
		"many Vias":        strings.Replace(good, "Via:", strings.Repeat("Via: a\n", maxVias)+"Via:", 1),
	} {
		if q, err := parseSubscribe(wire(bad), asker); err == nil {
			t.Errorf("%s: read as %+v", name, q)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddrPort("192.168.50.1:40000")
	q, err := parseSubscribe(wire(samples["snom"]), asker)
	if err != nil {
		t.Fatal(err)
	}
	ok := string(q.accept(own, "T"))
	for _, want := range []string{"SIP/2.0 200 OK\r\n", "branch=z9hG4bK-x;rport=5059;received=192.168.50.7\r\n", ";tag=T\r\n", "CSeq: 1 SUBSCRIBE\r\n", "Expires: 0\r\n"} {
		if !strings.Contains(ok, want) {
			t.Errorf("no %q in\n%s", want, ok)
		}
	}
	n := string(q.notify(own, "T", "z9hG4bKb", "http://192.168.50.1:8081/"))
	for _, want := range []string{
		"NOTIFY sip:192.168.50.8:2048 SIP/2.0\r\n", "Event: ua-profile\r\n", "Content-Type: application/url\r\n", "Content-Length: 25\r\n\r\nhttp://192.168.50.1:8081/",
		"Subscription-State: terminated;reason=timeout\r\n", "To: <sip:MAC%3a000413aabbcc@domain>;tag=1\r\n",
	} {
		if !strings.Contains(n, want) || strings.HasSuffix(n, "\n") {
			t.Errorf("no %q in\n%s", want, n)
		}
	}
	q.contact = "<http://evil/ x>"
	if n := string(q.notify(own, "T", "b", "u")); !strings.HasPrefix(n, "NOTIFY sip:MAC000413aabbcc@192.168.50.7:5059 SIP/2.0\r\n") {
		t.Errorf("a Contact that is none: %s", n)
	}
	branch, status, ok2 := parseResponse([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKb;rport\r\n\r\n"))
	if branch != "z9hG4bKb" || status != 200 || !ok2 {
		t.Errorf("%q %d %v", branch, status, ok2)
	}
	for _, bad := range []string{"", "SIP/2.0", "SIP/2.0 100 Trying\r\nVia: a;branch=b\r\n", "SIP/2.0 2xx\r\n", "SIP/2.0 200 OK\r\n\r\n"} {
		if _, _, ok := parseResponse([]byte(bad)); ok {
			t.Errorf("%q is a response", bad)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	l, now, passed := newLimits(), time.Unix(1_800_000_000, 0), 0
	for range 1000 {
		if l.allow(asker.Addr(), now) {
			passed++
		}
	}
	if passed != sourceBurst {
		t.Errorf("%d answers at once to one source", passed)
	}
	a := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxSources {
		a = a.Next()
		l.allow(a, now)
	}
	if len(l.sources) > maxSources {
		t.Errorf("%d sources remembered", len(l.sources))
	}
	if l.allow(netip.MustParseAddr("10.99.0.1"), now) {
		t.Error("no limit in all")
	}
}

func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	var p pending
	defer p.stop()
	never := func() { t.Error("called") }
	for n := range maxPending {
		if !p.add(strings.Repeat("b", n+1), question{phone: Phone{Source: asker}}, func() {}, never) {
			t.Fatalf("%d waits", n)
		}
	}
	if p.add("one more", question{}, never, never) {
		t.Error("no bound")
	}
	if _, ok := p.take("b", netip.MustParseAddrPort("192.168.50.9:5059")); ok {
		t.Error("another's answer counts")
	}
	if _, ok := p.take("b", netip.MustParseAddrPort("192.168.50.7:1")); !ok {
		t.Error("the phone's answer does not count")
	}
}

// FuzzSubscribe: what is read is answered in lines that are ours alone.
func FuzzSubscribe(f *testing.F) {
	for _, s := range samples {
		f.Add(wire(s))
	}
	own := netip.MustParseAddrPort("192.168.50.1:40000")
	f.Fuzz(func(t *testing.T, b []byte) {
		parseResponse(b)
		q, err := parseSubscribe(b, asker)
		if err != nil {
			return
		}
		for _, m := range [][]byte{q.accept(own, "T"), q.notify(own, "T", "b", "http://u/")} {
			head, _, _ := strings.Cut(string(m), "\r\n\r\n")
			for line := range strings.SplitSeq(head, "\r\n") {
				if strings.ContainsAny(line, "\r\n") || strings.ContainsRune(line, 0) {
					t.Fatalf("line %q", line)
				}
			}
			if len(m) > 2*len(b)+1200 {
				t.Fatalf("%d bytes for %d", len(m), len(b))
			}
		}
	})
}
