package location

import (
	"context"
	"log/slog"
	"time"
)

const (
	watchBlock   = 500 * time.Millisecond // how long a read waits for news
	watchPoll    = 100 * time.Millisecond // between two reads of a Cluster
	watchAtMost  = 500                    // entries per shard and read, when the stream is longer
	watchTimeout = 3 * time.Second        // for anything else
	watchVerify  = 2 * time.Second        // between two looks whether we stand on firm ground
	retryFirst   = 100 * time.Millisecond
	retryMost    = 2 * time.Second
)

// redisWatch follows the streams of all shards. It stands on one entry of each,
// the last it has seen. As long as that entry exists, all that came after it
// does, too: streams are cut off at the old end. When it is gone the stream was
// cut past it, or the server lost it, and changes may be lost.
type redisWatch struct {
	r       *Redis
	fn      func(Change)
	stand   []string       // entry id by shard
	shard   map[string]int // by stream
	page    int            // entries per shard and read
	checked time.Time
}

// Watch implements Store. It survives an unreachable Redis: when that is back it
// goes on where it was, or with fn(Change{}) if that is lost. Plain refreshes
// are reported when they end sooner than what they refresh, and not otherwise.
func (r *Redis) Watch(ctx context.Context, fn func(Change)) error {
	w := &redisWatch{r: r, fn: fn, shard: make(map[string]int, len(r.shards)), page: min(watchAtMost, r.opts.StreamLen)}
	for i := range r.shards {
		w.shard[r.shards[i].stream] = i
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(r.ctx, func() { cancel(ErrUnavailable) })
	defer stop()
	for first := true; ctx.Err() == nil; first = false {
		if !w.retry(ctx, w.begin) {
			break
		}
		if !first {
			r.metrics.gaps.Inc()
		}
		fn(Change{})
		w.follow(ctx)
	}
	return context.Cause(ctx)
}

// retry does what it is told until it goes well or ctx ends.
func (w *redisWatch) retry(ctx context.Context, do func(context.Context) error) bool {
	for delay := retryFirst; ; delay = min(2*delay, retryMost) {
		err := do(ctx)
		if err == nil {
			return true
		}
		w.r.log.DebugContext(ctx, "cannot follow changes in redis", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return false
		case <-time.After(delay):
		}
	}
}

// begin stands on the last entry of every stream.
func (w *redisWatch) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if err := w.r.settle(ctx); err != nil {
		return err
	}
	cmds, err := w.r.runShards(ctx, &w.r.scripts.position, func(s *redisShard) (int, []any) {
		return 1, []any{s.stream}
	})
	if err != nil {
		return err
	}
	stand := make([]string, len(cmds))
	for i, cmd := range cmds {
		if stand[i], err = cmd.Text(); err != nil {
			return err
		}
	}
	w.stand, w.checked = stand, time.Now()
	return nil
}
