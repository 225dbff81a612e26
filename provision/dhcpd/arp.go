package dhcpd

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
)

const (
	// probeWait is how long an answer to an ARP probe is waited for. On a LAN it
	// takes a few milliseconds; a client that is new waits as long for its offer.
	probeWait = 200 * time.Millisecond
	// maxProbes at once. An offer beyond that goes out unprobed: a flood of new
	// clients must neither wait in line nor make us flood the LAN with ARP.
	maxProbes = 32
	// maxProbed addresses of one client, then the offer goes out as it is.
	maxProbed = 4
)

// arp asks on one interface who has an address. It needs CAP_NET_RAW.
type arp struct {
	index int
	mac   net.HardwareAddr
	file  *os.File

	mu    sync.Mutex
	waits map[netip.Addr]chan phone.MAC
}

// Fields of an ARP packet of Ethernet and IPv4 (RFC 826).
const (
	arpLen     = 28
	arpRequest = 1
	arpReply   = 2
)

// openARP opens the socket and reads it until close.
func openARP(name string) (*arp, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	if len(ifi.HardwareAddr) != 6 {
		return nil, errors.New("not an Ethernet interface")
	}
	const protocol = unix.ETH_P_ARP<<8&0xff00 | unix.ETH_P_ARP>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifi.Index}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	a := &arp{index: ifi.Index, mac: ifi.HardwareAddr, file: os.NewFile(uintptr(fd), "arp"), waits: map[netip.Addr]chan phone.MAC{}}
	go a.read()
	return a, nil
}

func (a *arp) close() {
	if a != nil {
		_ = a.file.Close()
	}
}

// read passes on who says it has an address that is waited for.
func (a *arp) read() {
	buf := make([]byte, 128)
	for {
		n, err := a.file.Read(buf)
		if err != nil {
			return // closed, or the interface is gone: then watch closes it
		}
		owner, addr, ok := parseARP(buf[:n])
		if !ok {
			continue
		}
		a.mu.Lock()
		if c := a.waits[addr]; c != nil {
			select {
			case c <- owner:
			default: // one is enough
			}
		}
		a.mu.Unlock()
	}
}

// parseARP is who has the address that an ARP packet speaks of: the sender of a
// reply, of a request and of an announcement, but not of a probe (RFC 5227).
func parseARP(b []byte) (owner phone.MAC, addr netip.Addr, ok bool) {
	if len(b) < arpLen || binary.BigEndian.Uint16(b) != 1 || binary.BigEndian.Uint16(b[2:]) != unix.ETH_P_IP || b[4] != 6 || b[5] != 4 {
		return owner, addr, false
	}
	if op := binary.BigEndian.Uint16(b[6:]); op != arpRequest && op != arpReply {
		return owner, addr, false
	}
	addr = fromBytes(b[14:18])
	return phone.MAC(b[8:14]), addr, addr.IsValid()
}

// owner sends a probe for addr and waits for who has it; zero: nobody said so.
func (a *arp) owner(ctx context.Context, addr netip.Addr) (phone.MAC, error) {
	c := make(chan phone.MAC, 1)
	a.mu.Lock()
	a.waits[addr] = c
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waits, addr)
		a.mu.Unlock()
	}()
	if err := a.probe(addr); err != nil {
		return phone.MAC{}, err
	}
	timeout := time.NewTimer(probeWait)
	defer timeout.Stop()
	select {
	case mac := <-c:
		return mac, nil
	case <-timeout.C:
	case <-ctx.Done():
	}
	return phone.MAC{}, nil
}

// probe broadcasts an ARP probe (RFC 5227 section 2.1.1): a request whose sender
// has no address yet, which changes nobody's table.
func (a *arp) probe(addr netip.Addr) error {
	var b [arpLen]byte
	binary.BigEndian.PutUint16(b[0:], 1)
	binary.BigEndian.PutUint16(b[2:], unix.ETH_P_IP)
	b[4], b[5] = 6, 4
	binary.BigEndian.PutUint16(b[6:], arpRequest)
	copy(b[8:14], a.mac)
	copy(b[24:28], addr.AsSlice())
	to := &unix.SockaddrLinklayer{Protocol: unix.ETH_P_ARP<<8&0xff00 | unix.ETH_P_ARP>>8, Ifindex: a.index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
	conn, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = conn.Write(func(fd uintptr) bool {
		serr = unix.Sendto(int(fd), b[:], 0, to)
		return !errors.Is(serr, unix.EAGAIN)
	})
	return errors.Join(err, os.NewSyscallError("sendto", serr))
}
