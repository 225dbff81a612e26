package edge

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"pbx.dev/dialtone/registrar/wire"
)

// readWS is the loop of the reader of a WebSocket: one message of it is one SIP
// message (RFC 7118 section 5).
func (c *conn) readWS() {
	r := &Request{server: c.server, flow: c.flow, conn: c}
	c.begun = c.since
	for c.eventsWS(r) {
		if !c.patient(c.ws.partial()) {
			c.leave(closeGoingAway)
			return
		}
		n, err := c.stream.Read(c.ws.space())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.leave(c.timeoutStatus())
		}
		if err != nil {
			return
		}
		c.ws.fill(n)
	}
}

// timeoutStatus says why reading was ended from here.
func (c *conn) timeoutStatus() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return closeGoingAway
	}
	return closeNormal
}

// eventsWS handles what is complete; false when the connection is to end.
func (c *conn) eventsWS(r *Request) bool {
	for {
		op, payload, err := c.ws.next()
		if err != nil {
			var status wsError
			errors.As(err, &status) // it has no other
			c.server.metrics.dropped[dropGarbage].Inc()
			c.leave(int(status))
			return false
		}
		switch op {
		case opContinuation:
			return true
		case opClose:
			// What it says goes back, as far as it is a status (section 5.5.1).
			_ = c.frame(opClose, payload[:min(len(payload), 2)&^1]) // the connection ends in any case
			return false
		case opPing:
			if c.paid() && c.frame(opPong, payload) != nil {
				return false
			}
		case opText, opBinary:
			c.begun = time.Time{} // as in messages
			if !c.messageWS(r, payload) {
				return false
			}
		}
	}
}

// messageWS handles one message; false when the connection is to end.
func (c *conn) messageWS(r *Request, payload []byte) bool {
	data := bytes.TrimLeft(payload, "\r\n")
	if len(data) == 0 {
		// A ping of RFC 5626 section 4.4.1; a single line end asks for nothing.
		return len(payload) < 4 || !c.paid() || c.write([]byte("\r\n")) == nil
	}
	if r.Msg.Parse(data) != nil {
		c.server.metrics.dropped[dropGarbage].Inc()
		c.leave(closeProtocol)
		return false
	}
	c.spoke.Store(true)
	if sized := withLength(&r.Msg, data); sized != nil && r.Msg.Parse(sized) != nil {
		return false
	}
	if c.message(r) {
		c.register(r)
	}
	return true
}

// paid takes the price of a keepalive from the peer's budget.
func (c *conn) paid() bool {
	s := c.server
	if s.budgets.Take(s.budgets.Key(c.flow.Remote.Addr(), ""), 1, time.Now()) {
		return true
	}
	s.metrics.dropped[dropBudget].Inc()
	return false
}

// withLength is the message with a Content-Length, which is optional here (RFC
// 7118 section 5.3) and not on the streams that Rest and other phones read; nil
// when it has one.
func withLength(m *wire.Message, data []byte) []byte {
	head := m.HeadLen()
	if m.Has(wire.ContentLength) || head < 4 || string(data[head-4:head]) != "\r\n\r\n" {
		return nil
	}
	out := make([]byte, 0, len(data)+32)
	out = append(out, data[:head-2]...)
	out = wire.AppendHeader(out, wire.ContentLength.String(), strconv.Itoa(len(data)-head))
	return append(append(out, '\r', '\n'), data[head:]...)
}

// frame sends a control frame.
func (c *conn) frame(op byte, payload []byte) error {
	var room [maxControl + 2]byte
	return c.send(appendFrame(room[:0], op, payload))
}

// lingerTime is how long a peer has to take note that the connection ends, and
// lingerBytes how much it may send until then. If we closed with something unread in
// our buffers, the kernel would reset the connection and drop what we said last.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// leave tells a WebSocket that it ends, and waits a moment for it to agree.
func (c *conn) leave(status int) {
	if c.frame(opClose, closePayload(status)) == nil {
		c.linger()
	}
}

// linger reads until the peer has closed, for lingerTime.
func (c *conn) linger() {
	if c.real.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.stream, lingerBytes) // it ends either way
	}
}
