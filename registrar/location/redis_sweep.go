package location

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

const (
	redisSweepEvery   = 500 * time.Millisecond
	redisSweepAtMost  = 200 // per shard and turn, so that no script keeps the server long
	redisSweepTimeout = 5 * time.Second
)

// sweepLoop takes what has run out from the indexes and reports it, and moves what
// was refreshed to its new place there, many at once. Every node
// does it; the script lets only one win. Nothing depends on it but the reports.
func (r *Redis) sweepLoop() {
	tick := time.NewTicker(redisSweepEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		if !r.checked.Load() {
			continue // what is there may not be ours
		}
		err := r.sweepAll()
		if (err != nil) != failed && r.ctx.Err() == nil {
			failed = err != nil
			if failed {
				r.log.Error("cannot reach redis", slog.Any("error", err))
			} else {
				r.log.Info("redis can be reached again")
			}
		}
	}
}

// sweepAll goes on while there is a shard that has more.
func (r *Redis) sweepAll() (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.metrics.panics.Inc()
			r.log.Error("panic in sweep", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	ctx, cancel := context.WithTimeout(r.ctx, redisSweepTimeout)
	defer cancel()
	for more := true; more; {
		more = false
		cmds, err := r.runShards(ctx, &r.scripts.sweep, func(s *redisShard) (int, []any) {
			return 2, []any{s.index, s.stream, s.base, r.opts.StreamLen, redisSweepAtMost}
		})
		if err != nil {
			return unavailable("sweep", err)
		}
		for _, cmd := range cmds {
			counts, err := cmd.Int64Slice()
			if err != nil || len(counts) != 2 {
				return unavailable("sweep", errReply)
			}
			r.metrics.expired.Add(float64(counts[1]))
			more = more || counts[0] == redisSweepAtMost
		}
	}
	return nil
}
