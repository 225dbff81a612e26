package proxy

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/location"
)

func TestWays(t *testing.T) {
	t.Parallel()
	udp := flow{transport: "udp", remote: netip.MustParseAddrPort("[2001:db8::1]:5062"), local: netip.MustParseAddrPort("192.0.2.1:5060")}
	for _, want := range []way{
		{flow: udp},
		{flow: flow{transport: "wss", remote: netip.MustParseAddrPort("198.51.100.7:40123")}, boot: "b-8f2c", id: "17"},
	} {
		if got, ok := parseWay(want.String()); !ok || got != want {
			t.Errorf("%+v became %+v, %v", want, got, ok)
		}
	}
	for _, bad := range []string{"", wayPrefix, wayPrefix + "_w", wayPrefix + "AAAA", "to.%%%", way{}.String()} {
		if w, ok := parseWay(bad); ok {
			t.Errorf("%q is %+v", bad, w)
		}
	}
}

// TestLinkTakesNothingFromOthers: only what a node with our key has just sent is read.
func TestLinkTakesNothingFromOthers(t *testing.T) {
	t.Parallel()
	key, now := bytes.Repeat([]byte{1}, 32), time.Now()
	socket := func() net.PacketConn {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pc.Close() })
		return pc
	}
	link := func(pc net.PacketConn, key []byte, at time.Time) net.PacketConn {
		l, err := NewLink(pc, key, func() time.Time { return at })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	to := socket()
	in := link(to, key, now)
	sender := socket()
	send := func(c net.PacketConn, text string) {
		if _, err := c.WriteTo([]byte(text), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	send(sender, "OPTIONS sip:a SIP/2.0\r\n\r\n")
	send(link(sender, bytes.Repeat([]byte{2}, 32), now), "of another key")
	send(link(sender, key, now.Add(-time.Minute)), "of a minute ago")
	send(link(sender, key, now.Add(time.Minute)), "of tomorrow")
	send(link(sender, key, now), "too long for the reader's memory")
	send(link(sender, key, now.Add(-time.Second)), "ours")
	buf := make([]byte, 16)
	_ = to.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, from, err := in.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "ours" || from.String() != sender.LocalAddr().String() {
		t.Errorf("read %q of %v, %v", buf[:n], from, err)
	}
	if _, err := NewLink(to, []byte("short"), nil); err == nil {
		t.Error("a key of five bytes")
	}
}

// TestSilentNode: another node that does not answer ends its branch soon, and the
// phone of this one rings meanwhile.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	own, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := silent.LocalAddr().(*net.UDPAddr).AddrPort()
	s := newSite(t, func(o *Options) {
		o.Node = "n1"
		o.Peer = func(node string) (netip.AddrPort, bool) { return addr, node == "n2" }
		advertise := o.Advertise
		o.Advertise = func(transport string) (string, int) {
			if transport == Link {
				return "127.0.0.1", own.LocalAddr().(*net.UDPAddr).Port
			}
			return advertise(transport)
		}
	})
	link, err := NewLink(own, bytes.Repeat([]byte{1}, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.proxy.ServePacket(Link, link) }()
	t.Cleanup(func() { own.Close(); check(t, <-served) })
	caller, phone := newUDP(t, s), newUDP(t, s)
	s.bind("102", phone, nil)
	s.bind("102", phone, func(b *location.Binding) {
		b.ID, b.Node, b.Boot, b.Flow, b.Transport, b.Contact = "far", "n2", "b2", "f2", "tcp", "sip:102@192.0.2.9"
	})
	caller.invite("101", "102", "")
	invite := phone.request(sip.INVITE)
	phone.respond(invite, 180)
	caller.response(180)
	phone.respond(invite, 486)
	caller.response(486) // now that the branch to the silent node has been given up
}
