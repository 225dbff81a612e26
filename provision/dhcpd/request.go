package dhcpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"pbx.dev/dialtone/internal/phone"
)

// errNotRequest is a well-formed packet that is none of our business.
var errNotRequest = errors.New("not a request of an Ethernet DHCP client")

const (
	headerLen = 240 // fixed fields and cookie, RFC 2131 section 2
	snameAt   = 44
	fileAt    = 108
	fileEnd   = 236
	chaddrAt  = 28
)

// request is a client's message, read once. Addresses are the zero Addr when
// absent or 0.0.0.0.
type request struct {
	pkt       *dhcpv4.DHCPv4
	typ       dhcpv4.MessageType
	mac       phone.MAC
	peer      netip.AddrPort // who sent the datagram: the client or a relay
	ciaddr    netip.Addr
	giaddr    netip.Addr
	subnet    netip.Addr // what the relay says the client's network is; giaddr, or RFC 3527
	requested netip.Addr // option 50
	serverID  netip.Addr // option 54
	asked     []byte     // option 55; empty: the client sent none
	limit     int        // largest reply, bytes of UDP payload
}

// parse reads a datagram. The request shares no memory with b.
func parse(b []byte, peer netip.AddrPort) (*request, error) {
	pkt, err := dhcpv4.FromBytes(b)
	if errors.Is(err, io.ErrUnexpectedEOF) && len(b) > headerLen {
		// Only the End option is missing. Others accept that, and so do we.
		pkt, err = dhcpv4.FromBytes(append(bytes.Clone(b), dhcpv4.OptionEnd.Code()))
	}
	if err != nil {
		return nil, err
	}
	r := &request{pkt: pkt, peer: netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())}
	if pkt.OpCode != dhcpv4.OpcodeBootRequest || pkt.HWType != iana.HWTypeEthernet || len(pkt.ClientHWAddr) != len(r.mac) {
		return nil, errNotRequest
	}
	r.mac = phone.MAC(pkt.ClientHWAddr)
	if r.mac.IsZero() || r.mac[0]&1 != 0 { // a group address is nobody's
		return nil, errNotRequest
	}
	readOverload(pkt.Options, b)
	r.typ = pkt.MessageType()
	switch r.typ {
	case dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeDecline,
		dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeInform:
	default:
		return nil, errNotRequest
	}
	r.ciaddr, r.giaddr = fromIP(pkt.ClientIPAddr), fromIP(pkt.GatewayIPAddr)
	r.requested = fromIP(net.IP(pkt.Options.Get(dhcpv4.OptionRequestedIPAddress)))
	r.serverID = fromIP(net.IP(pkt.Options.Get(dhcpv4.OptionServerIdentifier)))
	r.asked = pkt.Options.Get(dhcpv4.OptionParameterRequestList)
	r.subnet = selectedSubnet(pkt, r.giaddr)
	r.limit = replyLimit(pkt.Options)
	return r, nil
}

// readOverload adds the options that a client put into the file and sname
// fields (option 52; RFC 2132 section 9.3, order of RFC 3396). The library does
// not. A malformed field is left out.
func readOverload(opts dhcpv4.Options, b []byte) {
	v := opts.Get(dhcpv4.OptionOptionOverload)
	if len(v) != 1 {
		return
	}
	var fields [][]byte
	if v[0]&1 != 0 {
		fields = append(fields, b[fileAt:fileEnd])
	}
	if v[0]&2 != 0 {
		fields = append(fields, b[snameAt:fileAt])
	}
	for _, f := range fields {
		extra := dhcpv4.Options{}
		if extra.FromBytes(f) != nil {
			continue
		}
		for code, data := range extra {
			opts[code] = append(opts[code], data...)
		}
	}
}

// selectedSubnet is an address in the client's network as a relay tells it:
// link selection (RFC 3527) where the relay uses it, else giaddr.
func selectedSubnet(pkt *dhcpv4.DHCPv4, giaddr netip.Addr) netip.Addr {
	const linkSelection = 5
	if info := pkt.RelayAgentInfo(); info != nil && giaddr.IsValid() {
		if a := fromIP(net.IP(info.Options[linkSelection])); a.IsValid() {
			return a
		}
	}
	return giaddr
}

// replyLimit is how long a reply may be: option 57 counts the IP and UDP
// headers too; below 576 it is not valid (RFC 2132 section 9.10), and above
// 1500 the reply would be fragmented.
func replyLimit(opts dhcpv4.Options) int {
	const least, most, headers = 576, 1500, 28
	n := least
	if v := opts.Get(dhcpv4.OptionMaximumDHCPMessageSize); len(v) == 2 {
		n = min(max(least, int(binary.BigEndian.Uint16(v))), most)
	}
	return n - headers
}

// asksFor reports whether the parameter request list names one of codes.
func (r *request) asksFor(codes ...uint8) bool {
	return slices.ContainsFunc(codes, func(c uint8) bool { return bytes.IndexByte(r.asked, c) >= 0 })
}

// fromIP is the IPv4 address in ip; the zero Addr for none, 0.0.0.0 and
// anything that is not four bytes.
func fromIP(ip net.IP) netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok && a.Is4() && !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}

func toUint(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func fromUint(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// printable is b as text: printable ASCII without NUL and blank tails, at most
// 128 bytes. Cisco and others end option 60 with a NUL.
func printable(b []byte) string {
	out := make([]byte, 0, min(len(b), 128))
	for _, c := range b {
		if c >= ' ' && c <= '~' && len(out) < 128 {
			out = append(out, c)
		}
	}
	return string(bytes.TrimSpace(out))
}
