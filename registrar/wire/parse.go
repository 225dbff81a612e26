package wire

import (
	"bytes"
	"strings"
)

// Parse reads the start line and finds the headers of b, which it keeps and
// changes: line folding and control bytes inside headers become spaces. A message
// that is wrong but recognisable is no error; see Check. Storage of an earlier
// Parse is used again.
func (m *Message) Parse(b []byte) error {
	*m = Message{buf: b, fields: m.fields[:0]}
	at := 0
	for at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n' {
		at += 2 // RFC 3261 section 7.5
	}
	end := bytes.IndexByte(b[at:], '\n')
	if end < 1 || b[at+end-1] != '\r' {
		return ErrNotSIP
	}
	if err := m.startLine(at, at+end-1); err != nil {
		return err
	}
	m.headers(at + end + 1)
	return nil
}

// startLine reads b[from:to]. What stands before the version tells requests from
// anything else; how it is written is left to Check.
func (m *Message) startLine(from, to int) error {
	line := m.text(span{int32(from), int32(to)})
	if len(line) > 4 && strings.EqualFold(line[:4], "SIP/") {
		return m.statusLine(line, from)
	}
	v := strings.LastIndex(line, " SIP/")
	if v < 0 {
		v = strings.LastIndex(line, " sip/")
	}
	sp := strings.IndexByte(line, ' ')
	if v < 0 || sp < 1 || !token(line[:sp]) {
		return ErrNotSIP
	}
	m.method = span{int32(from), int32(from + sp)}
	m.version = span{int32(from + v + 1), int32(to)}
	m.uri = m.method
	if sp < v {
		m.uri = span{int32(from + sp + 1), int32(from + v)}
	}
	if uri := m.URI(); sp >= v || uri == "" || !printable(uri) || strings.ContainsAny(uri, " <>\"") {
		m.wrong("Bad Request-URI")
	}
	return nil
}

func (m *Message) statusLine(line string, from int) error {
	sp := strings.IndexByte(line, ' ')
	if sp < 0 || len(line) < sp+4 {
		return ErrNotSIP
	}
	m.version = span{int32(from), int32(from + sp)}
	for _, c := range []byte(line[sp+1 : sp+4]) {
		if c < '0' || c > '9' {
			return ErrNotSIP
		}
		m.status = m.status*10 + int(c-'0')
	}
	if m.status < 100 || m.status > 699 || len(line) > sp+4 && line[sp+4] != ' ' {
		return ErrNotSIP
	}
	return nil
}

// headers finds the header lines from at on and where the body begins.
func (m *Message) headers(at int) {
	for at < len(m.buf) {
		end := bytes.IndexByte(m.buf[at:], '\n')
		if end < 0 {
			break
		}
		line := m.buf[at : at+end]
		if len(line) == 1 && line[0] == '\r' {
			m.body = at + end + 1
			return
		}
		to := at + end
		if n := len(line); n > 0 && line[n-1] == '\r' {
			to--
		} else {
			m.wrong("Bad Line End")
		}
		m.headerLine(at, to)
		at += end + 1
	}
	m.wrong("Incomplete Message")
	m.body = len(m.buf)
}

// headerLine records one line without its end. A line that begins with white
// space continues the one before (RFC 3261 section 7.3.1).
func (m *Message) headerLine(from, to int) {
	m.blank(from, to)
	if from < to && isSpace(m.buf[from]) {
		if len(m.fields) == 0 {
			m.wrong("Bad Header Line")
			return
		}
		last := &m.fields[len(m.fields)-1]
		for i := last.value.to; i < int32(from); i++ {
			m.buf[i] = ' '
		}
		last.value.to = int32(to)
		return
	}
	colon := bytes.IndexByte(m.buf[from:to], ':')
	if colon < 1 || len(m.fields) == maxHeaders {
		m.wrong("Bad Header Line")
		return
	}
	label := span{int32(from), int32(from + colon)}
	for label.to > label.from && isSpace(m.buf[label.to-1]) {
		label.to--
	}
	name := m.text(label)
	if !token(name) {
		m.wrong("Bad Header Name")
		return
	}
	m.fields = append(m.fields, field{nameOf(name), label, span{int32(from + colon + 1), int32(to)}})
}

// blank makes the line safe to copy into an answer: a control byte is a fault.
func (m *Message) blank(from, to int) {
	line := m.buf[from:to]
	if !controls(line) {
		return
	}
	for i, c := range line {
		if c < 0x20 && c != '\t' || c == 0x7f {
			line[i] = ' '
			m.wrong("Control Byte In Header")
		}
	}
}

// wrong notes the first fault.
func (m *Message) wrong(reason string) {
	if m.fault.Code == 0 {
		m.fault = Fault{400, reason}
	}
}
