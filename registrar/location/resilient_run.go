package location

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
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
