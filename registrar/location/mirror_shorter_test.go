package location_test

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// A phone that refreshes for less time than before ends when it said, on the node
// that granted it and on the others.
func TestMirrorShorterRefresh(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s location.Store) {
		apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
		changes := make(chan location.Change, 1000)
		m := running(t, s, to(changes))
		next(t, changes, "added 1@pbx.dev a")
		after := apply(t, s, register("1@pbx.dev", "a", 2, time.Second)).Bindings[0]
		if c := next(t, changes, "expired 1@pbx.dev a"); !c.Binding.ExpiresAt.Equal(after.ExpiresAt) {
			t.Errorf("ended at %v, want %v", c.Binding.ExpiresAt, after.ExpiresAt)
		}
		if m.Len() != 0 {
			t.Errorf("%d bindings after the end", m.Len())
		}
	})
}

// What was granted for a short time while Redis was away ends so on other nodes.
func TestMirrorShorterRestore(t *testing.T) {
	t.Parallel()
	s := newRedis(t, location.RedisOptions{Client: startRedis(t).client()})
	b := apply(t, s, register("1@pbx.dev", "a", 1, time.Hour)).Bindings[0]
	changes := make(chan location.Change, 1000)
	running(t, s, to(changes))
	next(t, changes, "added 1@pbx.dev a")
	b.CSeq, b.RefreshedAt, b.ExpiresAt = 2, b.RefreshedAt.Add(time.Millisecond), b.RefreshedAt.Add(2*time.Second)
	if err := s.Restore(t.Context(), []location.Held{{Binding: b}}); err != nil {
		t.Fatal(err)
	}
	next(t, changes, "expired 1@pbx.dev a")
}

// The node that granted a refresh shows it, though Redis does not report it.
func TestResilientShowsRefresh(t *testing.T) {
	t.Parallel()
	r := newResilient(t, location.RedisOptions{Client: startRedis(t).client()}, nil)
	apply(t, r, register("1@pbx.dev", "a", 1, time.Minute))
	mirrored(t, r, 1)
	after := apply(t, r, register("1@pbx.dev", "a", 2, time.Hour)).Bindings[0]
	waitFor(t, "the mirror has the new end", func() bool {
		bs := r.Mirror().Bindings("1@pbx.dev")
		return len(bs) == 1 && bs[0].ExpiresAt.Equal(after.ExpiresAt) && bs[0].RefreshedAt.Equal(after.RefreshedAt)
	})
}
