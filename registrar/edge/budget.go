package edge

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Budgets are token buckets, one per key, in a table of fixed size: a million
// spoofed sources cannot make it grow. When a key has no place, the bucket that is
// closest to full, so says least, makes room.
type Budgets struct {
	rate, burst float64
	seed        maphash.Seed
	shards      [budgetShards]budgetShard
}

const (
	budgetShards = 64
	budgetWays   = 4
)

type budgetShard struct {
	mu   sync.Mutex
	sets [][budgetWays]bucket
}

// bucket is how many tokens a key had left, and when. Key 0 is an empty place.
type bucket struct {
	key   uint64
	level float64
	at    int64 // unix milliseconds
}

// NewBudgets returns a table for size keys that get rate tokens a second, up to
// burst.
func NewBudgets(size int, rate, burst float64) *Budgets {
	b := &Budgets{rate: rate, burst: burst, seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].sets = make([][budgetWays]bucket, max(1, size/budgetShards/budgetWays))
	}
	return b
}

// Take spends n tokens of key and reports whether there were as many.
func (b *Budgets) Take(key uint64, n float64, now time.Time) bool {
	s := &b.shards[key%budgetShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := b.find(s, key, now.UnixMilli())
	if e.level < n {
		return false
	}
	e.level -= n
	return true
}

// Has reports whether key has n tokens, and spends none.
func (b *Budgets) Has(key uint64, n float64, now time.Time) bool {
	s := &b.shards[key%budgetShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.find(s, key, now.UnixMilli()).level >= n
}

// Refund gives n tokens back.
func (b *Budgets) Refund(key uint64, n float64, now time.Time) {
	s := &b.shards[key%budgetShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := b.find(s, key, now.UnixMilli())
	e.level = min(e.level+n, b.burst)
}

// find returns the bucket of key, filled up to now.
func (b *Budgets) find(s *budgetShard, key uint64, now int64) *bucket {
	key |= 1 // never 0
	set := &s.sets[(key>>8)%uint64(len(s.sets))]
	var spare *bucket
	most := -1.0
	for i := range set {
		e := &set[i]
		if e.key == key {
			b.fill(e, now)
			return e
		}
		level := b.burst + 1 // an empty place
		if e.key != 0 {
			level = b.levelAt(e, now)
		}
		if level > most {
			spare, most = e, level
		}
	}
	*spare = bucket{key: key, level: b.burst, at: now}
	return spare
}

func (b *Budgets) fill(e *bucket, now int64) {
	e.level = b.levelAt(e, now)
	// Several ask with clocks that they read a moment apart. When it is more than a
	// moment the clock was set back, and the bucket must not wait until it is there again.
	if now > e.at || now < e.at-clockSet {
		e.at = now
	}
}

// clockSet is by how many milliseconds a clock goes back only when it is set.
const clockSet = 1000

func (b *Budgets) levelAt(e *bucket, now int64) float64 {
	return min(b.burst, e.level+b.rate*float64(max(0, now-e.at))/1000)
}

// Key returns the key of an address, together with a name unless that is empty.
// An IPv6 network of 64 bits is one source.
func (b *Budgets) Key(a netip.Addr, name string) uint64 {
	raw := a.As16()
	part := raw[:]
	if a.Is6() && !a.Is4In6() {
		part = raw[:8]
	}
	key := maphash.Bytes(b.seed, part)
	if name != "" {
		key ^= maphash.String(b.seed, name) * 31
	}
	return key
}
