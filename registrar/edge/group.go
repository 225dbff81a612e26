package edge

import (
	"slices"
	"sync"
	"sync/atomic"
)

// group is the REGISTERs of one batch of datagrams that are committed together.
type group struct {
	socket   *packetSocket
	requests []*Request
}

// groups counts the requests of the groups under way.
type groups struct {
	requests atomic.Int64
	pending  sync.WaitGroup
}

func (g *groups) full(limit int) bool { return g.requests.Load() >= int64(limit) }

// wait waits until all groups are answered. Nobody begins one any more.
func (g *groups) wait() { g.pending.Wait() }

// join adds a request to the group of the batch.
func (p *packetSocket) join(r *Request) {
	if p.group == nil {
		p.group = p.server.spares.Get().(*group)
		p.group.socket = p
	}
	p.group.requests = append(p.group.requests, r)
}

// commit hands the group of the batch on, if there is one.
func (p *packetSocket) commit() {
	g := p.group
	if g == nil {
		return
	}
	p.group = nil
	s := p.server
	s.groups.pending.Add(1)
	s.groups.requests.Add(int64(len(g.requests)))
	var once atomic.Bool
	answered := func(but []*Request) {
		if once.CompareAndSwap(false, true) {
			g.answered(but)
		}
	}
	committed := false
	s.guard(func() {
		s.opts.Grouper.Commit(g.requests, answered)
		committed = true
	})
	if !committed { // it has panicked: what it has not answered, nobody does
		answered(nil)
	}
}

// answered ends a group: its answers are sent, with as few system calls as they need.
func (g *group) answered(but []*Request) {
	s := g.socket.server
	g.socket.sender.flush()
	for _, r := range g.requests {
		if !slices.Contains(but, r) || !s.wait(r) {
			r.release()
		}
	}
	n := len(g.requests)
	clear(g.requests)
	g.requests = g.requests[:0]
	s.spares.Put(g)
	s.groups.requests.Add(int64(-n))
	s.groups.pending.Done()
}

// Guard runs f and survives its panic, which is counted and logged.
func (s *Server) Guard(f func()) { s.guard(f) }
