package wire

import "strings"

// Name is a header that the server reads; all others are Other.
type Name uint8

// The headers that have a Name, long and compact form alike.
const (
	Other Name = iota
	Via
	From
	To
	CallID
	CSeq
	Contact
	ContentLength
	ContentType
	Expires
	MaxForwards
	Authorization
	ProxyAuthorization
	Require
	ProxyRequire
	Supported
	Path
	Route
	UserAgent
	Event
	nameCount
)

// texts are the long forms, in the spelling of RFC 3261.
var texts = [nameCount]string{
	Via: "Via", From: "From", To: "To", CallID: "Call-ID", CSeq: "CSeq", Contact: "Contact",
	ContentLength: "Content-Length", ContentType: "Content-Type", Expires: "Expires",
	MaxForwards: "Max-Forwards", Authorization: "Authorization",
	ProxyAuthorization: "Proxy-Authorization", Require: "Require", ProxyRequire: "Proxy-Require",
	Supported: "Supported", Path: "Path", Route: "Route", UserAgent: "User-Agent", Event: "Event",
}

// String returns the long form.
func (n Name) String() string { return texts[n] }

// single are the headers of which a message has one at most (RFC 3261 section 7.3.1).
var single = [nameCount]bool{
	From: true, To: true, CallID: true, CSeq: true, ContentLength: true, ContentType: true,
	Expires: true, MaxForwards: true, Event: true,
}

// nameOf recognises a header name in any case.
func nameOf(s string) Name {
	switch len(s) {
	case 1:
		return compact(s[0] | 0x20)
	case 2:
		return match(s, To)
	case 3:
		return match(s, Via)
	case 4:
		return match(s, From, CSeq, Path)
	case 5:
		return match(s, Route, Event)
	case 7:
		return match(s, CallID, Contact, Expires, Require)
	case 9:
		return match(s, Supported)
	case 10:
		return match(s, UserAgent)
	case 12:
		return match(s, MaxForwards, ContentType)
	case 13:
		return match(s, Authorization, ProxyRequire)
	case 14:
		return match(s, ContentLength)
	case 19:
		return match(s, ProxyAuthorization)
	}
	return Other
}

// match compares as most phones write it first: that is much cheaper.
func match(s string, names ...Name) Name {
	for _, n := range names {
		if s == texts[n] {
			return n
		}
	}
	for _, n := range names {
		if strings.EqualFold(s, texts[n]) {
			return n
		}
	}
	return Other
}

// compact maps the compact forms of RFC 3261 section 7.3.3 and RFC 6665.
func compact(c byte) Name {
	switch c {
	case 'v':
		return Via
	case 'f':
		return From
	case 't':
		return To
	case 'i':
		return CallID
	case 'm':
		return Contact
	case 'l':
		return ContentLength
	case 'c':
		return ContentType
	case 'k':
		return Supported
	case 'o':
		return Event
	}
	return Other
}
