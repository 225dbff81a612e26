package location

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
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

var errLost = errors.New("lost the place in a stream")

// follow reports changes until ctx ends or the place in a stream is lost.
func (w *redisWatch) follow(ctx context.Context) {
	for ctx.Err() == nil {
		streams, err := w.read(ctx)
		firm := err == nil && time.Since(w.checked) < watchVerify
		for i := range streams {
			// A stream is cut only when it is longer than a page: whoever gets less
			// than a page has lost nothing.
			firm = firm && len(streams[i].Messages) < w.page
		}
		if !firm {
			lost := false
			w.retry(ctx, func(ctx context.Context) error {
				err := w.verify(ctx)
				lost = errors.Is(err, errLost)
				if lost {
					return nil
				}
				return err
			})
			if lost || ctx.Err() != nil {
				return
			}
		}
		for i := range streams {
			w.report(&streams[i])
		}
	}
}

// verify looks whether the entries we stand on are still there.
func (w *redisWatch) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	pipe := w.r.client.Pipeline()
	cmds := make([]*redis.XMessageSliceCmd, len(w.stand))
	lens := make([]*redis.IntCmd, len(w.stand))
	for i, id := range w.stand {
		cmds[i] = pipe.XRangeN(ctx, w.r.shards[i].stream, id, id, 1)
		lens[i] = pipe.XLen(ctx, w.r.shards[i].stream)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	var err error
	for i, cmd := range cmds {
		if len(cmd.Val()) > 0 {
			continue
		}
		err = errLost
		if lens[i].Val() < int64(w.r.opts.StreamLen) { // it was never long enough to be cut
			w.r.shards[i].lost.Store(true)
		}
	}
	if err == nil {
		w.checked = time.Now()
	}
	return err
}

// read returns what is new. A Cluster cannot read streams of several slots with
// one command, so there the streams are polled.
func (w *redisWatch) read(ctx context.Context) ([]redis.XStream, error) {
	if _, ok := w.r.client.(*redis.ClusterClient); ok {
		return w.poll(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, watchBlock+watchTimeout)
	defer cancel()
	args := make([]string, 0, 2*len(w.stand))
	for i := range w.r.shards {
		args = append(args, w.r.shards[i].stream)
	}
	streams, err := w.r.client.XRead(ctx, &redis.XReadArgs{
		Streams: append(args, w.stand...), Count: int64(w.page), Block: watchBlock,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return streams, err
}

func (w *redisWatch) poll(ctx context.Context) ([]redis.XStream, error) {
	call, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	pipe := w.r.client.Pipeline()
	cmds := make([]*redis.XStreamSliceCmd, len(w.stand))
	for i, id := range w.stand {
		cmds[i] = pipe.XRead(call, &redis.XReadArgs{
			Streams: []string{w.r.shards[i].stream, id}, Count: int64(w.page), Block: -1,
		})
	}
	_, _ = pipe.Exec(call)
	var streams []redis.XStream
	for _, cmd := range cmds {
		got, err := cmd.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return streams, err
		}
		streams = append(streams, got...)
	}
	if len(streams) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(watchPoll):
		}
	}
	return streams, nil
}

// report hands on the entries of a stream and steps forward.
func (w *redisWatch) report(s *redis.XStream) {
	shard, ok := w.shard[s.Stream]
	if !ok {
		return
	}
	for _, entry := range s.Messages {
		if c, ok := parseEntry(entry.Values); ok {
			w.fn(c)
		}
		w.stand[shard] = entry.ID
	}
}

// parseEntry reads an entry of a stream; the first one of a stream, and what a
// later version may add, is none.
func parseEntry(values map[string]any) (Change, bool) {
	text := func(name string) string {
		s, _ := values[name].(string)
		return s
	}
	c := Change{Kind: ChangeKind(text("k"))}
	switch c.Kind {
	case Added, Changed, Refreshed, Removed, Evicted, FlowLost:
		b, err := parseRecord(text("v"))
		c.Binding = b.clone() // the value is longer, and not kept
		return c, err == nil
	case Expired:
		aor, id, _ := strings.Cut(text("m"), "|")
		ends, err := strconv.ParseFloat(text("e"), 64)
		c.Binding = Binding{AOR: AOR(unescape(aor)), ID: unescape(id), ExpiresAt: fromMillis(int64(ends))}
		return c, err == nil
	}
	return Change{}, false
}
