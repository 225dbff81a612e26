package edge

import (
	"context"
	"time"

	"pbx.dev/dialtone/registrar/wire"
)

// read is the loop of the connection's reader.
func (c *conn) read() {
	r := &Request{server: c.server, flow: c.flow, conn: c}
	c.begun = c.since
	for c.messages(r) {
		if !c.patient(c.frames.partial()) {
			return
		}
		n, err := c.stream.Read(c.frames.space())
		if err != nil {
			return
		}
		c.frames.fill(n)
	}
}

// patient sets how long to wait for more; partial says that a message has begun.
// False: the connection is to end.
func (c *conn) patient(partial bool) bool {
	now := time.Now()
	switch {
	case !partial:
		c.begun = time.Time{}
	case c.begun.IsZero():
		c.begun = now
	}
	return c.deadline(c.until(c.begun, now))
}

// until is how long to wait for more: a message has to be complete in time,
// however slowly its bytes drip; between messages patience depends on who it is.
func (c *conn) until(begun, now time.Time) time.Time {
	if !begun.IsZero() || !c.spoke.Load() {
		if begun.IsZero() {
			begun = c.since
		}
		return begun.Add(c.server.opts.MessageTimeout)
	}
	idle := now.Add(c.server.opts.IdleTimeout)
	if held := time.UnixMilli(c.held.Load()); held.After(idle) {
		return held
	}
	return idle
}

// messages handles what is complete; false when the connection is to end.
func (c *conn) messages(r *Request) bool {
	for {
		for range c.frames.skip() {
			if c.write([]byte("\r\n")) != nil {
				return false
			}
		}
		if !c.frames.partial() {
			return true
		}
		ok, fault, err := c.frames.next(&r.Msg)
		if err != nil {
			c.broken(r, fault)
			return false
		}
		if !ok {
			return true
		}
		c.spoke.Store(true)
		c.begun = time.Time{} // what follows it is another message, with its own time
		if c.message(r) {
			c.register(r)
		}
		c.frames.done()
	}
}

// message handles one message; true when Handler.Register has to.
func (c *conn) message(r *Request) (register bool) {
	s := c.server
	if !s.budgets.Take(s.budgets.Key(c.flow.Remote.Addr(), ""), 1, time.Now()) {
		s.metrics.dropped[dropBudget].Inc()
		return false
	}
	s.guard(func() { register = s.dispatch(r) })
	return register
}

// register answers a REGISTER in the reader's goroutine: the next message of the
// phone waits, and nobody else. The request has memory of its own, as Handler
// was promised.
func (c *conn) register(r *Request) {
	r.Msg.Move(nil)
	c.server.guard(func() { c.server.opts.Handler.Register(context.Background(), r) })
}

// broken answers a message whose end cannot be found, if it says whom to.
func (c *conn) broken(r *Request, fault wire.Fault) {
	c.server.metrics.dropped[dropGarbage].Inc()
	if fault.Code != 0 && r.Msg.IsRequest() {
		c.server.guard(func() { c.server.refuse(r, fault.Code, fault.Reason) })
		c.farewell()
		c.linger() // the peer may still be sending: it has to read the answer first
	}
}
