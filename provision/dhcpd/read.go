package dhcpd

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/net/ipv4"
)

const maxBackoff = 5 * time.Second

// readLoop reads one interface until ctx is done, and opens it anew after an
// error: an interface that went away comes back with another index.
func (s *Server) readLoop(ctx context.Context, i int) {
	backoff := s.poll / 20
	for {
		l := s.link(i)
		err := s.crew.readAll(ctx, l)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, net.ErrClosed) { // that was watch
			s.engine.opts.Logger.WarnContext(ctx, "dhcp socket failed, opening it again", "interface", l.name, "error", err)
		}
		l.close()
		for s.reopen(ctx, i) != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff):
				backoff = min(2*backoff, maxBackoff)
			}
		}
		backoff = s.poll / 20
		s.engine.opts.Logger.InfoContext(ctx, "dhcp socket opened again", "interface", l.name)
	}
}

// reopen replaces link i by the interface of the same name as it is now.
func (s *Server) reopen(ctx context.Context, i int) error {
	o := &s.engine.opts
	l, err := inspect(s.link(i).name, o.ServerIP, o.Range[0])
	if err != nil {
		return err
	}
	l.inRange = s.engine.network.IsValid() && l.prefix == s.engine.network
	if err := s.open(ctx, l); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[i] = l
	if ctx.Err() != nil { // stopReading may have come before
		_ = l.conn.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

// watch closes the socket of an interface that was replaced or has another
// address, as such a socket hears nothing and says nothing. readLoop then opens it.
func (s *Server) watch(ctx context.Context, i int) {
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l := s.link(i)
		now, err := inspect(l.name, s.engine.opts.ServerIP, s.engine.opts.Range[0])
		if (err != nil || !l.same(now)) && l.close() { // nil is the first close
			s.engine.opts.Logger.WarnContext(ctx, "interface changed or is gone", "interface", l.name, "error", err)
		}
	}
}

// readBatch is how many datagrams one system call takes at most.
const readBatch = 16

// readAll hands datagrams to the crew until reading fails.
func (c *crew) readAll(ctx context.Context, l *link) error {
	in := ipv4.NewPacketConn(l.conn)
	msgs := make([]ipv4.Message, readBatch)
	bufs := make([]*[maxDatagram]byte, readBatch)
	for i := range msgs {
		msgs[i].Buffers = make([][]byte, 1)
	}
	defer func() {
		for _, b := range bufs {
			if b != nil {
				c.buffers.Put(b)
			}
		}
	}()
	for {
		for i := range bufs {
			if bufs[i] == nil {
				bufs[i] = c.buffers.Get().(*[maxDatagram]byte)
				msgs[i].Buffers[0] = bufs[i][:]
			}
		}
		n, err := in.ReadBatch(msgs, 0)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				continue
			}
			return err
		}
		for i := range n {
			peer, ok := msgs[i].Addr.(*net.UDPAddr)
			if !ok {
				continue
			}
			c.dispatch(packet{buf: bufs[i], n: msgs[i].N, peer: peer.AddrPort(), link: l})
			bufs[i] = nil // the crew's
		}
	}
}
