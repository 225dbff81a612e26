package wire

import (
	"net/netip"
	"strings"
)

// ViaValue is one hop of a Via header.
type ViaValue struct {
	Transport string // as written, "UDP"
	Host      string // sent-by host; an IPv6 reference keeps its brackets
	Port      uint16 // 0 when absent
	Params    string // with the leading ';', or empty

	head string // protocol and sent-by as written
}

// defaultPort is where responses go when sent-by names no port.
const defaultPort = 5060

// ParseVia reads one element of a Via header.
func ParseVia(s string) (ViaValue, bool) {
	v := ViaValue{head: s}
	if semi := strings.IndexByte(s, ';'); semi >= 0 {
		v.head, v.Params = trim(s[:semi]), s[semi:]
	}
	name, rest, ok1 := strings.Cut(v.head, "/")
	version, rest, ok2 := strings.Cut(rest, "/")
	rest = trim(rest)
	end := strings.IndexAny(rest, " \t")
	if !ok1 || !ok2 || end < 0 || !strings.EqualFold(trim(name), "SIP") || trim(version) != "2.0" {
		return v, false
	}
	v.Transport = rest[:end]
	hostPort := trim(rest[end:])
	if strings.ContainsAny(hostPort, " \t") { // "host : port" is allowed, if rare
		hostPort = strings.NewReplacer(" ", "", "\t", "").Replace(hostPort)
	}
	var ok bool
	v.Host, v.Port, ok = splitHostPort(hostPort)
	return v, ok && token(v.Transport) && wellFormed(v.Params)
}

// TopVia returns the hop that the request came from; false when it cannot be
// read, and then there is nobody to answer.
func (m *Message) TopVia() (ViaValue, bool) {
	first, _ := CutList(m.Get(Via))
	return ParseVia(first)
}

// ReplyTo returns where the response to a request over UDP goes that came from
// src (RFC 3581 section 4, else RFC 3261 section 18.2.2).
func (v ViaValue) ReplyTo(src netip.AddrPort) netip.AddrPort {
	if _, ok := Param(v.Params, "rport"); ok {
		return src
	}
	if v.Port != 0 {
		return netip.AddrPortFrom(src.Addr(), v.Port)
	}
	return netip.AddrPortFrom(src.Addr(), defaultPort)
}

// appendTo appends the hop with received and rport filled in from src: received
// always when it differs from sent-by (RFC 3261 section 18.2.1), both when rport
// was asked for (RFC 3581 section 4).
func (v ViaValue) appendTo(dst []byte, src netip.AddrPort) []byte {
	dst = append(dst, v.head...)
	rport := false
	for params := v.Params; params != ""; {
		var name, value string
		name, value, params = CutParam(params)
		switch {
		case name == "" || strings.EqualFold(name, "received"):
			continue
		case strings.EqualFold(name, "rport"):
			rport = true
			continue
		}
		dst = append(dst, ';')
		dst = append(dst, name...)
		if value != "" {
			dst = append(dst, '=')
			dst = append(dst, value...)
		}
	}
	if rport {
		dst = append(dst, ";rport="...)
		dst = appendUint(dst, uint64(src.Port()))
	}
	if rport || !sameHost(v.Host, src.Addr()) {
		dst = append(dst, ";received="...)
		dst = src.Addr().AppendTo(dst)
	}
	return dst
}

// sameHost reports whether sent-by is the very address a request came from.
func sameHost(host string, src netip.Addr) bool {
	a, ok := ParseIP(host)
	return ok && a == src
}
