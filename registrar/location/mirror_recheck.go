package location

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// rechecked is the answer to a question whether bindings were refreshed.
type rechecked struct {
	aor      AOR
	bindings []Binding
	err      error
}

// recheck looks up what is about to count as expired.
func (m *Mirror) recheck(ctx context.Context, work *sync.WaitGroup) {
	now := toMillis(m.now())
	for m.asking < mirrorAsks {
		e := m.expiries.first(now)
		if e == nil {
			return
		}
		if first := e.firstExpiry(); first > now {
			m.expiries.delay(e, first)
			continue
		}
		// Whatever comes of it, not again at once.
		m.expiries.delay(e, now+mirrorTimeout.Milliseconds()+1000)
		m.asking++
		aor := e.aor
		work.Go(func() { m.ask(ctx, aor) })
	}
}

func (m *Mirror) ask(ctx context.Context, aor AOR) {
	r := rechecked{aor: aor, err: ErrUnavailable}
	defer func() {
		if p := recover(); p != nil {
			m.metrics.panics.Inc()
			m.log.ErrorContext(ctx, "panic in lookup", slog.Any("panic", p))
		}
		m.results <- r // has room for all that are asked
	}()
	ctx, cancel := context.WithTimeout(ctx, mirrorTimeout)
	defer cancel()
	r.bindings, r.err = m.store.Lookup(ctx, aor)
}

// settle takes over what a lookup found. Only what was due is judged by it: the
// rest may be newer than the answer.
func (m *Mirror) settle(r rechecked) {
	e := m.aors[r.aor]
	if e == nil {
		return
	}
	now := toMillis(m.now())
	if r.err == nil {
		for _, b := range slices.Clone(e.bindings) {
			i := slices.IndexFunc(r.bindings, func(o Binding) bool { return o.ID == b.ID })
			switch {
			case i >= 0:
				m.put(&b, r.bindings[i])
			case !b.live(now):
				m.part(Expired, b)
			}
		}
	}
	if e.pos >= 0 {
		// The store's clock may be behind ours, or the store out of reach.
		m.expiries.delay(e, max(e.firstExpiry(), now+time.Second.Milliseconds()))
	}
}
