package wire

import (
	"net/netip"
	"strconv"
)

// AppendReply appends the status line of a response and the headers that every
// response takes from its request (RFC 3261 section 8.2.6): the Via stack with
// received and rport of src, From, To with the tag given unless it has one,
// Call-ID and CSeq. Headers that a faulty request lacks are left out. Append what
// else the response has, then AppendEnd.
func (m *Message) AppendReply(dst []byte, status int, reason, tag string, src netip.AddrPort) []byte {
	dst = append(dst, "SIP/2.0 "...)
	dst = appendUint(dst, uint64(status))
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	dst = append(dst, '\r', '\n')
	dst = m.appendVias(dst, src)
	for _, name := range [...]Name{From, To, CallID, CSeq} {
		value := m.Get(name)
		if value == "" {
			continue
		}
		dst = append(dst, texts[name]...)
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		if name == To && !hasTag(value) {
			dst = append(dst, ";tag="...)
			dst = append(dst, tag...)
		}
		dst = append(dst, '\r', '\n')
	}
	return dst
}

func (m *Message) appendVias(dst []byte, src netip.AddrPort) []byte {
	top := true
	for line := range m.Lines(Via) {
		dst = append(dst, "Via: "...)
		if top {
			first, rest := CutList(line)
			if v, ok := ParseVia(first); ok {
				dst = v.appendTo(dst, src)
			} else {
				dst = append(dst, first...)
			}
			if rest != "" {
				dst = append(dst, ", "...)
			}
			line, top = rest, false
		}
		dst = append(dst, line...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// hasTag reports whether a To value has a tag. One that cannot be read counts as
// tagged: it is echoed as it is.
func hasTag(value string) bool {
	a, ok := ParseNameAddr(value)
	if !ok {
		return true
	}
	_, tagged := Param(a.Params, "tag")
	return tagged
}

// AppendHeader appends one header line.
func AppendHeader(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

// AppendEnd ends a message without a body.
func AppendEnd(dst []byte) []byte {
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }
