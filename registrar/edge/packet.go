package edge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// packetSocket is a UDP socket in service.
type packetSocket struct {
	server    *Server
	transport string
	local     string
	conn      net.PacketConn
	io        packetIO
	sender    sender
	virtual   *VirtualPacketConn // nil without Rest
	done      chan struct{}      // closed when the reader has ended
	next      *Request           // for the next datagram; only the reader's
	group     *group             // of the batch that is being read, or nil; only the reader's
}

func (s *Server) newPacketSocket(l Listener) (*packetSocket, error) {
	io, err := newPacketIO(l.Packet)
	if err != nil {
		return nil, err
	}
	p := &packetSocket{
		server: s, transport: l.Transport, local: l.Packet.LocalAddr().String(), conn: l.Packet, io: io,
		sender: sender{server: s, io: io}, done: make(chan struct{}),
	}
	if s.opts.Rest != nil {
		p.virtual = NewVirtualPacketConn(l.Packet, s.opts.Queue)
	}
	return p, nil
}

func (p *packetSocket) start(group *errgroup.Group) {
	group.Go(func() error {
		defer close(p.done)
		return p.read()
	})
	if p.virtual == nil {
		return
	}
	group.Go(func() error {
		if err := ignoreClosed(p.server.opts.Rest.ServePacket(p.transport, p.virtual)); err != nil {
			return fmt.Errorf("serve %s: %w", p.transport, err)
		}
		return nil
	})
}

// stopReading makes the reader end after the batch it is at.
func (p *packetSocket) stopReading() {
	_ = p.conn.SetReadDeadline(past()) // fails only on a closed socket, which ends the reader too
	<-p.done
}

func (p *packetSocket) close() {
	p.sender.flush()
	if p.virtual != nil {
		_ = p.virtual.Close() // always nil
	}
	p.conn.Close()
}

// read is the loop of the reader: a batch in, its answers out.
func (p *packetSocket) read() error {
	for p.server.reading.Load() {
		n, err := p.io.read()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("read %s: %w", p.local, err)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				// What a socket reports here concerns one peer, such as an ICMP error.
				p.server.noise("cannot read from udp", "error", err)
				pause(p.server.stopping, time.Millisecond)
			}
			continue
		}
		for i := range n {
			data, from := p.io.datagram(i)
			p.server.guard(func() { p.receive(data, from) })
		}
		p.commit()
		p.sender.flush()
	}
	return nil
}

// receive handles one datagram. data is overwritten after it returns.
func (p *packetSocket) receive(data []byte, from netip.AddrPort) {
	s := p.server
	switch classify(data) {
	case kindKeepalive:
		return
	case kindSTUN:
		p.answerSTUN(data, from)
		return
	}
	if !from.IsValid() || !s.budgets.Take(s.budgets.Key(from.Addr(), ""), 1, time.Now()) {
		s.metrics.dropped[dropBudget].Inc()
		return
	}
	r := p.next
	if r == nil {
		r = s.requests.Get().(*Request)
	}
	p.next = nil
	r.packet, r.batched = p, true
	r.flow = Flow{Transport: p.transport, Remote: from, Socket: p.local}
	if err := r.Msg.Parse(data); err != nil {
		s.metrics.dropped[dropGarbage].Inc()
	} else if s.dispatch(r) {
		p.hand(r)
		return
	}
	p.next = r
}

// hand sees to a REGISTER that has to wait for something, or refuses it when there
// are too many: a phone that is told waits, one that is not repeats itself.
func (p *packetSocket) hand(r *Request) {
	s := p.server
	if s.groups.full(s.opts.Queue) {
		s.busy(r)
		p.next = r
		return
	}
	r.Msg.Move(nil)
	progress := Waits
	if s.opts.Grouper != nil {
		progress = s.opts.Grouper.Begin(r)
	}
	switch {
	case progress == Joined:
		p.join(r)
	case progress == Answered, !s.wait(r):
		p.next = r
	}
}

// wait gives r to the workers, or refuses it.
func (s *Server) wait(r *Request) bool {
	r.batched = false // nobody sends its answer with others
	select {
	case s.jobs <- r:
		return true
	default:
		s.busy(r)
		return false
	}
}

// MaxPacket is how long a datagram for Rest may be, in bytes: Rest reads no more. A
// larger message has to come over a connection.
const MaxPacket = 8 << 10

// forward gives a message to Rest.
func (p *packetSocket) forward(data []byte, from netip.AddrPort) {
	if !p.virtual.deliver(data, from) {
		p.server.metrics.dropped[dropQueue].Inc()
	}
}
