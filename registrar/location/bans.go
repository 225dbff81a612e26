package location

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxBans bounds how many bans are read.
const maxBans = 10_000

func (r *Redis) banKey(name string) string { return r.opts.Prefix + ":ban:" + escape(name) }

// KeepBan leaves a ban for nodes that start later, until it can be felt no more.
func (r *Redis) KeepBan(ctx context.Context, name string, ttl time.Duration) error {
	if err := r.client.Set(ctx, r.banKey(name), "1", ttl).Err(); err != nil {
		return unavailable("keep a ban", err)
	}
	return nil
}

// Bans reads the bans and what remains of each. It looks through all keys, and is
// for the start only.
func (r *Redis) Bans(ctx context.Context) (map[string]time.Duration, error) {
	found := map[string]time.Duration{}
	read := func(ctx context.Context, c redis.Cmdable) error {
		it := c.Scan(ctx, 0, r.opts.Prefix+":ban:*", 1000).Iterator()
		for it.Next(ctx) && len(found) < maxBans {
			left, err := c.PTTL(ctx, it.Val()).Result()
			if err != nil {
				return err
			}
			if left > 0 {
				found[unescape(strings.TrimPrefix(it.Val(), r.opts.Prefix+":ban:"))] = left
			}
		}
		return it.Err()
	}
	var err error
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		// One after another: the map is not for several goroutines.
		var masters []*redis.Client
		gather := make(chan *redis.Client, 1024)
		err = cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error { gather <- c; return nil })
		close(gather)
		for c := range gather {
			masters = append(masters, c)
		}
		for _, c := range masters {
			err = errors.Join(err, read(ctx, c))
		}
	} else {
		err = read(ctx, r.client)
	}
	if err != nil {
		return nil, unavailable("read bans", err)
	}
	return found, nil
}
