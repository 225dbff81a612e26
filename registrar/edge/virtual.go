package edge

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

var (
	_ net.PacketConn = (*VirtualPacketConn)(nil)
	_ net.Listener   = (*VirtualListener)(nil)
	_ net.Conn       = (*virtualConn)(nil)
)

// VirtualPacketConn is a net.PacketConn that reads the datagrams which the edge
// leaves to others and writes to the real socket.
type VirtualPacketConn struct {
	real  net.PacketConn
	queue chan delivery

	mu       sync.Mutex
	closed   chan struct{} // of the present opening
	isClosed bool
}

// delivery is one message on its way.
type delivery struct {
	data []byte
	from netip.AddrPort
}

// NewVirtualPacketConn returns a virtual socket over a real one that holds at
// most queue datagrams.
func NewVirtualPacketConn(conn net.PacketConn, queue int) *VirtualPacketConn {
	return &VirtualPacketConn{real: conn, queue: make(chan delivery, queue), closed: make(chan struct{})}
}

// deliver queues a copy of data; false when the reader does not keep up.
func (v *VirtualPacketConn) deliver(data []byte, from netip.AddrPort) bool {
	if len(v.queue) == cap(v.queue) { // before the copy: a flood must cost little
		return false
	}
	select {
	case v.queue <- delivery{append([]byte(nil), data...), from}:
		return true
	default:
		return false
	}
}

// ReadFrom returns the next datagram, cut to len(b) like a socket does. After
// Close the error is net.ErrClosed.
func (v *VirtualPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	v.mu.Lock()
	closed := v.closed
	v.mu.Unlock()
	select {
	case <-closed:
		return 0, nil, net.ErrClosed
	default:
	}
	select {
	case d := <-v.queue:
		return copy(b, d.data), net.UDPAddrFromAddrPort(d.from), nil
	case <-closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a datagram from the real socket, also after Close: what was
// begun before may end.
func (v *VirtualPacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	return v.real.WriteTo(b, addr)
}

// Close ends reading. The real socket stays open.
func (v *VirtualPacketConn) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed {
		return net.ErrClosed
	}
	v.isClosed = true
	close(v.closed)
	return nil
}

// Reopen makes reading possible again after Close. A reader such as sipgo's, which
// remembers every source until its socket is closed, is made to forget so.
func (v *VirtualPacketConn) Reopen() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed {
		v.isClosed, v.closed = false, make(chan struct{})
	}
}

// LocalAddr returns the address of the real socket.
func (v *VirtualPacketConn) LocalAddr() net.Addr { return v.real.LocalAddr() }

// SetDeadline is not supported: the deadlines are the edge's.
func (v *VirtualPacketConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline is not supported.
func (v *VirtualPacketConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is not supported.
func (v *VirtualPacketConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

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
