package edge

import (
	"bytes"
	"errors"

	"pbx.dev/dialtone/registrar/wire"
)

// Limits of a message on a stream, in bytes.
const (
	maxHead    = 32 << 10
	maxMessage = 64 << 10
	firstRead  = 2 << 10 // memory of an idle connection
)

// errFraming: there is no telling where the next message begins.
var errFraming = errors.New("message without an end")

// framer cuts a stream into messages (RFC 3261 section 18.3).
type framer struct {
	buf     []byte
	scanned int // bytes in which the end of the headers is not
	need    int // length of the message at the front, 0 while unknown
	ends    int // line ends seen since the last message
}

// space returns where to read to.
func (f *framer) space() []byte {
	if cap(f.buf)-len(f.buf) < firstRead/2 {
		grown := make([]byte, len(f.buf), max(firstRead, 2*cap(f.buf)))
		copy(grown, f.buf)
		f.buf = grown
	}
	return f.buf[len(f.buf):cap(f.buf)]
}

// fill says that n bytes were read into space.
func (f *framer) fill(n int) { f.buf = f.buf[:len(f.buf)+n] }

// partial reports whether a message has begun. A lone CR may begin a keepalive.
func (f *framer) partial() bool { return len(f.buf) > 0 }

// skip drops the line ends before a message and returns how many pings (double
// CRLF, RFC 5626 section 4.4.1) they were.
func (f *framer) skip() (pings int) {
	n := 0
	for len(f.buf) >= n+2 && f.buf[n] == '\r' && f.buf[n+1] == '\n' {
		n += 2
		if f.ends++; f.ends == 2 {
			pings++
			f.ends = 0
		}
	}
	f.drop(n)
	if len(f.buf) > 0 && f.buf[0] != '\r' {
		f.ends = 0
	}
	return pings
}

// next parses the message at the front into m; false when it is not all there.
// With a fault m has the headers, so that it can be answered, and the stream is
// of no more use.
func (f *framer) next(m *wire.Message) (ok bool, fault wire.Fault, err error) {
	if f.need == 0 {
		if ok, fault, err = f.head(m); !ok {
			return false, fault, err
		}
	}
	if len(f.buf) < f.need {
		return false, wire.Fault{}, nil
	}
	return true, wire.Fault{}, m.Parse(f.buf[:f.need])
}

// head looks for the end of the headers and learns the length of the message.
func (f *framer) head(m *wire.Message) (ok bool, fault wire.Fault, err error) {
	end := bytes.Index(f.buf[f.scanned:], []byte("\r\n\r\n"))
	if end < 0 {
		f.scanned = max(0, len(f.buf)-3)
		if len(f.buf) > maxHead {
			return false, wire.Fault{}, errFraming
		}
		return false, wire.Fault{}, nil
	}
	head := f.scanned + end + 4
	if err := m.Parse(f.buf[:head]); err != nil {
		return false, wire.Fault{}, err
	}
	length, present := m.ContentLength()
	switch {
	case head > maxHead || length > maxMessage-head:
		return false, wire.Fault{Code: 513, Reason: "Message Too Large"}, errFraming
	case !present:
		fault := m.Check() // what is wrong before that, such as too many headers, may have hidden it
		if fault.Code == 0 {
			fault = wire.Fault{Code: 400, Reason: "Missing Content-Length Header"}
		}
		return false, fault, errFraming
	case length < 0 || m.Count(wire.ContentLength) > 1:
		return false, wire.Fault{Code: 400, Reason: "Bad Content-Length Header"}, errFraming
	}
	f.need = head + length
	return true, wire.Fault{}, nil
}

// done drops the message at the front.
func (f *framer) done() {
	f.drop(f.need)
	f.need, f.scanned, f.ends = 0, 0, 0
}

// drop removes n bytes from the front, and large memory that has become idle.
func (f *framer) drop(n int) {
	if n == 0 {
		return
	}
	rest := copy(f.buf, f.buf[n:])
	f.buf = f.buf[:rest]
	if rest == 0 && cap(f.buf) > 4*firstRead {
		f.buf = nil
	}
}
