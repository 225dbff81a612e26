package wire

import "strings"

// separators are what white space may surround without meaning anything, by header.
var separators = [nameCount]string{Via: "/;,=:", CSeq: " ", From: ";=", To: ";="}

// Tidy takes the white space out of Via, CSeq, From and To that RFC 3261 allows there
// and others do not expect, as in "SIP / 2.0 / UDP host ; branch = z9hG4bK1". The message
// keeps its length: what is taken out becomes white space at the end of the line.
func (m *Message) Tidy() {
	for i := range m.fields {
		f := &m.fields[i]
		if separators[f.name] == "" {
			continue
		}
		value := m.buf[f.value.from:f.value.to]
		for len(value) > 0 && isSpace(value[0]) { // after the colon
			value = value[1:]
		}
		tidy(value, separators[f.name])
	}
}

// tidy moves the white space beside a separator to the end; other white space becomes
// one blank, and that in quotes stays.
func tidy(b []byte, separators string) {
	out, quoted, blank := 0, false, false
	separates := func(c byte) bool { return strings.IndexByte(separators, c) >= 0 }
	for i := 0; i < len(b); i++ {
		c := b[i]
		if !quoted && isSpace(c) {
			blank = true
			continue
		}
		if blank && out > 0 && !separates(c) && !separates(b[out-1]) {
			b[out] = ' '
			out++
		}
		blank = false
		if quoted && c == '\\' && i+1 < len(b) {
			b[out], out, i = c, out+1, i+1
			c = b[i]
		} else if c == '"' {
			quoted = !quoted
		}
		b[out] = c
		out++
	}
	for ; out < len(b); out++ {
		b[out] = ' '
	}
}
