package dhcpd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
)

// rcvBuf takes a boot storm's packets while the workers wait for the store.
const rcvBuf = 4 << 20

// link is one interface and its socket. It does not change: when the interface
// does, it is replaced by a new link.
type link struct {
	name     string
	index    int
	addr     netip.Addr   // of the interface
	own      []netip.Addr // all IPv4 addresses of the interface
	prefix   netip.Prefix // its network
	serverID netip.Addr
	inRange  bool // its network is the one of the range

	conn *net.UDPConn
	out  *ipv4.PacketConn // conn, for batches
	oob  []byte           // makes replies leave with addr as their source
	arp  *arp             // nil: not permitted, or not wanted
}

// isServer reports whether a is how we call ourselves on this link.
func (l *link) isServer(a netip.Addr) bool {
	return a.IsValid() && (a == l.serverID || slices.Contains(l.own, a))
}

// same reports whether o is the same interface with the same addresses.
func (l *link) same(o *link) bool {
	return l.index == o.index && l.addr == o.addr && l.prefix == o.prefix && slices.Equal(l.own, o.own)
}

// inspect reads an interface: of its addresses the one that is serverIP, else
// the one whose network has near, else the first.
func inspect(name string, serverIP, near netip.Addr) (*link, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of interface %s: %w", name, err)
	}
	l := &link{name: name, index: ifi.Index}
	best := 0
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().Is4() {
			continue
		}
		rank := 1
		if near.IsValid() && p.Contains(near) {
			rank = 2
		}
		if p.Addr() == serverIP {
			rank = 3
		}
		l.own = append(l.own, p.Addr())
		if rank > best {
			best, l.addr, l.prefix = rank, p.Addr(), p.Masked()
		}
	}
	if best == 0 {
		return nil, phone.Invalid("dhcp.interface", name+" has no IPv4 address")
	}
	l.serverID = l.addr
	if serverIP.IsValid() {
		l.serverID = serverIP
	}
	return l, nil
}

// interfaceOf is the name of the interface that has address a.
func interfaceOf(a netip.Addr) (string, error) {
	list, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("interfaces: %w", err)
	}
	for _, ifi := range list {
		if l, err := inspect(ifi.Name, a, a); err == nil && slices.Contains(l.own, a) {
			return ifi.Name, nil
		}
	}
	return "", phone.Invalid("dhcp.interface", "no interface has the address "+a.String())
}

// open binds the link's socket to its interface. Without SO_REUSEADDR and
// SO_REUSEPORT, which the library's helper would set, the kernel itself refuses
// a second server on the interface instead of sharing the packets among both.
func (l *link) open(ctx context.Context, port int) error {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) { serr = unix.BindToDevice(int(fd), l.name) })
		if err != nil {
			return err
		}
		return serr
	}}
	pc, err := lc.ListenPacket(ctx, "udp4", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("listen for DHCP on %s (is another DHCP server running?): %w", l.name, err)
	}
	l.conn = pc.(*net.UDPConn) // what ListenPacket makes of "udp4"
	_ = l.conn.SetReadBuffer(rcvBuf)
	l.out = ipv4.NewPacketConn(l.conn)
	l.oob = (&ipv4.ControlMessage{Src: l.addr.AsSlice()}).Marshal()
	return nil
}

// close closes the sockets and reports whether the first one was open.
func (l *link) close() bool {
	l.arp.close()
	return l.conn.Close() == nil
}

// send writes one reply.
func (l *link) send(b []byte, to netip.AddrPort) error {
	_, _, err := l.conn.WriteMsgUDPAddrPort(b, l.oob, to)
	if err != nil {
		return fmt.Errorf("send to %s on %s: %w", to, l.name, err)
	}
	return nil
}
