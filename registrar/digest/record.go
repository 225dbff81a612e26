package digest

import (
	"hash/maphash"
	"sync"
	"time"
)

// recordSize bounds each of the two generations of the record: about 12 MB.
const recordSize = 128 << 10

// window is how many nonce counts behind the highest one may still arrive first,
// since UDP reorders.
const window = 64

// record remembers which nonce counts have been used on this node, so that seen
// credentials prove nothing a second time. It is written only after the digest
// was right, hence only by those who know a password, and is bounded: when it has
// to forget, it refuses (as stale) every nonce as old as what it forgot.
type record struct {
	seed     maphash.Seed
	lifetime time.Duration

	mu       sync.Mutex
	current  map[nonceID]usage
	previous map[nonceID]usage
	newest   [2]time.Time // latest issue time in current and in previous
	since    time.Time    // when current was begun
	floor    time.Time    // nonces issued until then are stale unless remembered
}

// usage is what is known of one nonce. It has no pointers: the garbage collector
// does not look into the maps.
type usage struct {
	highest uint32    // highest nonce count used
	seen    uint64    // bit i: highest-i was used
	retries [2]uint64 // fingerprints of the latest requests, to know a retransmission
	given   bool      // to another node
}

// use is one use of a nonce.
type use struct {
	nonce  nonceID
	issued time.Time
	count  uint32
	retry  uint64
}

// newRecord starts empty: what was used before the process started is unknown,
// so nonces of before start are stale.
func newRecord(lifetime time.Duration, start time.Time) *record {
	return &record{
		seed: maphash.MakeSeed(), lifetime: lifetime, since: start,
		floor:   start.Truncate(time.Microsecond).Add(-time.Microsecond),
		current: make(map[nonceID]usage), previous: make(map[nonceID]usage),
	}
}

// admit reports whether u is a first use or a retransmission, and remembers it.
func (r *record) admit(u use, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotateLocked(now)
	known, ok := r.knownLocked(u.nonce)
	if !ok && !u.issued.After(r.floor) {
		return false
	}
	if !known.admit(u.count, u.retry) {
		return known.retransmitted(u.retry)
	}
	r.keepLocked(u.nonce, u.issued, known)
	return true
}

// rotateLocked forgets the older generation when the younger one is full, or old
// enough that all in the older one has expired anyway.
func (r *record) rotateLocked(now time.Time) {
	if len(r.current) < recordSize && now.Sub(r.since) < r.lifetime {
		return
	}
	if r.newest[1].After(r.floor) {
		r.floor = r.newest[1]
	}
	r.previous, r.current = r.current, make(map[nonceID]usage, len(r.current)/2)
	r.newest = [2]time.Time{{}, r.newest[0]}
	r.since = now
}

// admit marks count as used; false when it was, or is too far behind to know.
func (u *usage) admit(count uint32, retry uint64) bool {
	switch {
	case count > u.highest:
		u.seen = u.seen<<min(count-u.highest, window) | 1
		u.highest = count
	case u.highest-count >= window || u.seen&(1<<(u.highest-count)) != 0:
		return false
	default:
		u.seen |= 1 << (u.highest - count)
	}
	u.retries[1], u.retries[0] = u.retries[0], retry
	return true
}

func (u *usage) retransmitted(retry uint64) bool {
	return u.retries[0] == retry || u.retries[1] == retry
}
