package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	moveTimeout = 10 * time.Minute // for all of a server; a million take about one
	moveLock    = 30 * time.Second // how long a node that died keeps others from it
	moveAtOnce  = 500              // bindings in one pipeline
)

// layout is what dialtone:meta holds.
func layout(version, shards int) string {
	return fmt.Sprintf(`{"layout":%d,"shards":%d}`, version, shards)
}

// checkLayout stores layout and number of shards, or compares them with the stored
// ones. What a program of layout 1 left is written anew: no registration is lost.
func (r *Redis) checkLayout(ctx context.Context) error {
	key, want := r.opts.Prefix+":meta", layout(2, r.opts.Shards)
	if err := r.client.SetNX(ctx, key, want, 0).Err(); err != nil {
		return unavailable("write "+key, err)
	}
	got, err := r.client.Get(ctx, key).Result()
	switch {
	case err != nil:
		return unavailable("read "+key, err)
	case got == layout(1, r.opts.Shards):
		return r.moveLayout(ctx, key, want)
	case got != want:
		return fmt.Errorf("%s holds %.100q, this program needs %q: it belongs to another version; "+
			"use another database of Redis, or delete the keys dialtone:* while no node runs (phones register again)", key, got, want)
	}
	return nil
}

// moveLayout rewrites the bindings of layout 1. One node does it; the others find
// the server unavailable meanwhile. It may be interrupted and done again.
func (r *Redis) moveLayout(ctx context.Context, key, want string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	lock := key + ":moving"
	mine, err := r.client.SetNX(ctx, lock, r.opts.Node, moveLock).Result()
	if err != nil {
		return unavailable("write "+lock, err)
	}
	if !mine {
		return unavailable("rewrite the registrations of an earlier version", errors.New("another node is at it"))
	}
	total := 0
	for i := range r.shards {
		n, err := r.moveShard(ctx, &r.shards[i])
		if err != nil {
			return err
		}
		total += n
		if err := r.client.Expire(ctx, lock, moveLock).Err(); err != nil {
			return unavailable("write "+lock, err)
		}
	}
	if err := r.client.Set(ctx, key, want, 0).Err(); err != nil {
		return unavailable("write "+key, err)
	}
	r.log.InfoContext(ctx, "rewrote the registrations of an earlier version", slog.Int("contacts", total))
	if err := r.client.Del(ctx, lock).Err(); err != nil {
		return unavailable("delete "+lock, err)
	}
	return nil
}

// moveShard rewrites one shard. Its stream goes: nobody stands on it, and the
// entries are of the old form.
func (r *Redis) moveShard(ctx context.Context, s *redisShard) (int, error) {
	if err := r.client.Del(ctx, s.stream).Err(); err != nil {
		return 0, unavailable("delete "+s.stream, err)
	}
	members, err := r.client.ZRange(ctx, s.index, 0, -1).Result()
	if err != nil {
		return 0, unavailable("read "+s.index, err)
	}
	total := 0
	for some := range slices.Chunk(members, moveAtOnce) {
		n, err := r.moveMembers(ctx, s, some)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func (r *Redis) moveMembers(ctx context.Context, s *redisShard, members []string) (int, error) {
	pipe := r.client.Pipeline()
	values := make([]*redis.StringCmd, len(members))
	for i, m := range members {
		aor, id, _ := strings.Cut(m, "|")
		pipe.Persist(ctx, s.aors+aor) // in layout 2 the sweeper empties it
		values[i] = pipe.Get(ctx, s.contacts+aor+":"+id)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return 0, unavailable("read registrations", err)
	}
	held := make([]Held, 0, len(members))
	for i, v := range values {
		if v.Err() != nil {
			continue // it has run out: the sweeper takes the member
		}
		b, err := parseRecord(v.Val())
		if err != nil {
			r.log.WarnContext(ctx, "left out a registration that cannot be read", slog.String("member", members[i]), slog.Any("error", err))
			continue
		}
		held = append(held, Held{Binding: b})
	}
	return len(held), r.Restore(ctx, held)
}
