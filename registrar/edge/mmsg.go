package edge

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call moves at most.
const batchSize = 32

// maxDatagram is more than any UDP payload.
const maxDatagram = 64 << 10

// mmsg moves datagrams of a UDP socket in batches (recvmmsg, sendmmsg). Receiving
// and sending may run at the same time, each in one goroutine at a time.
type mmsg struct {
	raw    syscall.RawConn
	family uint16
	in     mmsgSide
	out    mmsgSide
	buf    [batchSize][]byte // of what is received

	recv, send func(fd uintptr) bool
	n          int // messages that recv got
	recvErr    error
	from, to   int // messages that send is to send
	sendErr    error
}

// mmsgSide is the memory that the kernel reads and writes.
type mmsgSide struct {
	msgs  [batchSize]unix.Mmsghdr
	iovs  [batchSize]unix.Iovec
	names [batchSize]unix.RawSockaddrInet6 // large enough for IPv4
}

func (s *mmsgSide) link() {
	for i := range s.msgs {
		h := &s.msgs[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&s.names[i]))
		h.Iov = &s.iovs[i]
		h.SetIovlen(1)
	}
}

func newMmsg(c *net.UDPConn) (*mmsg, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	m := &mmsg{raw: raw}
	var domain int
	if cerr := raw.Control(func(fd uintptr) {
		domain, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	}); cerr != nil || err != nil {
		return nil, firstOf(cerr, err)
	}
	m.family = uint16(domain)
	m.in.link()
	m.out.link()
	for i := range m.buf {
		m.buf[i] = make([]byte, maxDatagram)
		m.in.iovs[i].Base = &m.buf[i][0]
		m.in.iovs[i].SetLen(maxDatagram)
	}
	m.recv, m.send = m.recvReady, m.sendReady
	return m, nil
}

// read waits for datagrams and returns how many came; see datagram.
func (m *mmsg) read() (int, error) {
	for i := range m.in.msgs {
		m.in.msgs[i].Hdr.Namelen = unix.SizeofSockaddrInet6
	}
	m.n, m.recvErr = 0, nil
	if err := m.raw.Read(m.recv); err != nil {
		return 0, err
	}
	return m.n, m.recvErr
}

func (m *mmsg) recvReady(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&m.in.msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		m.n = int(n)
	case unix.EAGAIN:
		return false
	case unix.EINTR:
	default:
		m.recvErr = errno
	}
	return true
}

// datagram returns the i-th datagram of the last read; nothing when it was cut.
func (m *mmsg) datagram(i int) ([]byte, netip.AddrPort) {
	msg := &m.in.msgs[i]
	if msg.Hdr.Flags&unix.MSG_TRUNC != 0 {
		return nil, netip.AddrPort{}
	}
	return m.buf[i][:msg.Len], fromSockaddr(&m.in.names[i])
}

// write sends datagrams, at most batchSize, and returns how many the kernel did
// not take.
func (m *mmsg) write(out []outgoing) (lost int, err error) {
	for i := range out {
		m.out.msgs[i].Hdr.Namelen = toSockaddr(&m.out.names[i], m.family, out[i].to)
		m.out.iovs[i].Base = unsafe.SliceData(out[i].buf.b)
		m.out.iovs[i].SetLen(len(out[i].buf.b))
	}
	for m.from, m.to = 0, len(out); m.from < m.to; {
		if err := m.raw.Write(m.send); err != nil {
			return lost + m.to - m.from, err
		}
		if m.sendErr != nil {
			lost++ // this one cannot be sent, the next may
			m.from++
		}
	}
	return lost, nil
}

func (m *mmsg) sendReady(fd uintptr) bool {
	m.sendErr = nil
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&m.out.msgs[m.from])), uintptr(m.to-m.from), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		m.from += int(n)
	case unix.EAGAIN:
		return false
	case unix.EINTR:
	default:
		m.sendErr = errno
	}
	return true
}

// fromSockaddr reads the address of a sender, IPv4 in IPv6 as IPv4.
func fromSockaddr(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), swapPort(sa4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), swapPort(sa.Port))
}

// toSockaddr writes an address for a socket of the family and returns its length.
func toSockaddr(sa *unix.RawSockaddrInet6, family uint16, to netip.AddrPort) uint32 {
	if family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapPort(to.Port())}
		if to.Addr().Is4() {
			sa4.Addr = to.Addr().As4()
		}
		return unix.SizeofSockaddrInet4
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapPort(to.Port()), Addr: to.Addr().As16()}
	return unix.SizeofSockaddrInet6
}

// swapPort changes between our order of bytes and the network's.
func swapPort(p uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], p)
	return binary.BigEndian.Uint16(b[:])
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
