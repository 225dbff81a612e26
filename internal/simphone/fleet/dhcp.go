package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
)

// lease is what DHCP gave one phone.
type lease struct {
	addr netip.Addr
	url  string
}

// dhcpClient asks for leases on behalf of every phone of a fleet, over one socket
// of one interface. Phones are told apart by the transaction.
type dhcpClient struct {
	conn net.PacketConn
	to   net.Addr

	mu      sync.Mutex
	waiting map[uint32]chan reply // by transaction
}

// newDHCPClient opens port 68 on the interface; it needs CAP_NET_BIND_SERVICE.
func newDHCPClient(ctx context.Context, iface string) (*dhcpClient, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var errs [4]error
		err := c.Control(func(fd uintptr) {
			errs[0] = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
			errs[1] = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			errs[2] = unix.BindToDevice(int(fd), iface)
			// Answers to thousands of phones come in a burst.
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
		})
		return errors.Join(append(errs[:], err)...)
	}}
	conn, err := lc.ListenPacket(ctx, "udp4", ":68")
	if err != nil {
		return nil, fmt.Errorf("dhcp client on %s: %w", iface, err)
	}
	return &dhcpClient{
		conn: conn, to: &net.UDPAddr{IP: net.IPv4bcast, Port: 67}, waiting: map[uint32]chan reply{},
	}, nil
}

// serve hands replies to the phones that wait for them, until the socket closes.
func (c *dhcpClient) serve() {
	buf := make([]byte, maxPacket)
	for {
		n, _, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		r, err := decode(buf[:n])
		if err != nil {
			continue
		}
		c.mu.Lock()
		ch := c.waiting[r.xid]
		c.mu.Unlock()
		select {
		case ch <- r:
		default: // nobody waits, or a second server answered
		}
	}
}

// lease gets an address and a provisioning URL for one phone. It tries until ctx
// ends, as a phone that has no other way to work does.
func (c *dhcpClient) lease(ctx context.Context, mac phone.MAC, class string) (lease, error) {
	for {
		l, err := c.dora(ctx, mac, class)
		if err == nil || ctx.Err() != nil {
			return l, err
		}
	}
}

// errNak is a refusal of the address that was offered: start again.
var errNak = errors.New("NAK")

// dora is DISCOVER, OFFER, REQUEST, ACK.
func (c *dhcpClient) dora(ctx context.Context, mac phone.MAC, class string) (lease, error) {
	xid, ch := c.transaction()
	defer c.end(xid)
	offer, err := c.ask(ctx, ch, request{kind: typeDiscover, xid: xid, mac: mac, class: class}, typeOffer)
	if err != nil {
		return lease{}, err
	}
	ack, err := c.ask(ctx, ch, request{
		kind: typeRequest, xid: xid, mac: mac, class: class, server: offer.server, want: offer.yours,
	}, typeAck)
	if err != nil {
		return lease{}, err
	}
	return lease{addr: ack.yours, url: ack.url}, nil
}

func (c *dhcpClient) transaction() (uint32, chan reply) {
	ch := make(chan reply, 4)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		xid := rand.Uint32()
		if c.waiting[xid] == nil {
			c.waiting[xid] = ch
			return xid, ch
		}
	}
}

func (c *dhcpClient) end(xid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, xid)
}

// resends is how often one message is sent before the phone starts again.
const resends = 4

// ask sends r and waits for an answer of the kind wanted, sending again after 4,
// 8, 16 s, each give or take one (RFC 2131 4.1).
func (c *dhcpClient) ask(ctx context.Context, ch chan reply, r request, want byte) (reply, error) {
	wait := 4 * time.Second
	for range resends {
		if _, err := c.conn.WriteTo(r.encode(), c.to); err != nil && !errors.Is(err, syscall.ENOBUFS) {
			return reply{}, fmt.Errorf("dhcp: %w", err)
		}
		got, err := await(ctx, ch, r.mac, want, wait-time.Second+rand.N(2*time.Second))
		if err == nil || !errors.Is(err, errSilence) {
			return got, err
		}
		wait *= 2
	}
	return reply{}, errSilence
}

// errSilence is no answer in time.
var errSilence = errors.New("dhcp: no answer")

func await(ctx context.Context, ch chan reply, mac phone.MAC, want byte, patience time.Duration) (reply, error) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case r := <-ch:
			switch {
			case r.mac != mac:
			case r.kind == want:
				return r, nil
			case r.kind == typeNak:
				return reply{}, errNak
			}
		case <-timeout.C:
			return reply{}, errSilence
		case <-ctx.Done():
			return reply{}, context.Cause(ctx)
		}
	}
}
