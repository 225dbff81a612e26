package location

import (
	"context"
	"log/slog"
	"slices"
)

// drain writes what is held, a batch at a time.
func (r *Resilient) drain(ctx context.Context) {
	for ctx.Err() == nil && !r.degraded.Load() {
		aors := r.some()
		if len(aors) == 0 {
			return
		}
		if err := r.restore(ctx, aors, true); err != nil {
			r.fellOver(ctx, err)
			return
		}
	}
}

// some returns a few of the AORs that have something to write.
func (r *Resilient) some() []AOR {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]AOR, 0, restoreAtOnce)
	for aor := range r.pending {
		if len(out) == restoreAtOnce {
			break
		}
		out = append(out, aor)
	}
	return out
}

// settle writes what is held of one AOR, so that what follows finds it.
func (r *Resilient) settle(ctx context.Context, aor AOR) error {
	r.mu.Lock()
	held := r.pending[aor] != nil
	r.mu.Unlock()
	if !held {
		return nil
	}
	return r.restore(ctx, []AOR{aor}, false)
}

// restore writes what is held of some AORs. bounded keeps to the rate: requests
// do not wait, there is at most one per AOR.
func (r *Resilient) restore(ctx context.Context, aors []AOR, bounded bool) error {
	var all []Held
	versions := make([]int, len(aors))
	for i, aor := range aors {
		var held []Held
		held, versions[i] = r.heldOf(aor)
		all = append(all, held...)
	}
	for batch := range slices.Chunk(all, restoreAtOnce) {
		if bounded {
			if err := r.limit.WaitN(ctx, len(batch)); err != nil {
				return err
			}
		}
		call, cancel := context.WithTimeout(ctx, probeTimeout)
		err := r.store.Restore(call, batch)
		cancel()
		if err != nil {
			return err
		}
		r.metrics.restored.Add(float64(len(batch)))
	}
	r.done(aors, versions)
	return nil
}

// heldOf is all that has to be written of an AOR, as it is now.
func (r *Resilient) heldOf(aor AOR) ([]Held, int) {
	r.mu.Lock()
	p := r.pending[aor]
	if p == nil {
		r.mu.Unlock()
		return nil, 0
	}
	out, refill, version := slices.Clone(p.held), p.refill, p.version
	r.mu.Unlock()
	if !refill {
		return out, version
	}
	for _, b := range r.mirror.Bindings(aor) {
		if !slices.ContainsFunc(out, func(h Held) bool { return h.ID == b.ID }) {
			r.recent.correct(&b)
			out = append(out, Held{Binding: b})
		}
	}
	return out, version
}

// done forgets what was written, unless more has come meanwhile.
func (r *Resilient) done(aors []AOR, versions []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, aor := range aors {
		if p := r.pending[aor]; p != nil && p.version == versions[i] {
			delete(r.pending, aor)
		}
	}
	if len(r.pending) == 0 {
		r.pending = make(map[AOR]*pending) // a map does not shrink
	}
	r.waiting.Store(int64(len(r.pending)))
	r.metrics.pending.Set(float64(len(r.pending)))
}

// missing is asked by the mirror about bindings that the store does not have.
func (r *Resilient) missing(gone []Binding, reloaded bool) []Binding {
	now := r.storeNow()
	upset := r.degraded.Load() || toMillis(r.now()) < r.since.Load()+settleTime.Milliseconds()
	var kept []Binding
	r.mu.Lock()
	for _, b := range gone {
		p := r.pending[b.AOR]
		if p != nil && slices.ContainsFunc(p.held, func(h Held) bool { return h.ID == b.ID && h.Gone }) {
			continue
		}
		r.recent.correct(&b)
		switch {
		case !b.live(now):
			continue
		case reloaded && r.store.Lost(b.AOR):
			p = r.pendingOf(b.AOR)
			p.refill = true
			p.version++
		case p == nil && (reloaded || !upset):
			continue
		}
		kept = append(kept, b)
	}
	r.mu.Unlock()
	if reloaded {
		r.store.Regained()
	}
	if reloaded && len(kept) > 0 {
		r.log.Warn("redis has lost registrations: this node writes those it knows", slog.Int("bindings", len(kept)))
		r.poke()
	}
	return kept
}
