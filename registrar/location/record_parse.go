package location

import (
	"errors"
	"strconv"
	"strings"
)

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
