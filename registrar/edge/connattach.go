package edge

import (
	"time"
)

// attachTimeout bounds the wait for Rest to take a connection into service.
const attachTimeout = time.Second

// attach gives Rest its part of the connection and returns it; nil when there is
// no Rest or the connection is closed. It returns when Rest has it in service, so
// that a call right after the REGISTER finds it.
func (c *conn) attach() *virtualConn {
	listener := c.socket.virtual
	if listener == nil {
		return nil
	}
	c.mu.Lock()
	if c.virtual != nil || c.closed {
		v := c.virtual
		c.mu.Unlock()
		return v
	}
	v := newVirtualConn(c)
	c.virtual = v
	c.mu.Unlock()

	timeout := time.NewTimer(attachTimeout)
	defer timeout.Stop()
	select {
	case listener.accepts <- v:
	case <-listener.closed:
	case <-timeout.C:
		_ = v.Close() // always nil
		return nil
	}
	select {
	case <-v.ready:
	case <-listener.closed:
	case <-timeout.C:
	}
	return v
}

// detach forgets the part that Rest has closed.
func (c *conn) detach(v *virtualConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.virtual == v {
		c.virtual = nil
	}
}

// forward gives a message to Rest and waits while it has enough of them.
func (c *conn) forward(data []byte) {
	v := c.attach()
	if v == nil {
		c.server.metrics.dropped[dropQueue].Inc()
		return
	}
	timeout := time.NewTimer(c.server.opts.MessageTimeout)
	defer timeout.Stop()
	select {
	case v.queue <- append([]byte(nil), data...):
	case <-v.closed:
	case <-timeout.C:
		c.server.metrics.dropped[dropQueue].Inc()
	}
}
