package location

import (
	"hash/maphash"
	"sync"
)

// recent is what this node has granted last, per binding: plain refreshes are not
// in the change stream, so the mirror learns of them only when a binding seems to
// run out. Without it a node could not tell a store that has lost everything until
// when its phones are registered. 24 bytes per live binding and what the map adds.
type recent struct {
	seed   maphash.Seed
	shards [recentShards]recentShard
	turn   int // the shard to be swept next
}

const recentShards = 64

type recentShard struct {
	mu sync.Mutex
	m  map[uint64]grant
}

// grant is the part of a binding that a refresh changes. Times are unix ms by the
// clock of the store.
type grant struct {
	refreshed, expires int64
	cseq               uint32
	call               uint32 // hash of the Call-ID
}

func newRecent() *recent {
	r := &recent{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].m = make(map[uint64]grant)
	}
	return r
}

func (r *recent) at(aor AOR, id string) (uint64, *recentShard) {
	key := maphash.String(r.seed, string(aor))*31 ^ maphash.String(r.seed, id)
	return key, &r.shards[key%recentShards]
}

func (r *recent) note(b *Binding) {
	key, s := r.at(b.AOR, b.ID)
	g := grant{
		refreshed: toMillis(b.RefreshedAt), expires: toMillis(b.ExpiresAt),
		cseq: b.CSeq, call: uint32(maphash.String(r.seed, b.CallID)),
	}
	s.mu.Lock()
	s.m[key] = g
	s.mu.Unlock()
}

func (r *recent) forget(aor AOR, id string) {
	key, s := r.at(aor, id)
	s.mu.Lock()
	delete(s.m, key)
	s.mu.Unlock()
}

// correct brings a binding of the mirror up to date.
func (r *recent) correct(b *Binding) {
	key, s := r.at(b.AOR, b.ID)
	s.mu.Lock()
	g, ok := s.m[key]
	s.mu.Unlock()
	if !ok || g.refreshed < toMillis(b.RefreshedAt) {
		return
	}
	b.RefreshedAt, b.ExpiresAt = fromMillis(g.refreshed), fromMillis(g.expires)
	if g.call == uint32(maphash.String(r.seed, b.CallID)) {
		b.CSeq = g.cseq
	}
}

// sweep forgets what has run out, in one shard a call.
func (r *recent) sweep(now int64) {
	s := &r.shards[r.turn%recentShards]
	r.turn++
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, g := range s.m {
		if g.expires <= now {
			delete(s.m, key)
		}
	}
}
