package proxy

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"pbx.dev/dialtone/registrar/location"
	"pgregory.net/rapid"
)

// established is a call from caller (101) to callee (102) that is up.
func established(t *testing.T, s *site, caller, callee *ua) (*call, *sip.Request) {
	t.Helper()
	s.bind("102", callee, nil)
	c := caller.invite("101", "102", "")
	req := callee.request(sip.INVITE)
	callee.respond(req, 200)
	c.answered(caller.response(200))
	ack := callee.request(sip.ACK)
	if got := ack.Recipient.String(); got != callee.contact("dialog") || len(ack.GetHeaders("Route")) != 0 {
		t.Errorf("ACK %s", ack)
	}
	return c, req
}

// TestDialog sends requests in both directions of a call, over every pair of
// transports.
func TestDialog(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"udp", "tcp", "ws"} {
		for _, to := range []string{"udp", "tcp", "ws"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, nil)
				caller, callee := s.phone(from), s.phone(to)
				c, invite := established(t, s, caller, callee)
				want := 1
				if from != to {
					want = 2
				}
				if n := len(invite.GetHeaders("Record-Route")); n != want {
					t.Errorf("%d Record-Route", n)
				}
				for _, m := range []sip.RequestMethod{sip.INFO, sip.UPDATE, sip.MESSAGE, sip.REFER, sip.NOTIFY, sip.PRACK} {
					c.send(string(m))
					callee.respond(callee.request(m), 200)
					caller.response(200)
				}
				c.send("INVITE")
				again := callee.request(sip.INVITE)
				callee.respond(again, 200)
				caller.response(200)
				c.send("ACK")
				callee.request(sip.ACK)
				c.fromCallee(callee, invite, "BYE")
				caller.respond(caller.request(sip.BYE), 200)
				callee.response(200)
			})
		}
	}
}

// phone is a phone on a transport.
func (s *site) phone(transport string) *ua {
	switch transport {
	case "udp":
		return newUDP(s.t, s)
	case "ws":
		return newTCP(s.t, s.ws, "ws")
	}
	return newTCP(s.t, s.tcp, transport)
}

// fromCallee sends a request in the other direction, by the route set of the
// INVITE.
func (c *call) fromCallee(callee *ua, invite *sip.Request, method string) {
	callee.t.Helper()
	routes := ""
	for _, rr := range values(invite, "Record-Route") {
		routes += "Route: " + rr + "\r\n"
	}
	callee.send("%s %s SIP/2.0\r\nFrom: <sip:102@%s>;tag=%s\r\nTo: <sip:101@%s>;tag=from1\r\nCall-ID: %s\r\nCSeq: 7 %s\r\n%s",
		method, c.u.contact("101"), testDomain, c.toTag, testDomain, c.id, method, routes)
}

// TestByeBehindAck sends BYE in the segment of the ACK, many times: the phone must not
// be hung up on before its call is up.
func TestByeBehindAck(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newTCP(t, s.tcp, "tcp"), newTCP(t, s.tcp, "tcp")
	s.bind("102", callee, nil)
	write := caller.write
	for range 200 {
		c := caller.invite("101", "102", "")
		callee.respond(callee.request(sip.INVITE), 200)
		var both []byte
		caller.write = func(b []byte) error { both = append(both, b...); return nil }
		c.answered(caller.response(200))
		c.send("BYE")
		caller.write = write
		if err := write(both); err != nil {
			t.Fatal(err)
		}
		callee.request(sip.ACK)
		callee.respond(callee.request(sip.BYE), 200)
		caller.response(200)
	}
}

// TestAckOrder: an ACK that never comes holds up nobody for long, and there is room for
// a bounded number.
func TestAckOrder(t *testing.T) {
	t.Parallel()
	o := newAckOrder()
	ack := func(id string) *sip.Request {
		req := sip.NewRequest(sip.ACK, sip.Uri{Scheme: "sip", Host: "h"})
		call := sip.CallIDHeader(id)
		to := &sip.ToHeader{Params: sip.NewParams()}
		to.Params.Add("tag", "a")
		req.AppendHeader(&call)
		req.AppendHeader(to)
		req.AppendHeader(sip.NewHeader("Route", "<sip:h;lr>"))
		return req
	}
	for i := range maxAcks + 10 {
		o.read(ack(strconv.Itoa(i)))
	}
	if n := len(o.pending); n > maxAcks {
		t.Errorf("%d are pending", n)
	}
	last := ack(strconv.Itoa(maxAcks + 9))
	o.wait(last) // returns
	o.done(last)
	o.done(last)
	o.wait(last)
}

func TestRouteOfADialogIsNotForOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	c, _ := established(t, s, caller, callee)
	thief := newUDP(t, s)
	stolen := *c
	stolen.u, stolen.id = thief, "another-call"
	stolen.send("BYE")
	thief.response(403)
	stolen = *c
	stolen.u, stolen.toTag = thief, "" // a new call by the route of an old one
	stolen.send("INVITE")
	thief.response(403)
	stolen = *c
	stolen.u, stolen.routes = thief, "Route: <sip:192.0.2.1;lr>\r\n"
	stolen.send("BYE")
	thief.response(403)
	stolen = *c
	stolen.u, stolen.routes = thief, ""
	stolen.send("BYE")
	thief.response(481)
	callee.silent()
}

func TestStrictRouter(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), newUDP(t, s)
	c, _ := established(t, s, caller, callee)
	route, _, _ := strings.Cut(strings.TrimPrefix(c.routes, "Route: <"), ">")
	c.routes = "Route: <" + c.remote + ">\r\n"
	c.remote = route
	c.send("BYE")
	if got := callee.request(sip.BYE).Recipient.String(); got != callee.contact("dialog") {
		t.Errorf("Request-URI %s", got)
	}
}

// TestPhoneReconnectsDuringACall is a browser that loses its connection and
// registers over a new one: the other end can still hang up.
func TestPhoneReconnectsDuringACall(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, callee := newUDP(t, s), s.phone("ws")
	c, _ := established(t, s, caller, callee)
	if err := callee.close(); err != nil {
		t.Fatal(err)
	}
	for range callee.in { // until the connection is closed
	}
	c.seq++
	for s.proxy.connected(flow{"ws", callee.addrPort(), netip.AddrPort{}}) {
		c.u.send("OPTIONS sip:%s SIP/2.0\r\n%s", testDomain, strings.Replace(c.headers("OPTIONS"), c.toTag, "x", 1))
		c.u.next()
	}
	c.send("INFO")
	caller.response(430) // nobody is there
	again := s.phone("ws")
	s.mu.Lock()
	s.bindings["102"] = nil
	s.mu.Unlock()
	s.bind("102", again, func(b *location.Binding) { b.Contact = c.remote })
	c.send("BYE")
	again.respond(again.request(sip.BYE), 200)
	caller.response(200)
}

func (u *ua) addrPort() netip.AddrPort {
	a, err := addrPort(u.addr())
	if err != nil {
		u.t.Fatal(err)
	}
	return a
}

func TestMessageToAllPhones(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	sender, a, b := newUDP(t, s), newUDP(t, s), newTCP(t, s.tcp, "tcp")
	s.bind("102", a, nil)
	s.bind("102", b, nil)
	c := &call{u: sender, from: "101", to: "102", id: "message", seq: 1}
	sender.send("MESSAGE sip:102@%s SIP/2.0\r\n%s%s\r\nhello", testDomain, c.headers("MESSAGE"), auth("101"))
	atA, atB := a.request(sip.MESSAGE), b.request(sip.MESSAGE)
	if string(atA.Body()) != "hello" || len(atA.GetHeaders("Record-Route")) != 0 {
		t.Errorf("MESSAGE %s", atA)
	}
	a.respond(atA, 480)
	b.respond(atB, 200)
	sender.response(200)
	sender.silent()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := &tokens{key: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")}
		addr := rapid.Custom(func(t *rapid.T) netip.AddrPort {
			b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip")
			ip := netip.AddrFrom16([16]byte(b)).Unmap()
			if rapid.Bool().Draw(t, "v4") {
				ip = netip.AddrFrom4([4]byte(b))
			}
			return netip.AddrPortFrom(ip, rapid.Uint16().Draw(t, "port"))
		})
		f := rapid.Custom(func(t *rapid.T) flow {
			return flow{rapid.SampledFrom(transports).Draw(t, "transport"), addr.Draw(t, "remote"), addr.Draw(t, "local")}
		})
		want := token{f.Draw(t, "caller"), f.Draw(t, "callee"), rapid.StringMatching(`[0-9*#]{0,32}`).Draw(t, "a"), "102", "n1", ""}
		sealed := k.seal(want, "id", "tag1")
		for tag, fromCaller := range map[string]bool{"tag1": true, "tag2": false} {
			other := map[string]string{"tag1": "tag2", "tag2": "tag1"}[tag]
			got, dir, err := k.open(sealed, "id", tag, other)
			if err != nil || dir != fromCaller || got != want {
				t.Fatalf("open: %+v %v %v, want %+v", got, dir, err, want)
			}
		}
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "place")
		forged := sealed[:i] + string(rapid.SampledFrom([]byte("AZaz09-_")).Draw(t, "byte")) + sealed[i+1:]
		if got, _, err := k.open(forged, "id", "tag1", "tag2"); err == nil && got != want {
			t.Fatalf("forged token opens: %+v", got)
		}
		if _, _, err := k.open(sealed, "id2", "tag1", "tag2"); err == nil {
			t.Fatal("token opens for another call")
		}
		if _, _, err := k.open(sealed, "id", "tag3", "tag2"); err == nil {
			t.Fatal("token opens for another dialog")
		}
	})
}

// FuzzDecode: what is inside a token never makes decode panic.
func FuzzDecode(f *testing.F) {
	k := &tokens{key: []byte("k")}
	f.Add([]byte(k.seal(token{caller: flow{transport: "udp"}, callee: flow{transport: "wss"}}, "", "")))
	f.Add([]byte{0, 6, 127, 0, 0, 1, 0, 80, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = decode(b) })
}

func TestSplitList(t *testing.T) {
	t.Parallel()
	got := splitList(`"a, \"b" <sip:x,y@z>;p=1 , <sip:b> ,, c`)
	want := []string{`"a, \"b" <sip:x,y@z>;p=1`, "<sip:b>", "", "c"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestQuotable(t *testing.T) {
	t.Parallel()
	if got := quotable("A\"B\\C\r\nVia: x"); got != "ABCVia: x" {
		t.Errorf("%q", got)
	}
}
