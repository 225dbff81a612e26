package pnp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
)

// link is one interface: a socket that hears the group and one that answers.
type link struct {
	name     string
	index    int
	networks []netip.Prefix // of the interface; nobody else is answered
	group    *net.UDPConn
	conn     *net.UDPConn   // bound to the address of the interface
	own      netip.AddrPort // of conn
	pending  pending
	closing  sync.Once
}

// openLink joins the group on an interface.
func openLink(ctx context.Context, name string, port int) (*link, error) {
	l := &link{name: name}
	addr, err := l.inspect()
	if err != nil {
		return nil, err
	}
	if l.group, err = listenGroup(name, port); err != nil {
		return nil, fmt.Errorf("listen for the group %s on %s: %w", Group, name, err)
	}
	ifi := &net.Interface{Index: l.index}
	err = ipv4.NewPacketConn(l.group).JoinGroup(ifi, &net.UDPAddr{IP: net.ParseIP(Group)})
	if err == nil {
		l.conn, err = listen(ctx, name, net.JoinHostPort(addr.String(), "0"))
	}
	if err != nil {
		_ = l.group.Close()
		return nil, fmt.Errorf("join the group %s on %s: %w", Group, name, err)
	}
	l.own = l.conn.LocalAddr().(*net.UDPAddr).AddrPort() // what listen makes
	return l, nil
}

// inspect reads index, networks and the first address of the interface.
func (l *link) inspect() (first netip.Addr, err error) {
	ifi, err := net.InterfaceByName(l.name)
	if err != nil {
		return first, fmt.Errorf("interface %s: %w", l.name, err)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return first, fmt.Errorf("addresses of interface %s: %w", l.name, err)
	}
	l.index = ifi.Index
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			l.networks = append(l.networks, p.Masked())
			if !first.IsValid() {
				first = p.Addr()
			}
		}
	}
	if !first.IsValid() {
		return first, phone.Invalid("pnp.interface", l.name+" has no IPv4 address")
	}
	return first, nil
}

// same reports whether the interface is still what it was when it was opened.
func (l *link) same() bool {
	now := link{name: l.name}
	addr, err := now.inspect()
	return err == nil && now.index == l.index && addr == l.own.Addr() && slices.Equal(now.networks, l.networks)
}

// local reports whether a is on this link: others could only have been forged, or
// come from so far that they have to be told otherwise.
func (l *link) local(a netip.Addr) bool {
	return slices.ContainsFunc(l.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (l *link) close() {
	l.closing.Do(func() {
		_ = l.group.Close()
		_ = l.conn.Close()
		l.pending.stop()
	})
}

// listen opens the socket that answers.
func listen(ctx context.Context, name, addr string) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) { serr = unix.BindToDevice(int(fd), name) })
		return errors.Join(err, serr)
	}}
	pc, err := lc.ListenPacket(ctx, "udp4", addr)
	if err != nil {
		return nil, err
	}
	return pc.(*net.UDPConn), nil // what ListenPacket makes of "udp4"
}

// listenGroup opens the socket that hears the group. It is bound to the group's own
// address, which package net would make all addresses of: then it would take the
// registrar's datagrams. The registrar has the port too, so both say that they share it.
func listenGroup(name string, port int) (*net.UDPConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "pnp")
	defer f.Close() // FilePacketConn has a copy
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.BindToDevice(fd, name),
		unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: netip.MustParseAddr(Group).As4()}),
	)
	if err != nil {
		return nil, err
	}
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	return pc.(*net.UDPConn), nil // what a UDP socket becomes
}
