package edge

import (
	"context"
	"time"

	"pbx.dev/dialtone/registrar/wire"
)

// read is the loop of the connection's reader.
func (c *conn) read() {
	r := &Request{server: c.server, flow: c.flow, conn: c}
	begun := c.since // when the message that is not complete began
	for c.messages(r) {
		now := time.Now()
		if !c.frames.partial() {
			begun = time.Time{}
		} else if begun.IsZero() {
			begun = now
		}
		if !c.deadline(c.until(begun, now)) {
			return
		}
		n, err := c.stream.Read(c.frames.space())
		if err != nil {
			return
		}
		c.frames.fill(n)
	}
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
	}
}
