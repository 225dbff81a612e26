package locationtest

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// expiry: up to the millisecond before its end a binding is there, from then on
// it is not, and the store's clock says when that is.
func expiry(t *testing.T, s location.Store) {
	apply(t, s, of("stays", 1, phone("b", time.Hour)))
	r := apply(t, s, of("call", 1, phone("a", 300*time.Millisecond)))
	var end time.Time
	for _, b := range r.Bindings {
		if b.ID == "a" {
			end = b.ExpiresAt
		}
	}
	if !end.Equal(r.Now.Add(300 * time.Millisecond)) {
		t.Fatalf("ends at %v, want 300 ms after %v", end, r.Now)
	}
	seen := 0
	for {
		before := time.Now()
		bs := lookup(t, s, aor)
		after := time.Now()
		switch {
		case len(bs) == 2 && !before.Before(end):
			t.Fatalf("visible at %v, ended at %v", before, end)
		case len(bs) == 1 && after.Before(end):
			t.Fatalf("gone at %v, ends at %v", after, end)
		case len(bs) == 2:
			seen++
		case len(bs) == 1:
			wantIDs(t, "after", bs, "b")
			if seen == 0 {
				t.Error("was never seen")
			}
			wantIDs(t, "list", all(t, s, 10), "b")
			return
		}
		tick(t)
	}
}

// expiredIsNew: what has run out has no CSeq, no place in the count of contacts
// and no age any more.
func expiredIsNew(t *testing.T, s location.Store) {
	changes := watching(t, s)
	short := apply(t, s, bounded(1, of("call", 9, phone("a", 50*time.Millisecond))))
	wantChanges(t, changes, "added a")
	for len(lookup(t, s, aor)) > 0 {
		tick(t)
	}
	r := apply(t, s, bounded(1, of("call", 3, phone("a", time.Hour))))
	wantIDs(t, "again", r.Bindings, "a")
	if !r.Bindings[0].RegisteredAt.After(short.Now) {
		t.Errorf("registered at %v, that was the one before", r.Bindings[0].RegisteredAt)
	}
	wantChanges(t, changes, "expired a", "added a")
	apply(t, s, of("call", 4, phone("b", 50*time.Millisecond)))
	for len(lookup(t, s, aor)) > 1 {
		tick(t)
	}
	wantIDs(t, "room again", apply(t, s, bounded(2, of("c", 1, phone("c", time.Hour)))).Bindings, "c a")
}

func watchExpired(t *testing.T, s location.Store) {
	changes := watching(t, s)
	apply(t, s, of("stays", 1, phone("z", time.Hour)))
	end := map[string]time.Time{}
	for _, id := range []string{"a", "b"} {
		r := apply(t, s, of(id, 1, phone(id, 100*time.Millisecond)))
		end[id] = r.Now.Add(100 * time.Millisecond)
	}
	wantChanges(t, changes, "added z", "added a", "added b")
	for range 2 {
		c := receive(t, changes)
		b := c.Binding
		if c.Kind != location.Expired || b.AOR != aor || !b.ExpiresAt.Equal(end[b.ID]) {
			t.Fatalf("change %s ends %v, want expired at %v", describe(c), b.ExpiresAt, end[b.ID])
		}
		if late := time.Since(end[b.ID]); late < 0 || late > 1500*time.Millisecond {
			t.Errorf("%s is reported %v after its end", b.ID, late)
		}
		delete(end, b.ID)
	}
	if len(end) > 0 {
		t.Errorf("not reported: %v", end)
	}
	// Once only: the next change is another.
	apply(t, s, of("last", 1, phone("y", time.Hour)))
	wantChanges(t, changes, "added y")
}
