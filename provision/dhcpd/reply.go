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
	delay  time.Duration      // before the reply is sent

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
	lease    time.Duration
}

// composer builds one reply. It is filled and used by one goroutine.
type composer struct {
	pkt   *dhcpv4.DHCPv4
	size  int // bytes so far, with the End option
	limit int
	given []uint8 // options the phone is told beside the protocol's own
}

// compose builds the reply that p asks for. It is a pure function of its
// arguments. given lists the boot options in it.
func compose(r *request, kind *row, p plan, nw network, f *Facts, now time.Time) (pkt *dhcpv4.DHCPv4, given []uint8) {
	c := newComposer(r, p, nw)
	if p.typ == dhcpv4.MessageTypeNak {
		c.add(dhcpv4.OptionMessage.Code(), []byte(p.reason))
		return c.pkt, nil
	}
	if p.yiaddr.IsValid() {
		c.address(nw)
	} else if r.typ == dhcpv4.MessageTypeInform && nw.prefix.IsValid() && nw.prefix.Contains(r.ciaddr) {
		c.subnet(nw, r.asked)
	}
	for _, o := range kind.options {
		if !wants(r, kind, o.code) {
			continue
		}
		if v := kind.value(o, f, r.mac, now); v != nil && c.add(o.code, v) {
			c.given = append(c.given, o.code)
		}
	}
	if len(kind.options) > 0 {
		c.header(r, kind, f)
	}
	return c.pkt, c.given
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
	c := &composer{limit: r.limit, size: headerLen + 1, pkt: &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        r.pkt.HWType,
		TransactionID: r.pkt.TransactionID,
		Flags:         r.pkt.Flags,
		GatewayIPAddr: r.pkt.GatewayIPAddr,
		ClientHWAddr:  r.pkt.ClientHWAddr,
		Options:       dhcpv4.Options{},
	}}
	if p.typ == dhcpv4.MessageTypeAck {
		c.pkt.ClientIPAddr = r.pkt.ClientIPAddr
	}
	if p.yiaddr.IsValid() {
		c.pkt.YourIPAddr = p.yiaddr.AsSlice()
	}
	// A relay can only broadcast what has no address (RFC 2131 section 4.3.2 for
	// the NAK; an OFFER without address is the same case).
	if r.giaddr.IsValid() && !p.yiaddr.IsValid() && !fromIP(c.pkt.ClientIPAddr).IsValid() {
		c.pkt.SetBroadcast()
	}
	c.force(dhcpv4.OptionDHCPMessageType, []byte{byte(p.typ)})
	c.force(dhcpv4.OptionServerIdentifier, nw.serverID.AsSlice())
	for _, echo := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} { // RFC 6842, RFC 3046
		if v, ok := r.pkt.Options[echo.Code()]; ok {
			c.force(echo, v)
		}
	}
	return c
}

// address adds what belongs to a leased address, whether asked for or not.
func (c *composer) address(nw network) {
	seconds := func(d time.Duration) []byte { return binary.BigEndian.AppendUint32(nil, uint32(d/time.Second)) }
	c.force(dhcpv4.OptionIPAddressLeaseTime, seconds(nw.lease))
	c.force(dhcpv4.OptionRenewTimeValue, seconds(nw.lease/2))
	c.force(dhcpv4.OptionRebindingTimeValue, seconds(nw.lease/8*7))
	c.subnet(nw, nil)
}

// subnet adds mask, router and DNS servers: those in asked, or with an empty
// list all of them, which every client can use.
func (c *composer) subnet(nw network, asked []byte) {
	want := func(code dhcpv4.OptionCode) bool { return len(asked) == 0 || slices.Contains(asked, code.Code()) }
	if want(dhcpv4.OptionSubnetMask) {
		c.add(dhcpv4.OptionSubnetMask.Code(), net.CIDRMask(nw.prefix.Bits(), 32))
	}
	if want(dhcpv4.OptionRouter) {
		c.add(dhcpv4.OptionRouter.Code(), addrBytes(nw.router))
	}
	if want(dhcpv4.OptionDomainNameServer) {
		c.add(dhcpv4.OptionDomainNameServer.Code(), addrBytes(nw.dns...))
	}
	if want(dhcpv4.OptionBroadcastAddress) {
		c.add(dhcpv4.OptionBroadcastAddress.Code(), lastAddr(nw.prefix).AsSlice())
	}
}

// header fills the BOOTP fields that some phones read instead of options
// (PROVISIONING.md 6, TechnitiumSoftware/DnsServer#1078).
func (c *composer) header(r *request, kind *row, f *Facts) {
	if a := f.tftpAddr(); a.IsValid() {
		c.pkt.ServerIPAddr = a.AsSlice()
	}
	if host := f.tftpHost(); len(host) < 64 {
		c.pkt.ServerHostName = host
	}
	if file := kind.file(r.mac); slices.Contains(c.given, 67) && len(file) < 128 {
		c.pkt.BootFileName = file
	}
}

// add puts in an option if it has a value and fits into the client's largest message.
func (c *composer) add(code uint8, v []byte) bool {
	n := optionLen(v)
	if len(v) == 0 || c.size+n > c.limit {
		return false
	}
	c.size += n
	c.pkt.Options[code] = v
	return true
}

// force puts in an option that the protocol demands.
func (c *composer) force(code dhcpv4.OptionCode, v []byte) {
	c.size += optionLen(v)
	c.pkt.Options[code.Code()] = v
}

// optionLen is what v takes on the wire, split as RFC 3396 wants it.
func optionLen(v []byte) int { return len(v) + 2*max(1, (len(v)+254)/255) }

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
