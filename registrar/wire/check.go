package wire

import (
	"math"
	"strconv"
	"strings"
)

// Fault is why a message cannot be processed: a status code and a reason phrase
// that names the header. The zero Fault is none.
type Fault struct {
	Code   int
	Reason string
}

// Check validates what every message must have (RFC 3261 sections 8.1.1 and
// 8.2), beyond what sipgo looks at. Max-Forwards may be absent: old phones and
// RFC 2543 have none.
func (m *Message) Check() Fault {
	// The version goes first: another version may have another grammar.
	if v := m.text(m.version); !strings.EqualFold(v, "SIP/2.0") {
		if major, minor, ok := strings.Cut(v[4:], "."); ok && digits(major) && digits(minor) {
			return Fault{505, "Version Not Supported"}
		}
		return Fault{400, "Bad Start Line"}
	}
	if m.fault.Code != 0 {
		return m.fault
	}
	if f := m.checkCount(); f.Code != 0 {
		return f
	}
	for _, check := range [...]func(*Message) Fault{checkCSeq, checkAddresses, checkNumbers, checkVia} {
		if f := check(m); f.Code != 0 {
			return f
		}
	}
	return Fault{}
}

// required are the headers without which a message has no identity.
var required = [...]Name{Via, From, To, CallID, CSeq}

func (m *Message) checkCount() Fault {
	var seen [nameCount]bool
	for i := range m.fields {
		name := m.fields[i].name
		if seen[name] && single[name] {
			return Fault{400, "Duplicate " + name.String() + " Header"}
		}
		seen[name] = true
	}
	for _, name := range required {
		if !seen[name] {
			return Fault{400, "Missing " + name.String() + " Header"}
		}
	}
	return Fault{}
}

func checkCSeq(m *Message) Fault {
	_, method, ok := m.CSeq()
	switch {
	case !ok:
		return Fault{400, "Bad CSeq Header"}
	case m.IsRequest() && method != m.Method():
		return Fault{400, "CSeq Method Does Not Match"}
	}
	return Fault{}
}

func checkAddresses(m *Message) Fault {
	for _, name := range [...]Name{From, To} {
		if a, ok := ParseNameAddr(m.Get(name)); !ok || !hasScheme(a.URI) || !wellFormed(a.Params) {
			return Fault{400, "Bad " + name.String() + " Header"}
		}
	}
	if id := m.Get(CallID); id == "" || strings.ContainsAny(id, " \t") {
		return Fault{400, "Bad Call-ID Header"}
	}
	return Fault{}
}

func checkNumbers(m *Message) Fault {
	if n, ok := m.ContentLength(); ok && (n < 0 || n > len(m.buf)-m.body) {
		return Fault{400, "Bad Content-Length Header"}
	}
	if m.Has(MaxForwards) {
		if _, err := strconv.ParseUint(m.Get(MaxForwards), 10, 8); err != nil {
			return Fault{400, "Bad Max-Forwards Header"}
		}
	}
	return Fault{}
}

func checkVia(m *Message) Fault {
	for v := range m.List(Via) {
		if _, ok := ParseVia(v); !ok {
			return Fault{400, "Bad Via Header"}
		}
	}
	return Fault{}
}

// CSeq returns the number and the method of the CSeq header; false when it is
// not a number below 2^31 and a method.
func (m *Message) CSeq() (n uint32, method string, ok bool) {
	v := m.Get(CSeq)
	end := strings.IndexAny(v, " \t")
	if end < 0 {
		return 0, "", false
	}
	num, err := strconv.ParseUint(v[:end], 10, 32)
	method = trim(v[end:])
	return uint32(num), method, err == nil && num <= math.MaxInt32 && token(method)
}

// ContentLength returns the Content-Length; false when the header is absent, -1
// when it is not a number.
func (m *Message) ContentLength() (n int, ok bool) {
	v := m.Get(ContentLength)
	if v == "" {
		return -1, m.Has(ContentLength)
	}
	num, err := strconv.ParseUint(v, 10, 31)
	if err != nil || !digits(v) {
		return -1, true
	}
	return int(num), true
}

// wellFormed refuses parameter lists with an empty element or an open quote.
func wellFormed(params string) bool {
	for params != "" {
		var name string
		var value string
		name, value, params = CutParam(params)
		quote := strings.IndexByte(value, '"')
		if name == "" || strings.IndexByte(name, '"') >= 0 || quote >= 0 && quotedEnd(value[quote:]) < 0 {
			return false
		}
	}
	return true
}

// hasScheme reports whether a URI starts with a scheme and a colon.
func hasScheme(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || rest == "" || scheme == "" || !isAlpha(scheme[0]) {
		return false
	}
	for i := 0; i < len(scheme); i++ {
		if c := scheme[i]; !isAlnum(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
