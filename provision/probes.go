package provision

import (
	"container/list"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	// probeWindow is the time in which a source may use its budget once.
	probeWindow = 10 * time.Minute
	// maxSources and maxBlocks bound the memory; who was quiet longest is forgotten.
	maxSources = 4096
	maxBlocks  = 1024
	// blockShare is the budget of a MAC block in those of a single source: it is
	// used up by many sources that share the work.
	blockShare = 10
	// recentProbes are remembered of each source: who asks again for the same has
	// not learned more.
	recentProbes = 32
)

// Ban is a source that asked for too much of what it has not: addresses of phones
// nobody knows, tokens nobody has, names that mean nothing.
type Ban struct {
	Source netip.Prefix // one IPv4 address, or the /64 of an IPv6 address
	Reason string       // "scan" or "decoy"
	Since  time.Time
	Until  time.Time // moves on while the source goes on
}

// probes counts what sources ask for in vain. It remembers the last maxSources of
// them, so that forged addresses cost no memory.
type probes struct {
	budget int
	decoys []phone.MAC
	seed   maphash.Seed

	mu      sync.Mutex
	order   *list.List // of *prober, the last one to ask in front
	sources map[netip.Prefix]*list.Element
	blocks  map[[3]byte]*tally
}

// prober is one source.
type prober struct {
	source netip.Prefix
	tally  tally
	recent [recentProbes]uint64
	next   int
	ban    Ban // zero Until: none yet
}

// tally is a bucket that holds a budget and fills again within probeWindow.
type tally struct {
	used float64
	at   time.Time
}

// take uses one of budget and reports whether there was one.
func (t *tally) take(budget int, now time.Time) bool {
	t.used = max(0, t.used-now.Sub(t.at).Seconds()*float64(budget)/probeWindow.Seconds())
	t.at = now
	if t.used+1 > float64(budget) {
		return false
	}
	t.used++
	return true
}

func newProbes(budget int, decoys []phone.MAC) *probes {
	return &probes{
		budget: budget, decoys: decoys, seed: maphash.MakeSeed(),
		order: list.New(), sources: map[netip.Prefix]*list.Element{}, blocks: map[[3]byte]*tally{},
	}
}

// verdict is what is thought of a probe.
type verdict struct {
	over   bool // the source is to learn nothing any more
	banned Ban  // set when this probe was the one too many
	crowd  bool // the MAC block was asked about too often, by whomever
}

// probe counts that a source asked in vain for what, the phone mac if that is one.
func (p *probes) probe(source netip.Addr, what string, mac phone.MAC, now time.Time) verdict {
	key := maphash.String(p.seed, what)
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sourceLocked(sourceOf(source))
	decoy := !mac.IsZero() && slices.Contains(p.decoys, mac)
	again := slices.Contains(s.recent[:], key)
	within := true
	var v verdict
	if !again {
		s.recent[s.next], s.next = key, (s.next+1)%recentProbes
		within = s.tally.take(p.budget, now)
		v.crowd = !mac.IsZero() && !p.blockLocked([3]byte(mac[:3])).take(p.budget*blockShare, now)
	}
	open := now.Before(s.ban.Until)
	v.over = open || !within || decoy
	if !v.over {
		return v
	}
	if !open {
		s.ban = Ban{Source: s.source, Reason: "scan", Since: now}
		if decoy {
			s.ban.Reason = "decoy"
		}
		v.banned = s.ban
	}
	s.ban.Until = now.Add(probeWindow)
	return v
}

// over reports whether a source is banned now.
func (p *probes) over(source netip.Addr, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	el, ok := p.sources[sourceOf(source)]
	return ok && now.Before(el.Value.(*prober).ban.Until)
}

// bans lists the sources that are banned now, in the order of their addresses.
func (p *probes) bans(now time.Time) []Ban {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Ban
	for el := p.order.Front(); el != nil; el = el.Next() {
		if b := el.Value.(*prober).ban; now.Before(b.Until) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b Ban) int { return a.Source.Addr().Compare(b.Source.Addr()) })
	return out
}

// pardon ends the ban of a source, which has its whole budget again; false when it is
// not banned now.
func (p *probes) pardon(source netip.Prefix, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	el, ok := p.sources[source]
	if !ok || !now.Before(el.Value.(*prober).ban.Until) {
		return false
	}
	p.order.Remove(el)
	delete(p.sources, source)
	return true
}

func (p *probes) sourceLocked(source netip.Prefix) *prober {
	if el, ok := p.sources[source]; ok {
		p.order.MoveToFront(el)
		return el.Value.(*prober)
	}
	if p.order.Len() >= maxSources {
		old := p.order.Remove(p.order.Back()).(*prober)
		delete(p.sources, old.source)
	}
	s := &prober{source: source}
	p.sources[source] = p.order.PushFront(s)
	return s
}

func (p *probes) blockLocked(block [3]byte) *tally {
	if t, ok := p.blocks[block]; ok {
		return t
	}
	if len(p.blocks) >= maxBlocks {
		for b := range p.blocks {
			delete(p.blocks, b)
			break
		}
	}
	t := &tally{}
	p.blocks[block] = t
	return t
}

// sourceOf is what counts as one source: a host has a whole /64 of IPv6.
func sourceOf(a netip.Addr) netip.Prefix {
	a = plain(a)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address at all
	}
	return prefix
}
