package location

import (
	"context"
	"slices"
	"strings"
)

// Lookup implements Store: one script, one round trip.
func (r *Redis) Lookup(ctx context.Context, aor AOR) ([]Binding, error) {
	s := r.shard(aor)
	name := escape(string(aor))
	reply, err := r.run(ctx, &r.scripts.lookup, 1, []any{s.aors + name, s.contacts + name + ":"})
	if err != nil {
		return nil, unavailable("look up "+string(aor), err)
	}
	now, ok := reply[0].(int64)
	if !ok {
		return nil, unavailable("look up "+string(aor), errReply)
	}
	return decodeValues(nil, reply[1:], now), nil
}

// valuesAtOnce bounds how long one script of List keeps the server.
const valuesAtOnce = 250

// List implements Store. The order is by shard and member of its index, which is
// read whole per shard and page: with 64 shards a 64th of all names.
func (r *Redis) List(ctx context.Context, cursor string, limit int) ([]Binding, string, error) {
	pos, err := parseCursor(cursor, len(r.shards))
	if err != nil {
		return nil, "", err
	}
	limit = pageSize(limit)
	var page []Binding
	for ; pos.shard < len(r.shards); pos = (position{shard: pos.shard + 1}) {
		names, err := r.client.ZRange(ctx, r.shards[pos.shard].index, 0, -1).Result()
		if err != nil {
			return nil, "", unavailable("list", err)
		}
		slices.Sort(names)
		at, found := slices.BinarySearch(names, pos.member)
		if found {
			at++
		}
		for names = names[at:]; len(names) > 0; {
			if len(page) == limit {
				return page, pos.cursor(), nil
			}
			n := min(len(names), limit-len(page), valuesAtOnce)
			if page, err = r.values(ctx, &r.shards[pos.shard], page, names[:n]); err != nil {
				return nil, "", unavailable("list", err)
			}
			pos.member, names = names[n-1], names[n:]
		}
	}
	return page, "", nil
}

// values appends the live bindings of some members of an index, in their order.
func (r *Redis) values(ctx context.Context, s *redisShard, page []Binding, names []string) ([]Binding, error) {
	keys := make([]any, len(names))
	for i, name := range names {
		aor, id, _ := strings.Cut(name, "|")
		keys[i] = s.contacts + aor + ":" + id
	}
	reply, err := r.run(ctx, &r.scripts.values, len(keys), keys)
	if err != nil {
		return nil, err
	}
	now, ok := reply[0].(int64)
	if !ok {
		return nil, errReply
	}
	for _, v := range reply[1:] {
		text, ok := v.(string)
		if !ok {
			continue
		}
		if b, err := parseRecord(text); err == nil && b.live(now) {
			page = append(page, b.clone()) // the value is longer, and need not be kept
		}
	}
	return page, nil
}
