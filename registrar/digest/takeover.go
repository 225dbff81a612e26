package digest

import (
	"context"
	"math"
	"time"
)

// A nonce is good on one node at a time, at first on the one that made it: there the
// record in memory is the whole truth and costs no round trip. Another node that is
// shown it asks for it, and from then on it is good there only. See docs/adr/0005.

// Maker returns who makes the nonces of v.
func (v *Verifier) Maker() Maker { return v.nonces.maker }

// SetTakeOver sets Options.TakeOver, for a way between the nodes that is made after the
// Verifier. It must be called before the first Verify.
func (v *Verifier) SetTakeOver(ask func(ctx context.Context, home Maker, nonce []byte) (highest uint32, ok bool)) {
	v.opts.TakeOver = ask
}

// GiveUp gives one of our nonces to another node: it is stale here from now on, save
// for exact repetitions of what was answered. It returns the highest count that was
// used; false when it is not ours to give.
func (v *Verifier) GiveUp(nonce []byte) (highest uint32, ok bool) {
	if len(nonce) != idLen {
		return 0, false
	}
	id := nonceID(nonce)
	if id.maker() != v.nonces.maker {
		return 0, false
	}
	return v.used.giveUp(id)
}

// takeOver makes the nonce of another node ours; false when it cannot be had.
func (v *Verifier) takeOver(ctx context.Context, id nonceID) bool {
	highest, ok := v.opts.TakeOver(ctx, id.maker(), id[:])
	if !ok {
		return v.used.has(id) // somebody else here was quicker
	}
	v.used.adopt(id, highest)
	return true
}

// has reports whether uses of the nonce are remembered.
func (r *record) has(id nonceID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.knownLocked(id)
	return ok
}

func (r *record) knownLocked(id nonceID) (usage, bool) {
	if u, ok := r.current[id]; ok {
		return u, true
	}
	u, ok := r.previous[id]
	return u, ok
}

// giveUp marks every count as used.
func (r *record) giveUp(id nonceID) (highest uint32, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.knownLocked(id)
	switch {
	case known.given, !ok && !id.issued().After(r.floor):
		return 0, false
	case known.seen != 0 && known.highest == 0:
		return 0, false // it has served the one request of a client that does not count
	}
	highest = known.highest
	r.keepLocked(id, id.issued(), usage{highest: math.MaxUint32, seen: math.MaxUint64, retries: known.retries, given: true})
	return highest, true
}

// adopt remembers a nonce of another node, with all counts up to highest used.
func (r *record) adopt(id nonceID, highest uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := usage{highest: highest}
	if highest > 0 {
		u.seen = math.MaxUint64
	}
	r.keepLocked(id, id.issued(), u)
}

func (r *record) keepLocked(id nonceID, issued time.Time, u usage) {
	r.current[id] = u
	if issued.After(r.newest[0]) {
		r.newest[0] = issued
	}
}
