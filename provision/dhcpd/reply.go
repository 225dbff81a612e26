package dhcpd

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// plan is what is to be done about a request.
type plan struct {
	typ    dhcpv4.MessageType // OFFER, ACK, NAK; MessageTypeNone is silence
	yiaddr netip.Addr         // the address offered or given
	lease  time.Duration      // how long it is given
	delay  time.Duration      // before the reply is sent
	probe  bool               // look whether somebody uses yiaddr before it is offered

	save    bool      // the lease must be durable before the reply goes out
	forget  bool      // the sender's lease is over: delete it
	evicted phone.MAC // whose old lease made room
	outcome string
	reason  string // one plain sentence for the timeline
}

// The outcomes of DHCP events.
const (
	outcomeOK      = "ok"      // answered
	outcomeNak     = "nak"     // told to start over
	outcomeIgnored = "ignored" // deliberately no answer
	outcomeError   = "error"   // no answer, and that is our fault
)

func silence(reason string) plan { return plan{outcome: outcomeIgnored, reason: reason} }
func failure(reason string) plan { return plan{outcome: outcomeError, reason: reason} }
func nak(reason string) plan {
	return plan{typ: dhcpv4.MessageTypeNak, outcome: outcomeNak, reason: reason}
}

// network is what clients of one interface are told about it.
type network struct {
	serverID netip.Addr
	prefix   netip.Prefix // of the addresses; mask and broadcast address
	router   netip.Addr
	dns      []netip.Addr
}

// minReply is how long every reply is at least (RFC 1542 section 2.1).
const minReply = 300

// composer builds one reply.
type composer struct {
	b     []byte
	limit int     // without the End option and those that come last
	given []uint8 // options the phone is told beside the protocol's own
}

// compose builds the reply that p asks for. It is a pure function of its
// arguments. given lists the boot options in it.
func compose(r *request, kind *row, p plan, nw network, said *said) (reply []byte, given []uint8) {
	c := newComposer(r, p, nw)
	relay := r.opts.get(optRelay)
	c.limit -= 1 + optionLen(relay)
	if p.typ == dhcpv4.MessageTypeNak {
		c.add(optMessage, []byte(p.reason))
		return c.finish(relay), nil
	}
	if p.yiaddr.IsValid() {
		c.address(nw, p.lease)
	} else if r.typ == dhcpv4.MessageTypeInform && nw.prefix.IsValid() && nw.prefix.Contains(r.ciaddr) {
		c.subnet(nw, r.asked)
	}
	for _, o := range said.rows[kind.index] {
		v := o.data
		if o.form == formBootfile {
			v = []byte(kind.file(r.mac))
		}
		if wants(r, kind, o.code) && c.add(o.code, v) {
			c.given = append(c.given, o.code)
		}
	}
	if len(kind.options) > 0 {
		c.fields(r, kind, said)
	}
	return c.finish(relay), c.given
}

// wants reports whether an option is to go into the reply: it is asked for, or
// the phone asks for nothing and has to have it.
func wants(r *request, kind *row, code uint8) bool {
	if len(r.asked) == 0 {
		return slices.Contains(kind.forced, code)
	}
	return r.asksFor(code)
}

// newComposer starts a reply with the fixed fields of RFC 2131 table 3 and the
// options that every reply has.
func newComposer(r *request, p plan, nw network) *composer {
	c := &composer{limit: r.limit, b: make([]byte, headerLen, 640)}
	b := c.b
	b[0], b[1], b[2] = bootReply, ethernet, 6
	copy(b[xidAt:xidAt+4], r.header[xidAt:])
	copy(b[flagsAt:ciaddrAt], r.header[flagsAt:])
	copy(b[giaddrAt:snameAt], r.header[giaddrAt:]) // and chaddr
	binary.BigEndian.PutUint32(b[fileEnd:], cookie)
	if p.typ == dhcpv4.MessageTypeAck {
		copy(b[ciaddrAt:yiaddrAt], r.header[ciaddrAt:])
	}
	if p.yiaddr.IsValid() {
		copy(b[yiaddrAt:siaddrAt], p.yiaddr.AsSlice())
	}
	// A relay can only broadcast what has no address (RFC 2131 section 4.3.2 for
	// the NAK; an OFFER without address is the same case).
	if r.giaddr.IsValid() && !p.yiaddr.IsValid() && (p.typ != dhcpv4.MessageTypeAck || !r.ciaddr.IsValid()) {
		b[flagsAt] |= broadcastFlag
	}
	id := nw.serverID.As4()
	c.force(optType, []byte{byte(p.typ)})
	c.force(optServerID, id[:])
	if v := r.opts.get(optClientID); v != nil { // RFC 6842
		c.force(optClientID, v)
	}
	return c
}

// address adds what belongs to a leased address, whether asked for or not.
func (c *composer) address(nw network, lease time.Duration) {
	seconds := func(code uint8, d time.Duration) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(d/time.Second))
		c.force(code, b[:])
	}
	seconds(optLeaseTime, lease)
	seconds(optT1, lease/2)
	seconds(optT2, lease/8*7)
	c.subnet(nw, nil)
}

// subnet adds mask, router and DNS servers: those in asked, or with an empty
// list all of them, which every client can use.
func (c *composer) subnet(nw network, asked []byte) {
	want := func(code uint8) bool { return len(asked) == 0 || slices.Contains(asked, code) }
	if want(optMask) {
		c.add(optMask, net.CIDRMask(nw.prefix.Bits(), 32))
	}
	if want(optRouter) {
		c.add(optRouter, addrBytes(nw.router))
	}
	if want(optDNS) {
		c.add(optDNS, addrBytes(nw.dns...))
	}
	if want(optBroadcast) {
		c.add(optBroadcast, lastAddr(nw.prefix).AsSlice())
	}
}

// fields fills the BOOTP fields that some phones read instead of options
// (PROVISIONING.md 6, TechnitiumSoftware/DnsServer#1078).
func (c *composer) fields(r *request, kind *row, said *said) {
	if said.tftp.IsValid() {
		copy(c.b[siaddrAt:giaddrAt], said.tftp.AsSlice())
	}
	if len(said.tftpHost) < fileAt-snameAt {
		copy(c.b[snameAt:fileAt], said.tftpHost)
	}
	if file := kind.file(r.mac); slices.Contains(c.given, optBootfile) && len(file) < fileEnd-fileAt {
		copy(c.b[fileAt:fileEnd], file)
	}
}

// add puts in an option if it has a value and fits into the client's largest message.
func (c *composer) add(code uint8, v []byte) bool {
	if len(v) == 0 || len(c.b)+optionLen(v) > c.limit {
		return false
	}
	c.force(code, v)
	return true
}

// force puts in an option that the protocol demands, in pieces when it is long
// (RFC 3396).
func (c *composer) force(code uint8, v []byte) {
	for {
		n := min(len(v), 255)
		c.b = append(append(c.b, code, uint8(n)), v[:n]...)
		if v = v[n:]; len(v) == 0 {
			return
		}
	}
}

// finish adds option 82 as the last (RFC 3046 section 2.2) and the end.
func (c *composer) finish(relay []byte) []byte {
	if relay != nil {
		c.force(optRelay, relay)
	}
	c.b = append(c.b, optEnd)
	if n := minReply - len(c.b); n > 0 {
		c.b = append(c.b, make([]byte, n)...)
	}
	return c.b
}

// optionLen is what v takes on the wire, split as RFC 3396 wants it; nothing of nil.
func optionLen(v []byte) int {
	if v == nil {
		return 0
	}
	return len(v) + 2*max(1, (len(v)+254)/255)
}

// destination is where a reply goes: RFC 2131 section 4.1. A client without an
// address is reached by broadcast, which RFC 2131 allows, as unicast would need
// an entry in the ARP table.
func destination(r *request, p plan, port int) netip.AddrPort {
	client, relay := uint16(68), uint16(67)
	if port != defaultPort { // a test or a NAT: the other side is not on the well-known ports either
		client, relay = r.peer.Port(), r.peer.Port()
	}
	broadcast := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), client)
	switch {
	case r.typ == dhcpv4.MessageTypeInform && r.ciaddr.IsValid():
		return netip.AddrPortFrom(r.ciaddr, client) // also through a relay: there is no yiaddr it could use
	case r.giaddr.IsValid():
		return netip.AddrPortFrom(r.giaddr, relay)
	case p.typ == dhcpv4.MessageTypeNak:
		return broadcast
	case r.ciaddr.IsValid():
		return netip.AddrPortFrom(r.ciaddr, client)
	}
	return broadcast
}

// lastAddr is the broadcast address of an IPv4 network.
func lastAddr(p netip.Prefix) netip.Addr {
	return fromUint(toUint(p.Masked().Addr()) | uint32(1)<<(32-p.Bits()) - 1)
}
