// Package wire reads SIP messages where they lie: a Message is a view of a byte
// slice, and parsing allocates nothing. It is for the part of SIP that dialtone
// answers without transactions (REGISTER, malformed requests, framing); calls are
// parsed again by sipgo. It opens no sockets and keeps no state.
package wire

import (
	"errors"
	"iter"
	"unsafe"
)

// ErrNotSIP says that the bytes do not start like a SIP message and deserve no answer.
var ErrNotSIP = errors.New("not a sip message")

// maxHeaders bounds the header lines that are looked at.
const maxHeaders = 256

// Message is a view of one SIP message. Every string it returns shares memory
// with the bytes given to Parse: strings.Clone what outlives them.
type Message struct {
	buf     []byte
	method  span
	uri     span
	version span
	status  int // 0 for a request
	body    int // where the body begins
	fields  []field
	fault   Fault // the first thing found wrong while parsing
}

type span struct{ from, to int32 }

type field struct {
	name  Name
	label span // the name as written
	value span
}

// text is a string over the buffer.
func (m *Message) text(s span) string {
	return unsafe.String(unsafe.SliceData(m.buf[s.from:s.to]), int(s.to-s.from))
}

// IsRequest reports whether the message is a request.
func (m *Message) IsRequest() bool { return m.status == 0 }

// Method is the method of a request, in the letters of the sender.
func (m *Message) Method() string { return m.text(m.method) }

// URI is the Request-URI, not yet looked into.
func (m *Message) URI() string { return m.text(m.uri) }

// Status is the code of a response, 0 for a request.
func (m *Message) Status() int { return m.status }

// Get returns the first value of a header, trimmed; "" when it is absent.
func (m *Message) Get(name Name) string {
	for i := range m.fields {
		if m.fields[i].name == name {
			return trim(m.text(m.fields[i].value))
		}
	}
	return ""
}

// Has reports whether the header is there at all.
func (m *Message) Has(name Name) bool { return m.Count(name) > 0 }

// Lines yields the value of each line of that header, in order.
func (m *Message) Lines(name Name) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range m.fields {
			if m.fields[i].name == name && !yield(trim(m.text(m.fields[i].value))) {
				return
			}
		}
	}
}

// List yields each comma-separated element of all lines of that header.
func (m *Message) List(name Name) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range m.Lines(name) {
			for line != "" {
				var v string
				if v, line = CutList(line); v != "" && !yield(v) {
					return
				}
			}
		}
	}
}

// Bytes is the message without what followed it in the datagram.
func (m *Message) Bytes() []byte {
	if n, ok := m.ContentLength(); ok && n >= 0 && n < len(m.buf)-m.body {
		return m.buf[:m.body+n]
	}
	return m.buf
}

// HeadLen is the length of the start line and the headers with the empty line.
func (m *Message) HeadLen() int { return m.body }

// Move copies the message into dst's storage and makes that the view's memory.
func (m *Message) Move(dst []byte) []byte {
	m.buf = append(dst[:0], m.buf...)
	return m.buf
}

// Count returns how many lines of that header there are.
func (m *Message) Count(name Name) int {
	n := 0
	for i := range m.fields {
		if m.fields[i].name == name {
			n++
		}
	}
	return n
}

// Forget drops the bytes of the message and keeps the storage of the view.
func (m *Message) Forget() { *m = Message{fields: m.fields[:0]} }
