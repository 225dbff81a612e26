package edge

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"
)

// kind is what the first bytes of a datagram tell.
type kind int

const (
	kindMessage kind = iota
	kindKeepalive
	kindSTUN
)

// stunCookie is the fixed part of a STUN header (RFC 8489 section 5).
const stunCookie = 0x2112A442

// classify tells messages from what phones send to keep a NAT open: line ends
// (RFC 5626), zero bytes, "jaK" (pjsip's old default), STUN.
func classify(b []byte) kind {
	switch {
	case len(b) == 0:
		return kindKeepalive
	case b[0] > ' ':
		if len(b) <= 5 && bytes.HasPrefix(b, []byte("jaK")) {
			return kindKeepalive
		}
		return kindMessage
	case len(b) >= 20 && b[0] < 2 && binary.BigEndian.Uint32(b[4:]) == stunCookie:
		return kindSTUN
	case len(bytes.Trim(b, "\r\n\x00 \t")) == 0:
		return kindKeepalive
	}
	return kindMessage
}

// answerSTUN answers a binding request (RFC 5626 section 4.4.2). It is paid for
// like a message.
func (p *packetSocket) answerSTUN(data []byte, from netip.AddrPort) {
	s := p.server
	if !from.IsValid() || !s.budgets.Take(s.budgets.Key(from.Addr(), ""), 1, time.Now()) {
		s.metrics.dropped[dropBudget].Inc()
		return
	}
	buf := s.buffers.Get().(*buffer)
	var ok bool
	if buf.b, ok = appendSTUN(buf.b[:0], data, from); !ok {
		s.recycle(buf)
		return
	}
	p.sender.add(outgoing{buf, from}, false)
}

// appendSTUN appends the response to a binding request: XOR-MAPPED-ADDRESS with
// where it came from (RFC 8489 section 14.2). False when it is no such request.
func appendSTUN(dst, req []byte, from netip.AddrPort) ([]byte, bool) {
	const bindingRequest, bindingSuccess, xorMappedAddress = 0x0001, 0x0101, 0x0020
	if binary.BigEndian.Uint16(req) != bindingRequest || int(binary.BigEndian.Uint16(req[2:])) != len(req)-20 {
		return dst, false
	}
	family, addr := byte(1), from.Addr().AsSlice()
	if len(addr) == 16 {
		family = 2
	}
	dst = binary.BigEndian.AppendUint16(dst, bindingSuccess)
	dst = binary.BigEndian.AppendUint16(dst, uint16(8+len(addr)))
	dst = append(dst, req[4:20]...)
	dst = binary.BigEndian.AppendUint16(dst, xorMappedAddress)
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+len(addr)))
	dst = append(dst, 0, family)
	dst = binary.BigEndian.AppendUint16(dst, from.Port()^uint16(stunCookie>>16))
	for i, b := range addr {
		dst = append(dst, b^req[4+i])
	}
	return dst, true
}
