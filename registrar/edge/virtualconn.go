package edge

import (
	"net"
	"os"
	"sync"
	"time"
)

var (
	_ net.Listener = (*VirtualListener)(nil)
	_ net.Conn     = (*virtualConn)(nil)
)

// VirtualListener is a net.Listener of connections that the edge has accepted and
// that carry something for Rest. Each Read of such a connection is one complete
// message (or, with a short buffer, the next part of it); Write goes to the real
// connection; Close detaches from it.
type VirtualListener struct {
	addr    net.Addr
	accepts chan *virtualConn
	closed  chan struct{}
	once    sync.Once
	last    *virtualConn // accepted before; only the accepting goroutine's
}

// NewVirtualListener returns a listener that says it listens at addr.
func NewVirtualListener(addr net.Addr) *VirtualListener {
	return &VirtualListener{addr: addr, accepts: make(chan *virtualConn), closed: make(chan struct{})}
}

// Accept returns the next connection. Calling it again says that the one before
// is in service.
func (l *VirtualListener) Accept() (net.Conn, error) {
	if l.last != nil {
		close(l.last.ready)
		l.last = nil
	}
	select {
	case v := <-l.accepts:
		l.last = v
		return v, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; accepted connections stay.
func (l *VirtualListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *VirtualListener) Addr() net.Addr { return l.addr }

// virtualConn is the part of a connection that Rest sees.
type virtualConn struct {
	conn   *conn
	queue  chan []byte
	rest   []byte        // of a message that did not fit into a Read; only the reader's
	ready  chan struct{} // closed when Rest has it in service
	closed chan struct{}
	once   sync.Once
}

// connQueue is how many messages of one connection may wait for Rest; then the
// peer waits.
const connQueue = 32

func newVirtualConn(c *conn) *virtualConn {
	return &virtualConn{
		conn: c, queue: make(chan []byte, connQueue), ready: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Read implements net.Conn.
func (v *virtualConn) Read(b []byte) (int, error) {
	if len(v.rest) == 0 {
		select {
		case v.rest = <-v.queue:
		case <-v.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(b, v.rest)
	v.rest = v.rest[n:]
	return n, nil
}

// Write sends one message over the real connection.
func (v *virtualConn) Write(b []byte) (int, error) {
	select {
	case <-v.closed:
		return 0, net.ErrClosed
	default:
	}
	if err := v.conn.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close detaches from the connection, which stays: it may be a phone's only way.
func (v *virtualConn) Close() error {
	v.once.Do(func() {
		close(v.closed)
		v.conn.detach(v)
	})
	return nil
}

func (v *virtualConn) LocalAddr() net.Addr  { return v.conn.real.LocalAddr() }
func (v *virtualConn) RemoteAddr() net.Addr { return v.conn.real.RemoteAddr() }

// The deadlines are the edge's.
func (v *virtualConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (v *virtualConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (v *virtualConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
