package fleet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"pbx.dev/dialtone/internal/phone"
)

// The DHCP options and message types that a fleet speaks (RFC 2132).
const (
	optMask        = 1
	optVendorInfo  = 43
	optAddress     = 50
	optType        = 53
	optServer      = 54
	optAsked       = 55
	optClass       = 60
	optTFTPServer  = 66
	optCustom      = 160
	optEnd         = 255
	typeDiscover   = 1
	typeOffer      = 2
	typeRequest    = 3
	typeAck        = 5
	typeNak        = 6
	bootRequest    = 1
	bootReply      = 2
	broadcastFlag  = 0x8000
	fixedLen       = 236 // of the BOOTP header (RFC 2131 figure 1)
	minLen         = 300 // of a BOOTP message (RFC 1542 2.1)
	maxPacket      = 1500
	etherAddresses = 1
)

var magicCookie = []byte{99, 130, 83, 99}

// errPacket is a datagram that is no reply of a DHCP server.
var errPacket = errors.New("no DHCP reply")

// request is what one phone sends.
type request struct {
	kind   byte
	xid    uint32
	mac    phone.MAC
	class  string
	server netip.Addr // of a REQUEST: whose offer is taken
	want   netip.Addr // of a REQUEST: the address offered
}

// encode writes r with the broadcast flag, since the phone has no address to
// take a unicast at. The options asked for are those of phone-facts/request_sequence.md 0.
func (r request) encode() []byte {
	b := make([]byte, fixedLen, minLen)
	b[0], b[1], b[2] = bootRequest, etherAddresses, 6
	binary.BigEndian.PutUint32(b[4:], r.xid)
	binary.BigEndian.PutUint16(b[10:], broadcastFlag)
	copy(b[28:], r.mac[:])
	b = append(b, magicCookie...)
	b = append(b, optType, 1, r.kind, optClass, byte(len(r.class)))
	b = append(b, r.class...)
	b = append(b, optAsked, 8, optMask, 3, 6, 42, optVendorInfo, optTFTPServer, 67, optCustom)
	if r.kind == typeRequest {
		b = append(b, optAddress, 4)
		b = append(b, r.want.AsSlice()...)
		b = append(b, optServer, 4)
		b = append(b, r.server.AsSlice()...)
	}
	b = append(b, optEnd)
	for len(b) < minLen {
		b = append(b, 0)
	}
	return b
}

// reply is what a phone reads of a server's answer.
type reply struct {
	kind   byte
	xid    uint32
	mac    phone.MAC
	yours  netip.Addr
	server netip.Addr
	url    string // option 160, 66, or sub-option 1 or 2 of option 43
}

// decode reads a reply; errPacket is anything else.
func decode(b []byte) (reply, error) {
	if len(b) < fixedLen+len(magicCookie) || b[0] != bootReply || !bytes.Equal(b[fixedLen:fixedLen+4], magicCookie) {
		return reply{}, errPacket
	}
	r := reply{xid: binary.BigEndian.Uint32(b[4:]), yours: netip.AddrFrom4([4]byte(b[16:20]))}
	copy(r.mac[:], b[28:])
	opts, err := options(b[fixedLen+4:])
	if err != nil || len(opts[optType]) != 1 {
		return reply{}, errPacket
	}
	r.kind = opts[optType][0]
	if s := opts[optServer]; len(s) == 4 {
		r.server = netip.AddrFrom4([4]byte(s))
	}
	r.url = bootURL(opts)
	return r, nil
}

// options reads a list of options; parts of one option are joined (RFC 3396).
func options(b []byte) (map[byte][]byte, error) {
	out := map[byte][]byte{}
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return nil, errPacket
		}
		out[b[0]] = append(out[b[0]], b[2:2+int(b[1])]...)
		b = b[2+int(b[1]):]
	}
	return out, nil
}

// bootURL picks the provisioning URL as phones do: a custom option, then 66, then
// 43 (phone-facts/request_sequence.md 0).
func bootURL(opts map[byte][]byte) string {
	for _, code := range []byte{optCustom, optTFTPServer} {
		if v := bytes.TrimRight(opts[code], "\x00"); len(v) > 0 {
			return string(v)
		}
	}
	sub, err := options(opts[optVendorInfo])
	if err != nil {
		return ""
	}
	for _, code := range []byte{1, 2} {
		if v := bytes.TrimRight(sub[code], "\x00"); len(v) > 0 {
			return string(v)
		}
	}
	return ""
}
