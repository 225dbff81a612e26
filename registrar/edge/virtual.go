package edge

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

var _ net.PacketConn = (*VirtualPacketConn)(nil)

// VirtualPacketConn is a net.PacketConn that reads the datagrams which the edge
// leaves to others and writes to the real socket.
type VirtualPacketConn struct {
	real   net.PacketConn
	queue  chan delivery
	closed chan struct{}
	once   sync.Once
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
	select {
	case <-v.closed:
		return 0, nil, net.ErrClosed
	default:
	}
	select {
	case d := <-v.queue:
		return copy(b, d.data), net.UDPAddrFromAddrPort(d.from), nil
	case <-v.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a datagram from the real socket, also after Close: what was
// begun before may end.
func (v *VirtualPacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	return v.real.WriteTo(b, addr)
}

// Close ends reading. The real socket stays open. It may be called repeatedly.
func (v *VirtualPacketConn) Close() error {
	v.once.Do(func() { close(v.closed) })
	return nil
}

// LocalAddr returns the address of the real socket.
func (v *VirtualPacketConn) LocalAddr() net.Addr { return v.real.LocalAddr() }

// SetDeadline is not supported: the deadlines are the edge's.
func (v *VirtualPacketConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline is not supported.
func (v *VirtualPacketConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is not supported.
func (v *VirtualPacketConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
