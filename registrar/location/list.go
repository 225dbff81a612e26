package location

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// maxPage bounds what one List may copy; a larger limit is cut down to it.
const maxPage = 10000

func pageSize(limit int) int {
	if limit <= 0 || limit > maxPage {
		return maxPage
	}
	return limit
}

// member names a binding within its shard.
func member(aor AOR, id string) string { return string(aor) + "\x00" + id }

// List implements Store. The order is by shard, AOR and ID.
func (m *Memory) List(ctx context.Context, cursor string, limit int) ([]Binding, string, error) {
	pos, err := parseCursor(cursor, memoryShards)
	if err != nil {
		return nil, "", err
	}
	limit = pageSize(limit)
	now := toMillis(m.now())
	var page []Binding
	for ; pos.shard < memoryShards; pos = (position{shard: pos.shard + 1}) {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		for _, bindings := range m.shards[pos.shard].after(pos.member) {
			for _, b := range byID(liveOf(bindings, now)) {
				name := member(b.AOR, b.ID)
				if name <= pos.member {
					continue
				}
				if len(page) == limit {
					return page, pos.cursor(), nil
				}
				page = append(page, b)
				pos.member = name
			}
		}
	}
	return page, "", nil
}

// after returns the bindings of the AORs of a shard that may have members after
// the given one, by AOR.
func (s *memoryShard) after(name string) [][]Binding {
	first, _, _ := strings.Cut(name, "\x00")
	s.mu.RLock()
	out := make([][]Binding, 0, len(s.m))
	for aor, e := range s.m {
		if string(aor) >= first && len(e.bindings) > 0 {
			out = append(out, e.bindings)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(out, func(a, b []Binding) int { return cmp.Compare(a[0].AOR, b[0].AOR) })
	return out
}

func byID(bs []Binding) []Binding {
	slices.SortFunc(bs, func(a, b Binding) int { return cmp.Compare(a.ID, b.ID) })
	return bs
}
