package locationtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// submitted is the outcomes of updates that are submitted at once.
func submitted(t *testing.T, s location.Store, updates ...location.Update) []location.Outcome {
	t.Helper()
	done := make(chan []location.Outcome, 2)
	s.(location.Submitter).Submit(updates, func(outs []location.Outcome) { done <- outs })
	select {
	case outs := <-done:
		return outs
	case <-time.After(wait):
		t.Fatal("nothing is reported of what was submitted")
		return nil
	}
}

func update(cseq uint32, contacts ...location.Contact) location.Update {
	return location.Update{AOR: aor, CallID: "call", CSeq: cseq, Contacts: contacts}
}

// submit: the updates of a group are made in order and each for itself.
func submit(t *testing.T, s location.Store) {
	other := location.AOR("102@pbx.dev")
	first := update(1, phone("a", time.Hour))
	refresh := update(2, phone("a", time.Hour))
	stale := update(1, phone("a", time.Minute))
	second := update(3, phone("b", time.Hour))
	second.CallID = "another call"
	full := update(1, phone("c", time.Hour))
	full.CallID, full.MaxContacts = "third call", 1
	bad := location.Update{AOR: aor, Contacts: []location.Contact{{TTL: time.Hour}}}
	elsewhere := update(1, phone("a", time.Hour))
	elsewhere.AOR = other
	gone := update(3, phone("a", 0))
	outs := submitted(t, s, first, refresh, stale, second, full, bad, elsewhere, gone)
	for i, want := range []string{"a", "a", "stale", "a b", "too many", "invalid", "a", "b"} {
		got := ids(outs[i].Bindings)
		switch err := outs[i].Err; {
		case errors.Is(err, location.ErrStale):
			got = "stale"
		case errors.Is(err, location.ErrTooMany):
			got = "too many"
		case err != nil:
			got = "invalid"
		case outs[i].Now.IsZero():
			t.Errorf("outcome %d without a time", i)
		}
		if got == "b a" { // refreshed in the same millisecond or not
			got = "a b"
		}
		if got != want {
			t.Errorf("outcome %d is %q, want %q (%v)", i, got, want, outs[i].Err)
		}
	}
	wantIDs(t, "afterwards", lookup(t, s, aor), "b")
	wantIDs(t, "another aor", lookup(t, s, other), "a")
	if outs := submitted(t, s); len(outs) != 0 {
		t.Errorf("nothing submitted gives %d outcomes", len(outs))
	}
}

// submitMany: groups from many goroutines, mixed with Apply; nothing is lost, nothing
// is reported twice, and each is told of its own.
func submitMany(t *testing.T, s location.Store) {
	const workers, groups, size = 8, 10, 12
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for g := range groups {
				updates := make([]location.Update, size)
				for i := range updates {
					updates[i] = update(uint32(g+1), phone(fmt.Sprintf("w%d", w), time.Hour))
					updates[i].AOR, updates[i].CallID = location.AOR(fmt.Sprintf("%d@pbx.dev", i)), fmt.Sprintf("call %d", w)
				}
				for i, out := range submitted(t, s, updates...) {
					if out.Err != nil || !own(out, updates[i]) {
						t.Errorf("update %d of worker %d: %+v", i, w, out)
					}
				}
				u := updates[0]
				u.CSeq += 100
				u.AOR = location.AOR(fmt.Sprintf("own%d@pbx.dev", w))
				if _, err := s.Apply(context.Background(), u); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range size {
		bs := lookup(t, s, location.AOR(fmt.Sprintf("%d@pbx.dev", i)))
		for _, b := range bs {
			if b.CSeq != groups {
				t.Errorf("%s %s has cseq %d, want %d", b.AOR, b.ID, b.CSeq, groups)
			}
		}
		if len(bs) != workers {
			t.Errorf("%d@pbx.dev has %d bindings, want %d", i, len(bs), workers)
		}
	}
}

func own(out location.Outcome, u location.Update) bool {
	for _, b := range out.Bindings {
		if b.AOR != u.AOR {
			return false
		}
		if b.ID == u.Contacts[0].ID && b.CSeq == u.CSeq && b.CallID == u.CallID {
			return true
		}
	}
	return false
}
