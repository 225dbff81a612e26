package roster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestOrderSplitsItsChunks: many rows in any order, some of which go again, are
// found, listed once and in order, in chunks of a bounded size.
func TestOrderSplitsItsChunks(t *testing.T) {
	for name, sorted := range map[string]bool{"random": false, "ascending": true} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			ids := make([]string, 5*chunkRows)
			for i := range ids {
				ids[i] = fmt.Sprintf("phone_%06d", i)
			}
			if !sorted {
				rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			}
			s := newState()
			for _, id := range ids {
				s.insert(&row{id: id, seen: &seen{}})
			}
			want := slices.Clone(ids)
			for range 3 * chunkRows {
				i := rnd.IntN(len(want))
				s.remove(s.byID[want[i]])
				want = slices.Delete(want, i, i+1)
			}
			slices.Sort(want)
			checkOrder(t, s, want)
			for _, id := range want {
				s.remove(s.byID[id])
			}
			checkOrder(t, s, nil)
		})
	}
}

func checkOrder(t *testing.T, s *state, want []string) {
	t.Helper()
	var got []string
	for p := (place{}); ; p = s.order.next(p) {
		slot, ok := s.order.slotAt(p)
		if !ok {
			break
		}
		if at := s.position(s.rows[slot].id); at != p {
			t.Fatalf("%s stands at %v and is looked for at %v", s.rows[slot].id, p, at)
		}
		got = append(got, s.rows[slot].id)
	}
	if !slices.Equal(got, want) || s.order.rows != len(want) {
		t.Fatalf("the order is %d rows %s, want %d rows", s.order.rows, strings.Join(got, " "), len(want))
	}
	for _, c := range s.order.chunks {
		if len(c) == 0 || len(c) > chunkRows {
			t.Errorf("a chunk has %d rows", len(c))
		}
	}
}

// TestManyPagesOfAFilter: few and many phones that pass are listed once each and in
// order, however many pages that takes.
func TestManyPagesOfAFilter(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	const phones = 3 * maxFound
	r.change(func(s *state) {
		for i := range phones {
			s.insert(&row{id: fmt.Sprintf("phone_%06d", i*7919%phones), seen: &seen{}, userAgent: fmt.Sprintf("all %dth", i%5), ip: fmt.Sprint(i)})
		}
	})
	for q, want := range map[string]int{"all": phones, "3th": phones / 5, "all 1000": 1, "none": 0} {
		var got []string
		for cursor := ""; ; {
			page, next, err := r.List(Filter{Q: q}, cursor, 100)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				got = append(got, page[i].ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if len(got) != want || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%q lists %d phones of %d, or not in order", q, len(got), want)
		}
	}
}
