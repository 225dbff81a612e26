package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"golang.org/x/net/ipv4"
)

// DHCPLoad is a relay with many clients behind it: each does DISCOVER, OFFER, REQUEST,
// ACK in a closed loop, one after the other, over and over. One thread, one socket,
// batches of datagrams, so that the generator costs less than the server.
type DHCPLoad struct {
	Lab      *Lab // where the relay sits
	Clients  int
	Parallel int // exchanges under way
	Duration time.Duration
	Class    string // option 60
}

// dhcpClient is one client and what it waits for.
type dhcpClient struct {
	busy    bool
	xid     uint32
	started time.Time
	sent    time.Time
	packet  []byte
}

type dhcpRun struct {
	DHCPLoad
	in      *ipv4.PacketConn
	server  *net.UDPAddr
	clients []dhcpClient
	byXID   map[uint32]int
	next    int
	xid     uint32
	out     []ipv4.Message
	res     Result
}

// Run does the load and returns operations (exchanges that ended in an ACK).
func (l DHCPLoad) Run(ctx context.Context) (Result, error) {
	conn, err := l.Lab.Relay()
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = conn.Close() }()
	g := &dhcpRun{
		DHCPLoad: l, in: ipv4.NewPacketConn(conn), server: &net.UDPAddr{IP: net.ParseIP(LabServer), Port: 67},
		clients: make([]dhcpClient, l.Clients), byXID: map[uint32]int{}, xid: uint32(time.Now().UnixNano()),
	}
	return g.run(ctx, conn)
}

func (g *dhcpRun) run(ctx context.Context, conn *net.UDPConn) (Result, error) {
	start := time.Now()
	for range min(g.Parallel, g.Clients) {
		g.begin(start)
	}
	in := make([]ipv4.Message, 64)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	for now := start; now.Sub(start) < g.Duration && ctx.Err() == nil; now = time.Now() {
		if err := g.flush(); err != nil {
			return g.res, err
		}
		_ = conn.SetReadDeadline(now.Add(retransmitAfter))
		n, err := g.in.ReadBatch(in, 0)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			g.retransmit(time.Now())
			continue
		}
		if err != nil {
			return g.res, err
		}
		for i := range n {
			g.answer(in[i].Buffers[0][:in[i].N], time.Now())
		}
	}
	g.res.Elapsed = time.Since(start)
	return g.res, nil
}

// begin starts the next client that does nothing.
func (g *dhcpRun) begin(now time.Time) {
	for g.clients[g.next].busy {
		g.next = (g.next + 1) % len(g.clients)
	}
	i := g.next
	g.next = (g.next + 1) % len(g.clients)
	c := &g.clients[i]
	g.xid++
	c.busy, c.xid, c.started = true, g.xid, now
	g.byXID[c.xid] = i
	c.packet = g.message(i, 1, nil, nil)
	g.send(c, now)
}

func (g *dhcpRun) send(c *dhcpClient, now time.Time) {
	c.sent = now
	g.out = append(g.out, ipv4.Message{Buffers: [][]byte{c.packet}, Addr: g.server})
}

func (g *dhcpRun) flush() error {
	for len(g.out) > 0 {
		n, err := g.in.WriteBatch(g.out, 0)
		if err != nil {
			return err
		}
		g.out = g.out[n:]
	}
	g.out = nil
	return nil
}

func (g *dhcpRun) retransmit(now time.Time) {
	for i := range g.clients {
		if c := &g.clients[i]; c.busy && now.Sub(c.sent) > retransmitAfter {
			g.res.Errors++
			g.send(c, now)
		}
	}
}

// message is what a phone behind the relay sends: typ 1 is DISCOVER, 3 REQUEST.
func (g *dhcpRun) message(i int, typ byte, requested, server []byte) []byte {
	b := make([]byte, 240, 320)
	b[0], b[1], b[2], b[3] = 1, 1, 6, 1
	binary.BigEndian.PutUint32(b[4:], g.clients[i].xid)
	copy(b[24:], net.ParseIP(LabRelay).To4())
	b[28], b[29], b[30] = 0x00, 0x15, 0x65
	b[31], b[32], b[33] = byte(i>>16), byte(i>>8), byte(i)
	copy(b[236:], "\x63\x82\x53\x63")
	b = append(b, 53, 1, typ, 55, 8, 1, 3, 6, 15, 42, 66, 67, 43, 60, byte(len(g.Class)))
	b = append(b, g.Class...)
	if requested != nil {
		b = append(append(b, 50, 4), requested...)
		b = append(append(b, 54, 4), server...)
	}
	return append(b, 255)
}

// answer goes on with the exchange that a reply belongs to.
func (g *dhcpRun) answer(b []byte, now time.Time) {
	if len(b) < 244 || b[0] != 2 {
		return
	}
	i, known := g.byXID[binary.BigEndian.Uint32(b[4:])]
	if !known {
		return
	}
	c := &g.clients[i]
	typ, server, url := replyOptions(b[240:])
	switch {
	case typ == 2 && c.packet[242] == 1: // OFFER of what was asked
		c.packet = g.message(i, 3, b[16:20], server)
		g.send(c, now)
		return
	case typ == 5 && c.packet[242] == 3: // ACK
		if !url {
			g.res.Errors++
		}
		g.res.Ops++
		g.res.Latency = append(g.res.Latency, now.Sub(c.started))
	case typ == 6:
		g.res.Errors++
	default:
		return
	}
	delete(g.byXID, c.xid)
	c.busy = false
	g.begin(now)
}

// replyOptions reads what the client needs: the type, the server, and whether the
// phone was told where its files are.
func replyOptions(b []byte) (typ byte, server []byte, url bool) {
	for len(b) >= 2 && b[0] != 255 {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		n := 2 + int(b[1])
		if len(b) < n {
			return 0, nil, false
		}
		switch v := b[2:n]; b[0] {
		case 53:
			typ = v[0]
		case 54:
			server = bytes.Clone(v)
		case 66:
			url = true
		}
		b = b[n:]
	}
	return typ, server, url
}
