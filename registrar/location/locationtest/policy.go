package locationtest

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

func all4(t *testing.T, s location.Store) {
	t.Helper()
	shared := func(id, device string) location.Contact {
		return with(phone(id, time.Hour), func(b *location.Binding) { b.Device = device })
	}
	apply(t, s, of("call-a", 5, shared("a", "one")))
	tick(t)
	apply(t, s, of("call-b", 5, shared("b", "one")))
	tick(t)
	apply(t, s, of("call-c", 5, shared("c", "two")))
	tick(t)
	apply(t, s, of("call-d", 5, shared("d", "")))
	tick(t)
}

func removeAll(call string, cseq uint32, device string) location.Update {
	return location.Update{AOR: aor, CallID: call, CSeq: cseq, RemoveAll: true, Device: device}
}

func wildcard(t *testing.T, s location.Store) {
	wantIDs(t, "nothing there", apply(t, s, removeAll("x", 1, "")).Bindings, "")
	all4(t, s)
	other := of("call", 1, phone("a", time.Hour))
	other.AOR = "102@pbx.dev"
	apply(t, s, other)
	wantIDs(t, "answer", apply(t, s, removeAll("x", 1, "")).Bindings, "")
	wantIDs(t, "lookup", lookup(t, s, aor), "")
	wantIDs(t, "the other aor", lookup(t, s, "102@pbx.dev"), "a")
	wantIDs(t, "once more", apply(t, s, removeAll("x", 1, "")).Bindings, "")
}

// wildcardStale: one binding that is newer saves all.
func wildcardStale(t *testing.T, s location.Store) {
	all4(t, s)
	refused(t, s, removeAll("call-b", 5, ""), location.ErrStale)
	refused(t, s, removeAll("call-b", 4, ""), location.ErrStale)
	refused(t, s, removeAll("call-b", 4, "one"), location.ErrStale)
	wantIDs(t, "out of its scope", apply(t, s, removeAll("call-b", 4, "two")).Bindings, "d b a")
	wantIDs(t, "higher", apply(t, s, removeAll("call-b", 6, "")).Bindings, "")
}

func wildcardScope(t *testing.T, s location.Store) {
	all4(t, s)
	wantIDs(t, "unknown device", apply(t, s, removeAll("x", 1, "three")).Bindings, "d c b a")
	wantIDs(t, "one device", apply(t, s, removeAll("x", 1, "one")).Bindings, "d c")
	wantIDs(t, "lookup", lookup(t, s, aor), "d c")
}

func bounded(n int, u location.Update) location.Update {
	u.MaxContacts = n
	return u
}

func maxContacts(t *testing.T, s location.Store) {
	for _, id := range []string{"a", "b", "c"} {
		apply(t, s, bounded(3, of("call-"+id, 1, phone(id, time.Hour))))
		tick(t)
	}
	refused(t, s, bounded(3, of("call-d", 1, phone("d", time.Hour))), location.ErrTooMany)
	wantIDs(t, "a refresh is never refused", apply(t, s, bounded(3, of("call-c", 2, phone("c", time.Hour)))).Bindings, "c b a")
	tick(t)
	r := apply(t, s, bounded(3, of("call-a", 2, phone("a", 0), phone("d", time.Hour))))
	wantIDs(t, "one goes, one comes", r.Bindings, "d c b")
	refused(t, s, bounded(3, of("call-e", 1, phone("e", time.Hour), phone("b", 0), phone("f", time.Hour))), location.ErrTooMany)
	tick(t)
	wantIDs(t, "no bound", apply(t, s, of("call-e", 1, phone("e", time.Hour))).Bindings, "e d c b")
}

func maxEvictsOldest(t *testing.T, s location.Store) {
	all4(t, s) // a and b are of device one
	changes := watching(t, s)
	device := func(id, device string) location.Contact {
		return with(phone(id, time.Hour), func(b *location.Binding) { b.Device = device })
	}
	r := apply(t, s, bounded(4, of("call-e", 1, device("e", "one"))))
	wantIDs(t, "the oldest of the device went", r.Bindings, "e d c b")
	wantChanges(t, changes, "evicted a", "added e")
	refused(t, s, bounded(4, of("call-f", 1, device("f", "three"))), location.ErrTooMany)
	refused(t, s, bounded(4, of("call-f", 1, device("f", ""))), location.ErrTooMany)
	tick(t)
	apply(t, s, of("call-b", 6, device("b", "one")))
	tick(t)
	r = apply(t, s, bounded(4, of("call-f", 1, device("f", "one"))))
	wantIDs(t, "a refreshed one is not the oldest", r.Bindings, "f b d c")
	tick(t)
	// What the update itself names is not in its own way.
	r = apply(t, s, bounded(4, of("call-b", 7, device("b", "one"), device("g", "one"))))
	wantIDs(t, "names one, adds one", r.Bindings, "b g d c")
	refused(t, s, bounded(4, of("call-b", 8, device("b", "one"), device("g", "one"), device("h", "one"))), location.ErrTooMany)
}

// maxLowered: a bound that was set below what is there takes effect with the
// next new contact.
func maxLowered(t *testing.T, s location.Store) {
	all4(t, s)
	one := func(id string) location.Contact {
		return with(phone(id, time.Hour), func(b *location.Binding) { b.Device = "one" })
	}
	wantIDs(t, "refresh", apply(t, s, bounded(1, of("call-c", 6, with(phone("c", time.Hour),
		func(b *location.Binding) { b.Device = "two" })))).Bindings, "c d b a")
	refused(t, s, bounded(2, of("call-e", 1, one("e"))), location.ErrTooMany)
	wantIDs(t, "as many as it takes", apply(t, s, bounded(3, of("call-e", 1, one("e")))).Bindings, "e c d")
}
