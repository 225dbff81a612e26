package inventory

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

const cacheShards = 32

// cache keeps what was read from the database until a commit changes it, and
// what was not found, within bounds of their own so that a flood of unknown names
// cannot push out the known ones.
//
// A value read before a commit must not be stored after it. So a reader takes the
// generation of the shard before it reads, and storing is refused when drop or
// clear has moved the generation since.
type cache[K comparable, V any] struct {
	seed         maphash.Seed
	maxHit       int // per shard
	maxMiss      int
	own          func(K) K     // copies a key that would keep something larger alive
	outlast      time.Duration // how long what was known is good while the database is away
	now          func() time.Time
	hits, misses prometheus.Counter
	shards       [cacheShards]cacheShard[K, V]
}

type cacheShard[K comparable, V any] struct {
	mu   sync.RWMutex
	gen  uint64
	off  bool // others write and we do not hear of it
	hit  map[K]V
	miss map[K]struct{}

	last  map[K]V // what was known when others could be heard for the last time
	since time.Time
}

// newCache makes a cache for about maxHit values and maxMiss absent keys.
func newCache[K comparable, V any](maxHit, maxMiss int, hits, misses prometheus.Counter) *cache[K, V] {
	c := &cache[K, V]{
		seed: maphash.MakeSeed(), hits: hits, misses: misses,
		maxHit: max(1, maxHit/cacheShards), maxMiss: max(1, maxMiss/cacheShards),
		own: func(k K) K { return k }, now: time.Now,
	}
	c.clear()
	return c
}

func newStringCache[V any](maxHit, maxMiss int, hits, misses prometheus.Counter) *cache[string, V] {
	c := newCache[string, V](maxHit, maxMiss, hits, misses)
	c.own = strings.Clone
	return c
}

func (c *cache[K, V]) shard(k K) *cacheShard[K, V] {
	return &c.shards[maphash.Comparable(c.seed, k)%cacheShards]
}

// get returns the value of k, from memory or else from load, which tells
// phone.ErrNotFound for a key that is not there.
func (c *cache[K, V]) get(k K, load func(K) (V, error)) (V, error) {
	sh := c.shard(k)
	sh.mu.RLock()
	v, found := sh.hit[k]
	gen := sh.gen
	absent := false
	if !found {
		_, absent = sh.miss[k]
	}
	sh.mu.RUnlock()
	if found {
		c.hits.Inc()
		return v, nil
	}
	if absent {
		c.hits.Inc()
		return v, phone.ErrNotFound
	}
	c.misses.Inc()
	v, err := load(k)
	if err == nil || errors.Is(err, phone.ErrNotFound) {
		c.fill(sh, c.own(k), gen, v, err == nil)
		return v, err
	}
	if errors.Is(err, phone.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		if old, known := c.recall(sh, k); known {
			c.hits.Inc()
			return old, nil
		}
	}
	return v, err
}

// recall returns what k was when the database went away, if that is not too long ago.
func (c *cache[K, V]) recall(sh *cacheShard[K, V], k K) (v V, known bool) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if sh.last == nil || c.now().Sub(sh.since) > c.outlast {
		return v, false
	}
	v, known = sh.last[k]
	return v, known
}

// peek is get that does not load: known is false when the value is not in memory.
func (c *cache[K, V]) peek(k K) (v V, known bool, err error) {
	sh := c.shard(k)
	sh.mu.RLock()
	v, known = sh.hit[k]
	if !known {
		if _, known = sh.miss[k]; known {
			err = phone.ErrNotFound
		}
	}
	sh.mu.RUnlock()
	if known {
		c.hits.Inc()
	}
	return v, known, err
}

// fill stores what was read in generation gen, unless that has passed.
func (c *cache[K, V]) fill(sh *cacheShard[K, V], k K, gen uint64, v V, found bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.gen != gen || sh.off {
		return
	}
	if found {
		makeRoom(sh.hit, c.maxHit)
		sh.hit[k] = v
		return
	}
	makeRoom(sh.miss, c.maxMiss)
	sh.miss[k] = struct{}{}
}

// makeRoom removes an arbitrary entry from a full map.
func makeRoom[K comparable, V any](m map[K]V, limit int) {
	if len(m) < limit {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}

// drop forgets k after a commit that changed it.
func (c *cache[K, V]) drop(k K) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	delete(sh.hit, k)
	delete(sh.miss, k)
	delete(sh.last, k)
}

// clear forgets everything.
func (c *cache[K, V]) clear() { c.reset(func(sh *cacheShard[K, V]) { sh.last = nil }) }

// switchTo forgets everything and, with live false, stores nothing from now on. What was
// known until then is put aside for when the database cannot be asked.
func (c *cache[K, V]) switchTo(live bool) {
	c.reset(func(sh *cacheShard[K, V]) {
		switch {
		case live:
			sh.last = nil
		case !sh.off && c.outlast > 0:
			sh.last, sh.since = sh.hit, c.now()
		}
		sh.off = !live
	})
}

func (c *cache[K, V]) reset(change func(*cacheShard[K, V])) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		change(sh)
		sh.gen++
		sh.hit, sh.miss = map[K]V{}, map[K]struct{}{}
		sh.mu.Unlock()
	}
}
