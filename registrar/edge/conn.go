package edge

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection with a phone. One goroutine reads it; anybody writes.
type conn struct {
	server *Server
	socket *streamSocket
	real   net.Conn
	stream net.Conn  // what messages are read from: real, or the TLS over it
	ws     *wsReader // nil unless it is a WebSocket
	flow   Flow
	opened time.Time
	since  time.Time    // when it could carry messages; only the reader's
	begun  time.Time    // when the message that is not complete began, zero without one; only the reader's
	spoke  atomic.Bool  // a complete message has come
	held   atomic.Int64 // unix ms until which it may be idle
	settle sync.Once    // when it is vouched for the first time
	frames framer       // only the reader's

	writeMu sync.Mutex

	mu       sync.Mutex
	virtual  *virtualConn // nil while Rest has nothing to do with it
	draining bool
	closed   bool
}

// newConn returns nil for a peer without an IP address.
func newConn(t *streamSocket, real net.Conn) *conn {
	remote, ok := real.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	s := t.server
	now := time.Now()
	c := &conn{server: s, socket: t, real: real, stream: real, opened: now, since: now}
	c.flow = Flow{
		ID: strconv.FormatUint(s.flows.Add(1), 36), Transport: t.transport,
		Remote: unmap(remote.AddrPort()), Socket: real.LocalAddr().String(),
	}
	return c
}

// run makes the connection ready and reads until it ends.
func (c *conn) run() {
	defer c.server.conns.readers.Done()
	c.server.guard(func() {
		if c.open() {
			c.serve()
		}
	})
	c.farewell()
	c.close()
	c.server.conns.remove(c)
}

// serve is the part of run in which the connection counts.
func (c *conn) serve() {
	s := c.server
	s.metrics.connections.Inc()
	defer func() {
		c.farewell()
		c.close()
		s.conns.remove(c)
		s.metrics.connections.Dec()
		s.opts.Closed(c.flow)
	}()
	if c.ws != nil {
		s.guard(c.readWS)
	} else {
		s.guard(c.read)
	}
}

// farewell says that nothing more comes, so that the peer can tell the end, that of
// TLS from an attack on it.
func (c *conn) farewell() {
	if s, ok := c.stream.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite() // fails when the connection has gone
	}
}

// close ends the connection and the part of it that Rest has. The reader notices.
func (c *conn) close() {
	c.mu.Lock()
	virtual := c.virtual
	c.virtual, c.closed = nil, true
	c.mu.Unlock()
	c.real.Close()
	if virtual != nil {
		_ = virtual.Close() // always nil
	}
}

// stopReading makes the reader end after the message it is at.
func (c *conn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	_ = c.real.SetReadDeadline(past()) // fails only when it is closed, which ends the reader too
}

// deadline sets until when the reader waits; false when it is to end.
func (c *conn) deadline(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.draining && !c.closed && c.real.SetReadDeadline(at) == nil
}

// hold vouches for the connection: it may be idle for d and belongs to Rest too.
func (c *conn) hold(d time.Duration) {
	until := time.Now().Add(d).UnixMilli()
	for {
		old := c.held.Load()
		if old >= until || c.held.CompareAndSwap(old, until) {
			break
		}
	}
	c.settle.Do(func() { c.server.conns.settled(c) })
	c.attach()
}

// write sends one message.
func (c *conn) write(b []byte) error {
	if c.ws == nil {
		return c.send(b)
	}
	buf := c.server.buffers.Get().(*buffer)
	defer c.server.recycle(buf)
	buf.b = appendFrame(buf.b[:0], messageOp(b), b)
	return c.send(buf.b)
}

// send writes bytes in one piece. A peer that does not read loses its connection.
func (c *conn) send(b []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	err := c.real.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout))
	if err == nil {
		_, err = c.stream.Write(b)
	}
	if err != nil {
		c.close()
	}
	return err
}
