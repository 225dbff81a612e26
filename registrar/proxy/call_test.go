package proxy

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
)

func TestTwoRingOneAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, desk, soft := newUDP(t, s), newUDP(t, s), newTCP(t, s.tcp, "tcp")
	s.bind("102", desk, nil)
	s.bind("102", soft, nil)
	c := caller.invite("101", "102", "")
	atDesk, atSoft := desk.request(sip.INVITE), soft.request(sip.INVITE)
	desk.respond(atDesk, 180)
	if got := tagOf(caller.response(180).To().Params); got != desk.tag(atDesk) {
		t.Errorf("To tag of the 180 is %q", got)
	}
	soft.respond(atSoft, 180)
	caller.response(180)
	soft.respond(atSoft, 200)
	c.answered(caller.response(200))
	cancel := desk.request(sip.CANCEL)
	if got := cancel.GetHeader("Reason").Value(); got != fork.CompletedElsewhere {
		t.Errorf("Reason of the CANCEL: %q", got)
	}
	if d := cmp.Diff(atDesk.Via().String(), cancel.Via().String()); d != "" || len(cancel.GetHeaders("Via")) != 1 {
		t.Error("Via of the CANCEL", d)
	}
	if cancel.Recipient.String() != atDesk.Recipient.String() {
		t.Errorf("CANCEL for %s", cancel.Recipient.String())
	}
	desk.respond(cancel, 200)
	desk.respond(atDesk, 487)
	desk.request(sip.ACK)
	soft.request(sip.ACK)
	c.send("BYE")
	soft.respond(soft.request(sip.BYE), 200)
	caller.response(200)
	caller.silent()
}

func TestRequestThatArrives(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, a, b := newUDP(t, s), newUDP(t, s), newUDP(t, s)
	s.bind("102", a, func(b *location.Binding) {
		b.Path = []string{"<sip:edge1.example;lr>", "<sip:edge2.example;lr>"}
		b.Contact += ";method=INVITE?X-A=b"
	})
	s.bind("102", b, nil)
	caller.invite("101", "102", auth("101")+"P-Asserted-Identity: <sip:boss@pbx.test>\r\nRemote-Party-ID: <sip:boss@pbx.test>\r\n"+
		"Diversion: <sip:boss@pbx.test>\r\nX-Odd:  kept , as it is \r\nSupported: 100rel\r\n"+
		`Proxy-Authorization: Digest username="x", realm="elsewhere"`+"\r\n")
	atA, atB := a.request(sip.INVITE), b.request(sip.INVITE)
	for name, want := range map[string]string{
		"P-Asserted-Identity": `"Ext 101" <sip:101@pbx.test>`,
		"X-Odd":               "kept , as it is",
		"Max-Forwards":        "69",
		"Max-Breadth":         "30",
		"Proxy-Authorization": `Digest username="x", realm="elsewhere"`,
		"Remote-Party-ID":     "",
		"Diversion":           "",
		"Supported":           "100rel",
	} {
		for _, req := range []*sip.Request{atA, atB} {
			if d := cmp.Diff(want, strings.Join(values(req, name), "|")); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
	if got := atA.Recipient.String(); got != a.contact("102") {
		t.Errorf("Request-URI %s", got)
	}
	if d := cmp.Diff([]string{"<sip:edge1.example;lr>", "<sip:edge2.example;lr>"}, values(atA, "Route")); d != "" {
		t.Error("Route", d)
	}
	if string(atA.Body()) != "v=0\r\n" {
		t.Errorf("body %q", atA.Body())
	}
	if atA.Via().Params.GetOr("branch", "") == atB.Via().Params.GetOr("branch", "") {
		t.Error("both branches have one Via branch")
	}
	second := atA.GetHeaders("Via")[1].(*sip.ViaHeader)
	if second.Params.GetOr("received", "") != "127.0.0.1" || second.Params.GetOr("rport", "") == "" {
		t.Errorf("the caller's Via: %s", second.String())
	}
}

func TestFinalResponses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		codes  []int // one phone each
		ignore bool
		want   int
	}{
		{"busy", []int{486}, false, 486},
		{"both busy", []int{486, 486}, false, 486},
		{"declined by one", []int{603, 486}, false, 603},
		{"phone overloaded", []int{503}, false, 500},
		{"not acceptable and busy", []int{488, 486}, false, 488},
		{"moved", []int{302, 486}, false, 302},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(o *Options) { o.Fork.IgnoreDecline = tc.ignore })
			caller := newUDP(t, s)
			var phones []*ua
			for range tc.codes {
				phones = append(phones, newUDP(t, s))
				s.bind("102", phones[len(phones)-1], nil)
			}
			c := caller.invite("101", "102", "")
			for i, u := range phones {
				u.respond(u.request(sip.INVITE), tc.codes[i])
				u.request(sip.ACK)
			}
			res := caller.response(tc.want)
			c.toTag = tagOf(res.To().Params)
			caller.sendWith(c.branch, "ACK sip:102@%s SIP/2.0\r\n%s", testDomain, c.headers("ACK"))
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	callee := newUDP(t, s)
	s.bind("102", callee, nil)
	cases := []struct {
		name, line, headers string
		want                int
	}{
		{"no digest", "INVITE sip:102@pbx.test", "", 407},
		{"digest of nobody", "INVITE sip:102@pbx.test", "Proxy-Authorization: Digest username=\"nobody\"\r\n", 407},
		{"unreadable digest", "INVITE sip:102@pbx.test", "Proxy-Authorization: garbage\r\n", 400},
		{"somebody else's name", "INVITE sip:102@pbx.test", auth("103"), 403},
		{"unknown extension", "INVITE sip:999@pbx.test", auth("101"), 404},
		{"no user", "INVITE sip:pbx.test", auth("101"), 404},
		{"nobody registered", "INVITE sip:103@pbx.test", auth("101"), 480},
		{"foreign domain", "INVITE sip:102@example.com", auth("101"), 403},
		{"foreign route", "INVITE sip:102@pbx.test", auth("101") + "Route: <sip:192.0.2.1;lr>\r\n", 403},
		{"forged flow token", "INVITE sip:102@pbx.test", auth("101") + "Route: <sip:AQBBBB@127.0.0.1;lr>\r\n", 403},
		{"no hops left", "INVITE sip:102@pbx.test", auth("101") + "Max-Forwards: 0\r\n", 483},
		{"unknown extension required", "INVITE sip:102@pbx.test", "Proxy-Require: teleport\r\n", 420},
		{"mail address", "INVITE mailto:102@pbx.test", auth("101"), 416},
		{"telephone number of nobody", "INVITE tel:+4930102", auth("101"), 404},
		{"no telephone number", "INVITE tel:;phone-context=pbx.test", auth("101"), 404},
		{"breadth used up", "INVITE sip:102@pbx.test", auth("101") + "Max-Breadth: 0\r\n", 440},
		{"unknown method", "DANCE sip:102@pbx.test", "", 405},
		{"BYE outside a dialog", "BYE sip:102@pbx.test", "", 481},
		{"CANCEL of nothing", "CANCEL sip:102@pbx.test", "", 481},
		{"MESSAGE without digest", "MESSAGE sip:102@pbx.test", "", 407},
		{"subscription to registrations", "SUBSCRIBE sip:102@pbx.test", auth("101") + "Event: reg\r\n", 489},
		{"restart of another's phone", "NOTIFY sip:102@pbx.test", auth("101") + "Event: check-sync;reboot=true\r\n", 403},
		{"malformed header", "INVITE sip:102@pbx.test", auth("101") + "Max-Forwards: many\r\n", 400},
		{"two of one kind", "INVITE sip:102@pbx.test", "Call-ID: second\r\n", 400},
		{"REGISTER is not for us", "REGISTER sip:pbx.test", "", 405},
		{"extension required of the server", "OPTIONS sip:pbx.test", "Require: Path, teleport\r\n", 420},
		{"OPTIONS to the server", "OPTIONS sip:pbx.test", "", 200},
		{"OPTIONS to the server's address", "OPTIONS sip:127.0.0.1:5060", "", 200},
	}
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := newUDP(t, s)
			method, _, _ := strings.Cut(tc.line, " ")
			c := &call{u: u, from: "101", to: "102", id: "refused" + u.addr(), seq: i + 1}
			u.send("%s SIP/2.0\r\n%s%s", tc.line, c.headers(method), tc.headers)
			res := u.response(tc.want)
			switch tc.want {
			case 405, 200:
				if v := values(res, "Allow"); len(v) != 1 || !strings.Contains(v[0], "INVITE") {
					t.Errorf("Allow %q", v)
				}
			case 407:
				if v := values(res, "Proxy-Authenticate"); len(v) != 1 {
					t.Errorf("Proxy-Authenticate %q", v)
				}
			case 489:
				if v := values(res, "Allow-Events"); len(v) != 1 || strings.Contains(v[0], "reg,") {
					t.Errorf("Allow-Events %q", v)
				}
			case 420:
				if v := values(res, "Unsupported"); len(v) != 1 || v[0] != "teleport" {
					t.Errorf("Unsupported %q", v)
				}
			}
		})
	}
	t.Cleanup(callee.silent)
}

func TestNamesThatReachAnExtension(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"102", "102_a", "line102", "%31%302"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			caller, callee := newUDP(t, s), newUDP(t, s)
			s.bind("102", callee, nil)
			caller.invite("101", user, "")
			callee.respond(callee.request(sip.INVITE), 486)
			caller.response(486)
		})
	}
}

// TestTelephoneNumbers: what some phones make of the digits that were dialled.
func TestTelephoneNumbers(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"tel:102", "TEL:1-0-2;phone-context=pbx.test", "sip:102;phone-context=pbx.test@pbx.test;user=phone", "sip:1(0).2@pbx.test;user=phone",
	} {
		t.Run(uri, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			caller, callee := newUDP(t, s), newUDP(t, s)
			s.bind("102", callee, nil)
			c := &call{u: caller, from: "101", to: "102", id: "tel", seq: 1}
			caller.send("INVITE %s SIP/2.0\r\n%s%sContact: <%s>\r\n\r\n", uri, c.headers("INVITE"), auth("101"), caller.contact("101"))
			callee.respond(callee.request(sip.INVITE), 486)
			caller.response(486)
		})
	}
}

// TestForceRport: a phone behind NAT that does not ask for rport gets its answers.
func TestForceRport(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.ForceRport = true })
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	c := &call{u: caller, from: "101", to: "102", id: "nat", seq: 1}
	plain := caller.write
	caller.write = func(b []byte) error {
		via := "Via: SIP/2.0/UDP " + caller.addr()
		return plain([]byte(strings.NewReplacer(via, "Via: SIP/2.0/UDP 10.1.1.1:5060", ";rport", "").Replace(string(b))))
	}
	caller.send("INVITE sip:102@pbx.test SIP/2.0\r\n%sContact: <%s>\r\n\r\n", c.headers("INVITE"), caller.contact("101"))
	caller.response(407)
	c.seq++
	caller.send("INVITE sip:102@pbx.test SIP/2.0\r\n%s%sContact: <%s>\r\n\r\n", c.headers("INVITE"), auth("101"), caller.contact("101"))
	callee.respond(callee.request(sip.INVITE), 486)
	if via := caller.response(486).Via(); via.Host != "10.1.1.1" || via.Params.GetOr("received", "") != "127.0.0.1" {
		t.Errorf("Via %s", via.Value())
	}
}

// TestAnonymousCaller: who calls without a name (RFC 3323) has proved who he is to us,
// and the callee does not learn it.
func TestAnonymousCaller(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	c := &call{u: caller, from: "101", to: "102", id: "anonymous", seq: 1}
	headers := strings.Replace(c.headers("INVITE"), "<sip:101@pbx.test>", "<sip:anonymous@anonymous.invalid>", 1)
	caller.send("INVITE sip:102@pbx.test SIP/2.0\r\n%sContact: <%s>\r\n\r\n", headers, caller.contact("101"))
	caller.response(407)
	caller.send("INVITE sip:102@pbx.test SIP/2.0\r\n%s%sContact: <%s>\r\n\r\n", headers, auth("101"), caller.contact("101"))
	req := callee.request(sip.INVITE)
	if from := req.From().Address.String(); from != "sip:anonymous@anonymous.invalid" || req.GetHeader("P-Asserted-Identity") != nil {
		t.Errorf("From %s, asserted %v", from, req.GetHeader("P-Asserted-Identity"))
	}
	callee.respond(req, 486)
	caller.response(486)
}

// TestCallOfOnePhone: who hands a call over names the phone by its contact, which may be
// an address that only the phone knows. That phone alone is rung, and no other place.
func TestCallOfOnePhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee, other := newUDP(t, s), newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, func(b *location.Binding) { b.Contact = "sip:102@192.0.2.9:5070;line=1" })
	s.bind("102", other, nil)
	invite := func(uri, id string) {
		c := &call{u: caller, from: "101", to: "102", id: id, seq: 1}
		caller.send("INVITE %s SIP/2.0\r\n%s%sContact: <%s>\r\n\r\n", uri, c.headers("INVITE"), auth("101"), caller.contact("101"))
	}
	invite("sip:102@192.0.2.9:5070", "one")
	req := callee.request(sip.INVITE)
	if got := req.Recipient.String(); got != "sip:102@192.0.2.9:5070;line=1" {
		t.Errorf("Request-URI %s", got)
	}
	late := newUDP(t, s)
	s.bind("102", late, nil)
	s.proxy.Registered(s.bindings["102"][2])
	callee.respond(req, 486)
	caller.response(486)
	callee.request(sip.ACK)
	for i, uri := range []string{"sip:102@192.0.2.9", "sip:102@192.0.2.8:5070", "sip:103@192.0.2.9:5070", "sip:999@192.0.2.9:5070"} {
		invite(uri, fmt.Sprint("none", i))
		caller.response(403)
	}
	other.silent()
	late.silent()
}

// TestPhoneThatChangedItsName: a phone that began to say which instance it is has two
// bindings for a while, and is rung once.
func TestPhoneThatChangedItsName(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	s.bind("102", callee, func(b *location.Binding) { b.ID, b.Instance = "second", "urn:uuid:1" })
	caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 486)
	caller.response(486) // does not wait for another
	callee.request(sip.ACK)
	callee.silent()
}

// TestNoRoomOverAConnection: over a connection nothing is repeated, so nothing may be
// dropped without a word.
func TestNoRoomOverAConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.MaxCalls = 1 })
	caller := newTCP(t, s.tcp, "tcp")
	for s.proxy.work.enter() {
		defer s.proxy.work.leave()
	}
	caller.send("MESSAGE sip:102@pbx.test SIP/2.0\r\n%s%s\r\n", (&call{u: caller, from: "101", to: "102", id: "full", seq: 1}).headers("MESSAGE"), auth("101"))
	if v := values(caller.response(503), "Retry-After"); len(v) != 1 {
		t.Errorf("Retry-After %q", v)
	}
}

func TestCallerHangsUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	c := caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 180)
	caller.response(180)
	c.cancel("Reason: SIP;cause=487;text=\"gone\"\r\n")
	if got := caller.response(200).CSeq().MethodName; got != sip.CANCEL {
		t.Fatalf("200 for %s", got)
	}
	cancel := callee.request(sip.CANCEL)
	if got := cancel.GetHeader("Reason"); got == nil || got.Value() != `SIP;cause=487;text="gone"` {
		t.Errorf("Reason of the CANCEL: %v", got)
	}
	callee.respond(cancel, 200)
	callee.respond(req, 487)
	caller.response(487)
	callee.request(sip.ACK)
}

// TestCancelBehindInvite sends CANCEL in the segment of its INVITE, many times:
// handled in any order, the call must end with 487 and the CANCEL with 200.
func TestCancelBehindInvite(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Fork.HangupWait = time.Millisecond })
	caller, callee := newTCP(t, s.tcp, "tcp"), newUDP(t, s)
	s.bind("102", callee, nil)
	write := caller.write
	for range 100 {
		var both []byte
		caller.write = func(b []byte) error { both = append(both, b...); return nil }
		c := caller.invite("101", "102", "")
		c.cancel()
		if err := write(both); err != nil {
			t.Fatal(err)
		}
		codes := map[int]bool{}
		for len(codes) < 2 {
			if res := caller.next().(*sip.Response); res.StatusCode > 100 {
				codes[res.StatusCode] = true
			}
		}
		if !codes[200] || !codes[487] {
			t.Fatalf("answers %v", codes)
		}
	}
}

// TestAnswersInTheSameMoment: whoever is first, the caller gets one answer and
// the other phone is not left off hook (kamailio/kamailio#570).
func TestAnswersInTheSameMoment(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller := newTCP(t, s.tcp, "tcp")
	phones := []*ua{newTCP(t, s.tcp, "tcp"), newTCP(t, s.tcp, "tcp")}
	for _, u := range phones {
		s.bind("102", u, nil)
	}
	for range 50 {
		c := caller.invite("101", "102", "")
		invites := []*sip.Request{phones[0].request(sip.INVITE), phones[1].request(sip.INVITE)}
		var both sync.WaitGroup
		for i, u := range phones {
			both.Go(func() { u.respond(invites[i], 200) })
		}
		both.Wait()
		res := caller.response(200)
		c.answered(res)
		for i, u := range phones {
			u.request(sip.ACK)
			if u.tag(invites[i]) != c.toTag {
				u.respond(u.request(sip.BYE), 200)
			}
		}
		caller.silent()
	}
}

// TestChallengeKeepsNoTransaction: a 407 is not repeated until it is
// acknowledged, so the same branch is a new request.
func TestChallengeKeepsNoTransaction(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	c := caller.invite("101", "102", "X: y\r\n")
	caller.response(407)
	caller.sendWith(c.branch, "INVITE sip:102@%s SIP/2.0\r\n%s%s", testDomain, c.headers("INVITE"), auth("101"))
	callee.respond(callee.request(sip.INVITE), 486)
	caller.response(486)
}

func TestAnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	c := caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 180)
	caller.response(180)
	c.cancel()
	caller.response(200)
	callee.respond(callee.request(sip.CANCEL), 481)
	callee.respond(req, 200) // the user was faster
	if got := caller.response(200).CSeq().MethodName; got != sip.INVITE {
		t.Fatalf("200 for %s", got)
	}
}

func TestBothAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, first, second := newUDP(t, s), newUDP(t, s), newTCP(t, s.tcp, "tcp")
	s.bind("102", first, nil)
	s.bind("102", second, nil)
	c := caller.invite("101", "102", "")
	atFirst, atSecond := first.request(sip.INVITE), second.request(sip.INVITE)
	first.respond(atFirst, 200)
	res := caller.response(200)
	second.respond(atSecond, 200)
	ack := second.request(sip.ACK)
	if ack.Recipient.String() != second.contact("dialog") || tagOf(ack.To().Params) != second.tag(atSecond) {
		t.Errorf("ACK %s", ack)
	}
	bye := second.request(sip.BYE)
	if bye.CSeq().SeqNo != 2 || bye.CallID().Value() != c.id || fromTag(bye) != "from1" {
		t.Errorf("BYE %s", bye)
	}
	second.respond(bye, 200)
	c.answered(res)
	first.request(sip.ACK)
	first.respond(atFirst, 200) // as if the ACK had been lost
	caller.response(200)
	caller.silent()
}

func TestDeadConnectionDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, gone, alive := newUDP(t, s), newTCP(t, s.tcp, "tcp"), newUDP(t, s)
	s.bind("102", gone, func(b *location.Binding) { b.Received = "127.0.0.1:1" })
	s.bind("102", alive, nil)
	caller.invite("101", "102", "")
	alive.respond(alive.request(sip.INVITE), 486)
	caller.response(486)
}

func TestNobodyReachable(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Alive = func(b location.Binding) bool { return b.Flow != "old" } })
	caller, a, b := newUDP(t, s), newTCP(t, s.tcp, "tcp"), newTCP(t, s.tcp, "tcp")
	s.bind("102", a, func(b *location.Binding) { b.Received = "127.0.0.1:1" })
	s.bind("102", b, func(b *location.Binding) { b.Flow = "old" })
	caller.invite("101", "102", "")
	caller.response(480)
	b.silent()
}

func TestSecondFlowOfAPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newTCP(t, s.tcp, "tcp")
	same := func(b *location.Binding) { b.Instance = "urn:uuid:1" }
	s.bind("102", callee, func(b *location.Binding) { same(b); b.Received = "127.0.0.1:1"; b.RegID = 2 })
	s.bind("102", callee, same)
	caller.invite("101", "102", "")
	callee.respond(callee.request(sip.INVITE), 486)
	caller.response(486)
	callee.request(sip.ACK)
	callee.silent()
}

func TestPhoneRegistersWhileOthersRing(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, early, late := newUDP(t, s), newUDP(t, s), newTCP(t, s.tcp, "tcp")
	s.bind("102", early, nil)
	c := caller.invite("101", "102", "")
	atEarly := early.request(sip.INVITE)
	early.respond(atEarly, 180)
	caller.response(180)
	s.proxy.Registered(s.bindings["102"][0]) // rings already
	s.bind("102", late, nil)
	s.proxy.Registered(s.bindings["102"][1])
	late.respond(late.request(sip.INVITE), 200)
	c.answered(caller.response(200))
	late.request(sip.ACK)
	early.respond(early.request(sip.CANCEL), 200)
	s.proxy.Registered(s.bindings["102"][1]) // the call is answered
	early.respond(atEarly, 487)
	early.request(sip.ACK)
	early.silent()
	late.silent()
}

func TestOwnPhoneIsNotRung(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	desk, soft := newUDP(t, s), newUDP(t, s)
	s.bind("102", desk, nil)
	s.bind("102", soft, nil)
	desk.invite("102", "102", "")
	soft.respond(soft.request(sip.INVITE), 486)
	desk.response(486)
}

func TestPhoneLosesItsConnectionWhileItRings(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newTCP(t, s.tcp, "tcp")
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	callee.respond(callee.request(sip.INVITE), 180)
	caller.response(180)
	if err := callee.close(); err != nil {
		t.Fatal(err)
	}
	caller.response(480)
}

func TestCallerLosesItsConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newTCP(t, s.tcp, "tcp"), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 180)
	caller.response(180)
	if err := caller.close(); err != nil {
		t.Fatal(err)
	}
	callee.respond(callee.request(sip.CANCEL), 200)
	callee.respond(req, 487)
	callee.request(sip.ACK)
}

func TestSilentPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Fork.NoResponse = 50 * time.Millisecond })
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	caller.response(408)
	callee.request(sip.INVITE)
}

// TestLoop is an edge proxy that sends a request back to us as it was.
func TestLoop(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, edge := newUDP(t, s), newUDP(t, s)
	s.bind("102", edge, nil)
	c := caller.invite("101", "102", "")
	branch := edge.request(sip.INVITE).Via()
	edge.send("INVITE sip:102@%s SIP/2.0\r\n%s%s%s\r\n", testDomain, branch.String()+"\r\n", c.headers("INVITE"), c.extra)
	edge.response(482)
	edge.send("INVITE sip:103@%s SIP/2.0\r\n%s%s%s\r\n", testDomain, branch.String()+"\r\n", c.headers("INVITE"), c.extra)
	edge.response(480) // with another Request-URI it is a spiral
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 180)
	caller.response(180)
	callee.respond(req, 200)
	caller.response(200)
	var got []string
	for range 3 {
		e := <-s.events
		if e.Kind != phone.EventCall || e.At.IsZero() {
			t.Errorf("event %+v", e)
		}
		got = append(got, strings.Join([]string{e.Outcome, e.DeviceID, e.Source, e.Detail}, " "))
	}
	want := []string{
		"started phone_of101 " + caller.addr() + " 101 calls 102, 1 contact",
		"ringing phone_of102 " + callee.addr() + " 101 calls 102",
		"answered phone_of102 " + callee.addr() + " 101 calls 102",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "X: y\r\n")
	caller.response(407)
	caller.invite("101", "102", "")
	callee.respond(callee.request(sip.INVITE), 486)
	caller.response(486)
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := strings.TrimPrefix(f.GetName(), "dialtone_proxy_")
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.Counter.GetValue()
		}
	}
	for name, want := range map[string]float64{"requests_total INVITE 4xx": 2, "calls_total busy": 1, "branches_total 4xx udp": 1} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v in %v", name, got[name], want, got)
		}
	}
}

// TestLargeBody: an INVITE that does not fit into a packet still reaches a UDP
// phone.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newTCP(t, s.tcp, "tcp"), newUDP(t, s)
	s.bind("102", callee, nil)
	body := strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 450)
	c := &call{u: caller, from: "101", to: "102", id: "large", seq: 1}
	caller.send("INVITE sip:102@%s SIP/2.0\r\n%s%s\r\n%s", testDomain, c.headers("INVITE"), auth("101"), body)
	if got := string(callee.request(sip.INVITE).Body()); got != body {
		t.Errorf("%d bytes of body, want %d", len(got), len(body))
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6: ", err)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSiteAt(t, "::1", nil)
	for _, to := range []string{"udp", "tcp"} {
		caller, callee := s.phone("udp"), s.phone(to)
		s.mu.Lock()
		s.bindings["102"] = nil
		s.mu.Unlock()
		c, _ := established(t, s, caller, callee)
		c.send("BYE")
		callee.respond(callee.request(sip.BYE), 200)
		caller.response(200)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.MaxCalls = 1 })
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	other := newUDP(t, s)
	other.invite("101", "102", "")
	if v := values(other.response(503), "Retry-After"); len(v) != 1 {
		t.Errorf("Retry-After %q", v)
	}
	callee.respond(req, 486) // makes room
	caller.response(486)
	callee.request(sip.ACK)
	third := newUDP(t, s)
	third.invite("101", "102", "")
	callee.request(sip.INVITE)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.proxy.Shutdown(ctx) }()
	other := newUDP(t, s)
	for other.invite("101", "102", ""); ; other.invite("101", "102", "") {
		res, ok := other.next().(*sip.Response)
		if ok && res.StatusCode == 503 {
			break // from now on new calls are refused
		}
	}
	callee.respond(req, 200)
	caller.response(200)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	s.bind("102", callee, nil)
	caller.invite("101", "102", "")
	callee.respond(callee.request(sip.INVITE), 180)
	caller.response(180)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.proxy.Shutdown(ctx); err == nil {
		t.Error("no error though a call was cut off")
	}
	caller.response(503)
	callee.request(sip.CANCEL)
}
