package location

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A value in Redis is a JSON object with its members in this order, without blanks
// but after the CSeq, which has 10 places: what a refresh changes stands in front and
// at the same place in every value, so that a script reads and writes it without
// touching the rest. The rest is the content, and equal content is equal text:
//
//	{"v":2,"refreshedAt":MS,"expiresAt":MS,"cseq":N         ,"registeredAt":MS,
//	"hash":"..","callId":"..","device":"..","aor":"..","id":"..","contact":"..",...}
//
// The hash is that of Call-ID and content. Times are unix milliseconds by the clock
// of Redis, 13 digits until the year 2286. Members with their zero value are left
// out, save device, contact and q. In texts '"', '\' and control characters, and
// bytes that are not UTF-8, are \u00XX for the byte XX: the object is valid JSON, and
// every text comes back byte for byte.

// appendCSeq appends a CSeq in the places that it has.
func appendCSeq(b []byte, cseq uint32) []byte {
	start := len(b)
	b = strconv.AppendUint(b, uint64(cseq), 10)
	return append(b, "          "[:10-(len(b)-start)]...)
}

// appendHash appends the hash of a value, given its Call-ID and content as they
// stand there. Two that are equal mean equal texts, whoever chose them.
func appendHash(b, callID, content []byte) []byte {
	var room [1024]byte
	text := append(append(append(room[:0], callID...), ','), content...)
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:12])
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
				b = appendByte(b, c)
			} else {
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = appendByte(b, c)
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}

func appendByte(b []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// appendContent appends the second part of a value, for the AOR given.
func appendContent(b []byte, c *Binding, aor AOR) []byte {
	b = appendString(append(b, `"device":`...), c.Device)
	b = appendString(append(b, `,"aor":`...), string(aor))
	b = appendString(append(b, `,"id":`...), c.ID)
	b = appendString(append(b, `,"contact":`...), c.Contact)
	for _, f := range [...]struct{ name, value string }{
		{`,"params":`, c.Params},
		{`,"received":`, c.Received},
		{`,"transport":`, c.Transport},
		{`,"socket":`, c.Socket},
		{`,"node":`, c.Node},
		{`,"boot":`, c.Boot},
		{`,"flow":`, c.Flow},
		{`,"instance":`, c.Instance},
		{`,"userAgent":`, c.UserAgent},
		{`,"authUser":`, c.AuthUser},
	} {
		if f.value != "" {
			b = appendString(append(b, f.name...), f.value)
		}
	}
	if c.RegID != 0 {
		b = strconv.AppendInt(append(b, `,"regId":`...), int64(c.RegID), 10)
	}
	b = strconv.AppendInt(append(b, `,"q":`...), int64(c.Q), 10)
	for i, p := range c.Path {
		if i == 0 {
			b = append(b, `,"path":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(b, p)
	}
	if len(c.Path) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

var errValue = errors.New("value is not a binding")

// parseRecord reads a value. Members it does not know are skipped, so that a
// later version may add some.
func parseRecord(s string) (Binding, error) {
	p := parser{rest: s}
	var b Binding
	p.expect('{')
	for !p.bad {
		name := p.text()
		p.expect(':')
		p.member(name, &b)
		if len(p.rest) == 0 || p.rest[0] != ',' {
			break
		}
		p.expect(',')
	}
	p.expect('}')
	if p.bad || b.ID == "" || b.AOR == "" {
		return Binding{}, errValue
	}
	return b, nil
}

func (p *parser) member(name string, b *Binding) {
	if s := textMember(name, b); s != nil {
		*s = p.text()
		return
	}
	switch name {
	case "registeredAt":
		b.RegisteredAt = fromMillis(p.number())
	case "refreshedAt":
		b.RefreshedAt = fromMillis(p.number())
	case "expiresAt":
		b.ExpiresAt = fromMillis(p.number())
	case "cseq":
		b.CSeq = uint32(p.number())
	case "regId":
		b.RegID = int(p.number())
	case "q":
		b.Q = int(p.number())
	case "path":
		b.Path = p.texts()
	default:
		p.skip()
	}
}

func textMember(name string, b *Binding) *string {
	switch name {
	case "callId":
		return &b.CallID
	case "device":
		return &b.Device
	case "aor":
		return (*string)(&b.AOR)
	case "id":
		return &b.ID
	case "contact":
		return &b.Contact
	case "params":
		return &b.Params
	case "received":
		return &b.Received
	case "transport":
		return &b.Transport
	case "socket":
		return &b.Socket
	case "node":
		return &b.Node
	case "boot":
		return &b.Boot
	case "flow":
		return &b.Flow
	case "instance":
		return &b.Instance
	case "userAgent":
		return &b.UserAgent
	case "authUser":
		return &b.AuthUser
	}
	return nil
}

// parser reads the JSON that appendContent and apply.lua write. After the first
// mistake it is bad and gives zero values.
type parser struct {
	rest string
	bad  bool
}

func (p *parser) fail() {
	p.bad, p.rest = true, ""
}

func (p *parser) expect(c byte) {
	if len(p.rest) == 0 || p.rest[0] != c {
		p.fail()
		return
	}
	p.rest = p.rest[1:]
}

// text reads a string; without an escape it is a part of the value.
func (p *parser) text() string {
	p.expect('"')
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '"':
			s := p.rest[:i]
			p.rest = p.rest[i+1:]
			return s
		case '\\':
			return p.escaped(i)
		}
	}
	p.fail()
	return ""
}

// escaped reads on from the first backslash, which is at i.
func (p *parser) escaped(i int) string {
	out := append(make([]byte, 0, 2*i+16), p.rest[:i]...)
	for i < len(p.rest) {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return string(out)
		case '\\':
			v, err := strconv.ParseUint(p.rest[min(i+2, len(p.rest)):min(i+6, len(p.rest))], 16, 8)
			if err != nil || p.rest[i+1] != 'u' {
				p.fail()
				return ""
			}
			out = append(out, byte(v))
			i += 6
		default:
			out = append(out, c)
			i++
		}
	}
	p.fail()
	return ""
}

func (p *parser) number() int64 {
	n := 0
	for n < len(p.rest) && (p.rest[n] == '-' || p.rest[n] >= '0' && p.rest[n] <= '9') {
		n++
	}
	v, err := strconv.ParseInt(p.rest[:n], 10, 64)
	if err != nil {
		p.fail()
		return 0
	}
	p.rest = strings.TrimLeft(p.rest[n:], " ")
	return v
}

func (p *parser) texts() []string {
	var out []string
	p.expect('[')
	for !p.bad {
		out = append(out, p.text())
		if len(p.rest) == 0 || p.rest[0] != ',' {
			break
		}
		p.expect(',')
	}
	p.expect(']')
	return out
}

// skip passes over a text, a number or a list of texts.
func (p *parser) skip() {
	switch {
	case len(p.rest) > 0 && p.rest[0] == '"':
		p.text()
	case len(p.rest) > 0 && p.rest[0] == '[':
		p.texts()
	default:
		p.number()
	}
}

// decodeValues reads the values of a reply and puts them in the order of an
// answer. What has ended at now, or is no binding, is left out.
func decodeValues(out []Binding, values []any, now int64) []Binding {
	out = slices.Grow(out, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			continue
		}
		if b, err := parseRecord(s); err == nil && b.live(now) {
			out = append(out, b)
		}
	}
	sortBindings(out)
	return out
}
