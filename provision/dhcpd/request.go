package dhcpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// errNotRequest is a well-formed packet that is none of our business.
var errNotRequest = errors.New("not a request of an Ethernet DHCP client")

// Where the fixed fields are (RFC 2131 section 2). The codec is our own, since the
// library's costs more than all the rest of an answer; the tests read every reply
// with the library.
const (
	headerLen = 240 // fixed fields and cookie
	xidAt     = 4
	flagsAt   = 10
	ciaddrAt  = 12
	yiaddrAt  = 16
	siaddrAt  = 20
	giaddrAt  = 24
	chaddrAt  = 28
	snameAt   = 44
	fileAt    = 108
	fileEnd   = 236
	cookie    = 0x63825363

	bootRequest, bootReply = 1, 2
	ethernet               = 1
	broadcastFlag          = 0x80
)

// request is a client's message, read once. Addresses are the zero Addr when
// absent or 0.0.0.0.
type request struct {
	header    []byte // the fixed fields
	opts      options
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

// parse reads a datagram. The request is valid as long as b is.
func parse(b []byte, peer netip.AddrPort) (*request, error) {
	if len(b) < headerLen || binary.BigEndian.Uint32(b[fileEnd:]) != cookie ||
		b[0] != bootRequest || b[1] != ethernet || b[2] != 6 {
		return nil, errNotRequest
	}
	r := &request{header: b[:headerLen:headerLen], peer: netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), mac: phone.MAC(b[chaddrAt : chaddrAt+6])}
	if r.mac.IsZero() || r.mac[0]&1 != 0 { // a group address is nobody's
		return nil, errNotRequest
	}
	if err := r.opts.read(b[headerLen:]); err != nil {
		return nil, err
	}
	r.readOverload(b)
	if v := r.opts.get(optType); len(v) == 1 {
		r.typ = dhcpv4.MessageType(v[0])
	}
	switch r.typ {
	case dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeDecline,
		dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeInform:
	default:
		return nil, errNotRequest
	}
	r.ciaddr, r.giaddr = fromBytes(b[ciaddrAt:yiaddrAt]), fromBytes(b[giaddrAt:chaddrAt])
	r.requested = fromBytes(r.opts.get(optRequested))
	r.serverID = fromBytes(r.opts.get(optServerID))
	r.asked = r.opts.get(optAsked)
	r.subnet = r.selectedSubnet()
	r.limit = replyLimit(r.opts.get(optMaxSize))
	return r, nil
}

// readOverload adds the options that a client put into the file and sname
// fields (option 52; RFC 2132 section 9.3, order of RFC 3396). A malformed field
// is left out.
func (r *request) readOverload(b []byte) {
	v := r.opts.get(optOverload)
	if len(v) != 1 {
		return
	}
	for _, f := range []struct {
		bit   uint8
		field []byte
	}{{1, b[fileAt:fileEnd]}, {2, b[snameAt:fileAt]}} {
		var extra options
		if v[0]&f.bit == 0 || extra.read(f.field) != nil {
			continue
		}
		for _, o := range extra.list {
			r.opts.add(o.code, o.data)
		}
	}
}

// selectedSubnet is an address in the client's network as a relay tells it:
// link selection (RFC 3527) where the relay uses it, else giaddr.
func (r *request) selectedSubnet() netip.Addr {
	const linkSelection = 5
	if !r.giaddr.IsValid() {
		return r.giaddr
	}
	var sub options
	if sub.read(r.opts.get(optRelay)) == nil {
		if a := fromBytes(sub.get(linkSelection)); a.IsValid() {
			return a
		}
	}
	return r.giaddr
}

// replyLimit is how long a reply may be: option 57 counts the IP and UDP
// headers too; below 576 it is not valid (RFC 2132 section 9.10), and above
// 1500 the reply would be fragmented.
func replyLimit(v []byte) int {
	const least, most, headers = 576, 1500, 28
	n := least
	if len(v) == 2 {
		n = min(max(least, int(binary.BigEndian.Uint16(v))), most)
	}
	return n - headers
}

// asksFor reports whether the parameter request list names one of codes.
func (r *request) asksFor(codes ...uint8) bool {
	return slices.ContainsFunc(codes, func(c uint8) bool { return bytes.IndexByte(r.asked, c) >= 0 })
}

// fromBytes is the IPv4 address in b; the zero Addr for none, 0.0.0.0 and
// anything that is not four bytes.
func fromBytes(b []byte) netip.Addr {
	if len(b) != 4 || b[0]|b[1]|b[2]|b[3] == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
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
