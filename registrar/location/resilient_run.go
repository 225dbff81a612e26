package location

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	probeWell    = 2 * time.Second // between two signs of life; also this node's
	probeIll     = 400 * time.Millisecond
	probeTimeout = 2 * time.Second
	sweepRecent  = time.Second // 64 of them see all
)

// Run follows the store with the mirror, notices when it goes and comes back, and
// writes what is held, until ctx ends.
func (r *Resilient) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	r.poke() // the first sign of life
	work.Go(func() { r.tend(ctx) })
	return r.mirror.Run(ctx)
}

func (r *Resilient) tend(ctx context.Context) {
	sweep := time.NewTicker(sweepRecent)
	defer sweep.Stop()
	probe := time.NewTimer(probeWell)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			r.recent.sweep(r.storeNow())
			continue
		case <-r.wake:
		case <-probe.C:
		}
		r.guard(func() { r.probe(ctx) })
		every := probeWell
		if r.degraded.Load() || r.waiting.Load() > 0 {
			every = probeIll/2 + rand.N(probeIll)
		}
		probe.Reset(every)
	}
}

func (r *Resilient) guard(do func()) {
	defer func() {
		if p := recover(); p != nil {
			r.mirror.metrics.panics.Inc()
			r.log.Error("panic in location store", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	do()
}

// probe looks whether the store can be written, and writes what is held for it.
func (r *Resilient) probe(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, probeTimeout)
	err := r.store.Ping(call)
	cancel()
	if err != nil {
		if !r.fellOver(ctx, err) && ctx.Err() == nil && r.refused.CompareAndSwap(false, true) {
			r.log.ErrorContext(ctx, "redis cannot be used as it is", slog.Any("error", err))
		}
		return
	}
	if r.degraded.CompareAndSwap(true, false) {
		now := toMillis(r.now())
		r.log.InfoContext(ctx, "redis can be reached again: the degraded mode ends",
			slog.Duration("took", time.Duration(now-r.since.Load())*time.Millisecond), slog.Int64("extensions_to_write", r.waiting.Load()))
		r.since.Store(now)
		r.metrics.degraded.Set(0)
	}
	r.drain(ctx)
}

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

type resilientMetrics struct {
	degraded, pending                            prometheus.Gauge
	refreshes, lookups, lists, refused, restored prometheus.Counter
}

func newResilientMetrics(reg prometheus.Registerer) *resilientMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "dialtone", Subsystem: "location", Name: name, Help: help,
		}))
	}
	answers := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "dialtone", Subsystem: "location", Name: "degraded_answers_total",
		Help: "What was answered without the store, and what had to be refused.",
	}, []string{"what"}))
	return &resilientMetrics{
		degraded:  gauge("degraded", "1 while the store of registrations cannot be reached."),
		pending:   gauge("pending", "Extensions with registrations that are to be written when the store is back."),
		refreshes: answers.WithLabelValues("update"), lookups: answers.WithLabelValues("lookup"),
		lists: answers.WithLabelValues("list"), refused: answers.WithLabelValues("refused"),
		restored: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "dialtone", Subsystem: "location", Name: "restored_total",
			Help: "Bindings that were written to a store that was out of reach or had lost them.",
		})),
	}
}
