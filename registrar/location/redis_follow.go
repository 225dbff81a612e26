package location

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

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
			w.r.checked.Store(false) // how it is laid out is lost, too: the next Ping writes it
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
