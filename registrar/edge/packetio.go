package edge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// packetIO moves datagrams in batches. Reading and writing may run at the same
// time, each in one goroutine.
type packetIO interface {
	read() (n int, err error)
	datagram(i int) ([]byte, netip.AddrPort) // of the last read, valid until the next
	write(out []outgoing) (lost int, err error)
}

// outgoing is one datagram to send.
type outgoing struct {
	buf *buffer
	to  netip.AddrPort
}

// newPacketIO uses batches on a UDP socket of the kernel and single datagrams on
// anything else.
func newPacketIO(c net.PacketConn) (packetIO, error) {
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return &singles{conn: c, buf: make([]byte, maxDatagram)}, nil
	}
	if err := enlarge(udp); err != nil {
		return nil, fmt.Errorf("enlarge receive buffer: %w", err)
	}
	return newMmsg(udp)
}

// receiveBuffer holds about a second of a registration storm, in bytes.
const receiveBuffer = 8 << 20

// enlarge asks for a large receive buffer, over the system's limit if we may.
func enlarge(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
		if set != nil {
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
	})
	return firstOf(err, set)
}

// singles is packetIO over any net.PacketConn.
type singles struct {
	conn net.PacketConn
	buf  []byte
	n    int
	from netip.AddrPort
}

func (s *singles) read() (int, error) {
	n, addr, err := s.conn.ReadFrom(s.buf)
	if err != nil {
		return 0, err
	}
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("datagram without an ip address")
	}
	s.n, s.from = n, unmap(udp.AddrPort())
	return 1, nil
}

func (s *singles) datagram(int) ([]byte, netip.AddrPort) { return s.buf[:s.n], s.from }

func (s *singles) write(out []outgoing) (lost int, err error) {
	for _, o := range out {
		if _, err := s.conn.WriteTo(o.buf.b, net.UDPAddrFromAddrPort(o.to)); errors.Is(err, net.ErrClosed) {
			return len(out), err
		} else if err != nil {
			lost++
		}
	}
	return lost, nil
}
