package locationtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pbx.dev/dialtone/registrar/location"
)

// errAny stands for an error without a name.
var errAny = errors.New("any error")

func isError(err, want error) bool {
	if want == errAny {
		return err != nil
	}
	return errors.Is(err, want)
}

var ignoreTimes = cmpopts.IgnoreTypes(time.Time{})

func register(t *testing.T, s location.Store) {
	c := phone("a", time.Hour)
	before := time.Now().Truncate(time.Millisecond)
	r := apply(t, s, of("call", 7, c))
	if len(r.Bindings) != 1 {
		t.Fatalf("%d bindings, want 1", len(r.Bindings))
	}
	want := c.Binding
	want.AOR, want.CallID, want.CSeq = aor, "call", 7
	got := r.Bindings[0]
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if !got.ExpiresAt.Equal(r.Now.Add(time.Hour)) || !got.RegisteredAt.Equal(r.Now) || !got.RefreshedAt.Equal(r.Now) {
		t.Errorf("times %v %v %v, now %v", got.RegisteredAt, got.RefreshedAt, got.ExpiresAt, r.Now)
	}
	if r.Now.Before(before) || r.Now.After(time.Now()) {
		t.Errorf("now %v, called at %v", r.Now, before)
	}
	if diff := cmp.Diff(r.Bindings, lookup(t, s, aor)); diff != "" {
		t.Errorf("lookup (-apply +lookup):\n%s", diff)
	}
	wantIDs(t, "another aor", lookup(t, s, "102@pbx.dev"), "")
	wantIDs(t, "another case of the user", lookup(t, s, "101@PBX.dev"), "")
}

func refresh(t *testing.T, s location.Store) {
	first := apply(t, s, of("call", 1, phone("a", time.Minute)))
	second := apply(t, s, of("call", 2, phone("a", time.Hour)))
	wantIDs(t, "refresh", second.Bindings, "a")
	b := second.Bindings[0]
	if !b.RegisteredAt.Equal(first.Now) || !b.RefreshedAt.Equal(second.Now) ||
		!b.ExpiresAt.Equal(second.Now.Add(time.Hour)) || b.CSeq != 2 {
		t.Errorf("after refresh %+v", b)
	}
	moved := with(phone("a", time.Minute), func(b *location.Binding) { b.Received = "198.51.100.8:1024" })
	third := apply(t, s, of("call", 3, moved))
	b = third.Bindings[0]
	if b.Received != "198.51.100.8:1024" || !b.RegisteredAt.Equal(first.Now) || !b.ExpiresAt.Equal(third.Now.Add(time.Minute)) {
		t.Errorf("after the address changed %+v", b)
	}
	if diff := cmp.Diff(third.Bindings, lookup(t, s, aor)); diff != "" {
		t.Errorf("lookup (-apply +lookup):\n%s", diff)
	}
}

func unregister(t *testing.T, s location.Store) {
	apply(t, s, of("call", 1, phone("a", time.Hour)))
	apply(t, s, of("other", 1, phone("b", time.Hour)))
	wantIDs(t, "answer", apply(t, s, of("call", 2, phone("a", 0))).Bindings, "b")
	wantIDs(t, "lookup", lookup(t, s, aor), "b")
	wantIDs(t, "once more", apply(t, s, of("call", 2, phone("a", 0))).Bindings, "b")
	wantIDs(t, "the last one", apply(t, s, of("other", 2, phone("b", 0))).Bindings, "")
	wantIDs(t, "never registered", apply(t, s, of("call", 3, phone("c", 0))).Bindings, "")
	// What is gone has no CSeq left.
	wantIDs(t, "again", apply(t, s, of("call", 1, phone("a", time.Hour))).Bindings, "a")
}

// content: every field comes back byte for byte, whatever is in it.
func content(t *testing.T, s location.Store) {
	odd := "\"quoted\\\" <tag> \u00e9\u4e16 \xff\xfe \x00\x1f %41 {}|*'\u2028"
	c := location.Contact{TTL: time.Hour, Binding: location.Binding{
		ID: "urn:uuid:00|{1}*" + odd, Contact: "sip:" + odd + "@x.invalid;transport=ws", Params: ";+sip.ice;x=" + odd,
		Received: "[2001:db8::1]:5060", Transport: "wss", Socket: "[::1]:7443", Node: "n" + odd, Boot: "b" + odd,
		Flow: "f" + odd, Path: []string{"<sip:p1;lr>", odd, ""}, Instance: "urn:uuid:" + odd, RegID: 3, Q: 0,
		UserAgent: odd, AuthUser: odd, Device: odd,
	}}
	u := location.Update{AOR: location.AOR(odd + "@pbx.dev"), CallID: odd, CSeq: 4294967295, Contacts: []location.Contact{c}}
	want := c.Binding
	want.AOR, want.CallID, want.CSeq = u.AOR, u.CallID, u.CSeq
	r := apply(t, s, u)
	for what, bs := range map[string][]location.Binding{
		"apply": r.Bindings, "lookup": lookup(t, s, u.AOR), "list": all(t, s, 10), "repetition": apply(t, s, u).Bindings,
	} {
		if diff := cmp.Diff([]location.Binding{want}, bs, ignoreTimes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	c.Binding = phone("plain", 0).Binding
	u.Contacts, u.CallID = append(u.Contacts, with(phone("plain", time.Hour), func(b *location.Binding) {})), "another"
	if n := len(apply(t, s, u).Bindings); n != 2 {
		t.Errorf("%d bindings, want 2", n)
	}
}

func severalContacts(t *testing.T, s location.Store) {
	r := apply(t, s, of("call", 1, phone("a", time.Hour), phone("b", time.Minute)))
	wantIDs(t, "two at once", r.Bindings, "a b")
	if !r.Bindings[1].ExpiresAt.Equal(r.Now.Add(time.Minute)) {
		t.Errorf("b ends %v, want a minute after %v", r.Bindings[1].ExpiresAt, r.Now)
	}
	r = apply(t, s, of("call", 2, phone("a", 0), phone("c", time.Hour), phone("b", time.Hour)))
	wantIDs(t, "remove, add and refresh", r.Bindings, "b c")
	query := apply(t, s, of("query", 1))
	wantIDs(t, "no contact", query.Bindings, "b c")
}

// sameIDTwice: a phone that changes its address may name the old URI beside the
// new one.
func sameIDTwice(t *testing.T, s location.Store) {
	gone := with(phone("a", 0), func(b *location.Binding) { b.Contact = "sip:101@192.0.2.99" })
	wantIDs(t, "old then new", apply(t, s, of("call", 1, gone, phone("a", time.Hour))).Bindings, "a")
	r := apply(t, s, of("call", 2, phone("b", time.Hour), phone("a", time.Hour), gone, phone("c", time.Hour)))
	wantIDs(t, "new then old", r.Bindings, "a b c")
	wantIDs(t, "same URI", apply(t, s, of("call", 3, phone("a", time.Hour), phone("a", 0))).Bindings, "b c")
}

func order(t *testing.T, s location.Store) {
	q := func(id string, q int) location.Contact {
		return with(phone(id, time.Hour), func(b *location.Binding) { b.Q = q })
	}
	apply(t, s, of("a", 1, q("a", 500)))
	tick(t)
	apply(t, s, of("b", 1, q("b", 1000)))
	tick(t)
	apply(t, s, of("c", 1, q("c", 500)))
	tick(t)
	r := apply(t, s, of("d", 1, q("d", 0)))
	wantIDs(t, "q, then newest", r.Bindings, "b c a d")
	wantIDs(t, "lookup", lookup(t, s, aor), "b c a d")
	tick(t)
	wantIDs(t, "a refresh is new", apply(t, s, of("a", 2, q("a", 500))).Bindings, "b a c d")
}

// tick waits for the next millisecond.
func tick(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(2 * time.Millisecond):
	case <-t.Context().Done():
		t.Fatal("the test has ended")
	}
}

func staleCSeq(t *testing.T, s location.Store) {
	apply(t, s, of("call", 10, phone("a", time.Hour)))
	moved := with(phone("a", time.Hour), func(b *location.Binding) { b.Received = "198.51.100.9:9" })
	refused(t, s, of("call", 9, phone("a", time.Hour)), location.ErrStale)
	refused(t, s, of("call", 9, phone("a", 0)), location.ErrStale)
	refused(t, s, of("call", 10, phone("a", 0)), location.ErrStale)
	refused(t, s, of("call", 10, moved), location.ErrStale)
	refused(t, s, of("call", 10, phone("a", time.Hour), phone("b", time.Hour)), location.ErrStale)
	wantIDs(t, "a contact nobody knows", apply(t, s, of("call", 9, phone("b", time.Hour))).Bindings, "b a")
	wantIDs(t, "higher", apply(t, s, of("call", 11, moved)).Bindings, "a b")
}

func newCallWins(t *testing.T, s location.Store) {
	first := apply(t, s, of("before-reboot", 5000, phone("a", time.Hour)))
	r := apply(t, s, of("after-reboot", 1, phone("a", time.Hour)))
	wantIDs(t, "after a reboot", r.Bindings, "a")
	if b := r.Bindings[0]; b.CallID != "after-reboot" || b.CSeq != 1 || !b.RegisteredAt.Equal(first.Now) {
		t.Errorf("binding %+v", b)
	}
}

func repetition(t *testing.T, s location.Store) {
	u := of("call", 3, phone("a", time.Hour), phone("b", time.Minute))
	apply(t, s, of("other", 3, phone("c", time.Hour)))
	first := apply(t, s, u)
	changes := watching(t, s)
	tick(t)
	again := apply(t, s, u)
	if diff := cmp.Diff(first.Bindings, again.Bindings); diff != "" {
		t.Errorf("repetition (-first +again):\n%s", diff)
	}
	if !again.Now.After(first.Now) {
		t.Errorf("clock %v, before %v", again.Now, first.Now)
	}
	if diff := cmp.Diff(first.Bindings, lookup(t, s, aor)); diff != "" {
		t.Errorf("lookup (-first +lookup):\n%s", diff)
	}
	apply(t, s, of("last", 1, phone("z", time.Hour)))
	wantChanges(t, changes, "added z")
}

func allOrNothing(t *testing.T, s location.Store) {
	apply(t, s, of("call", 10, phone("b", time.Hour)))
	apply(t, s, of("other", 1, phone("d", time.Hour)))
	refused(t, s, of("call", 9, phone("a", time.Hour), phone("b", time.Hour)), location.ErrStale)
	refused(t, s, of("call", 9, phone("d", 0), phone("b", time.Hour)), location.ErrStale)
	u := of("call", 11, phone("b", time.Hour), phone("e", time.Hour), phone("f", time.Hour))
	u.MaxContacts = 3
	refused(t, s, u, location.ErrTooMany)
}

func invalid(t *testing.T, s location.Store) {
	many := make([]location.Contact, 17)
	for i := range many {
		many[i] = phone(fmt.Sprint(i), time.Hour)
	}
	refused(t, s, of("call", 1, many...), location.ErrTooMany)
	refused(t, s, of("call", 1, phone("", time.Hour)), errAny)
	if _, err := s.Apply(t.Context(), location.Update{CallID: "call", CSeq: 1}); err == nil {
		t.Error("an update without an aor is accepted")
	}
	if n := len(apply(t, s, of("call", 1, many[:16]...)).Bindings); n != 16 {
		t.Errorf("%d bindings, want 16", n)
	}
}

func cancelledContext(t *testing.T, s location.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apply(ctx, of("call", 1, phone("a", time.Hour))); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v, want %v", err, context.Canceled)
	}
	wantIDs(t, "after", lookup(t, s, aor), "")
	if err := s.Watch(ctx, func(location.Change) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v, want %v", err, context.Canceled)
	}
}

// concurrent: 200 phones of one AOR at once, none is lost.
func concurrent(t *testing.T, s location.Store) {
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := fmt.Sprintf("p%03d", i)
			r, err := s.Apply(t.Context(), of(id, 1, phone(id, time.Hour)))
			if err != nil {
				t.Errorf("%s: %v", id, err)
				return
			}
			for _, b := range r.Bindings {
				if b.ID == id {
					return
				}
			}
			t.Errorf("%s is not in its own answer of %d", id, len(r.Bindings))
		})
	}
	wg.Wait()
	if got := len(lookup(t, s, aor)); got != n {
		t.Errorf("%d bindings, want %d", got, n)
	}
}

// concurrentRefresh: of many refreshes of one binding the highest CSeq stays, and
// each is either applied or stale.
func concurrentRefresh(t *testing.T, s location.Store) {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := s.Apply(t.Context(), of("call", uint32(i+1), phone("a", time.Hour)))
			if err != nil && !errors.Is(err, location.ErrStale) {
				t.Errorf("cseq %d: %v", i+1, err)
			}
		})
	}
	wg.Wait()
	bs := lookup(t, s, aor)
	wantIDs(t, "after", bs, "a")
	if bs[0].CSeq != 50 {
		t.Errorf("cseq %d, want 50", bs[0].CSeq)
	}
}

func ping(t *testing.T, s location.Store) {
	for range 2 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
