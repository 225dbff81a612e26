package locationtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/registrar/location"
)

func watch(t *testing.T, s location.Store) {
	changes := watching(t, s)
	added := apply(t, s, of("call", 1, phone("a", time.Hour)))
	got := wantChanges(t, changes, "added a")
	if diff := cmp.Diff(added.Bindings[0], got[0].Binding); diff != "" {
		t.Errorf("added (-applied +reported):\n%s", diff)
	}

	apply(t, s, of("call", 2, phone("a", time.Hour))) // a plain refresh may be silent
	cases := []func(*location.Binding){
		func(b *location.Binding) { b.Received = "198.51.100.8:1" },
		func(b *location.Binding) { b.Contact = "sip:new@192.0.2.1" },
		func(b *location.Binding) { b.Flow = "f2" },
		func(b *location.Binding) { b.UserAgent = "Yealink SIP-T46S 66.86.0.160" },
		func(b *location.Binding) { b.Path = []string{"<sip:edge;lr>"} },
		func(b *location.Binding) { b.Socket = "203.0.113.1:5061" },
		func(b *location.Binding) { b.Boot = "boot2" },
	}
	c := phone("a", time.Hour)
	for i, change := range cases {
		c = with(c, change)
		r := apply(t, s, of("call", uint32(3+i), c))
		got := wantChanges(t, changes, "changed a")
		if diff := cmp.Diff(r.Bindings[0], got[0].Binding); diff != "" {
			t.Errorf("case %d (-applied +reported):\n%s", i, diff)
		}
	}
	last := lookup(t, s, aor)
	apply(t, s, of("call", 100, with(c, func(b *location.Binding) {}), phone("b", time.Hour)))
	wantChanges(t, changes, "added b")
	apply(t, s, of("call", 101, location.Contact{Binding: c.Binding}))
	got = wantChanges(t, changes, "removed a")
	if b := got[0].Binding; b.Contact != last[0].Contact || b.UserAgent != last[0].UserAgent || b.Device != last[0].Device {
		t.Errorf("removed %+v, want what was there: %+v", b, last[0])
	}
	apply(t, s, removeAll("x", 1, ""))
	wantChanges(t, changes, "removed b")
}

// watchOrder: per AOR the changes come in the order they were made, without loss.
func watchOrder(t *testing.T, s location.Store) {
	changes := watching(t, s)
	const aors, steps = 20, 30
	for n := range steps {
		for i := range aors {
			u := of("call", uint32(n+1), phone("a", time.Hour))
			u.AOR = location.AOR(fmt.Sprintf("%d@pbx.dev", 100+i))
			u.Contacts[0].Flow = fmt.Sprint(n)
			apply(t, s, u)
		}
	}
	seen := map[location.AOR]int{}
	for range aors * steps {
		c := receive(t, changes)
		n := seen[c.Binding.AOR]
		want := location.Changed
		if n == 0 {
			want = location.Added
		}
		if c.Kind != want || c.Binding.Flow != fmt.Sprint(n) {
			t.Fatalf("%s flow %s, want %s flow %d", describe(c), c.Binding.Flow, want, n)
		}
		seen[c.Binding.AOR]++
	}
}

func watchNothingBefore(t *testing.T, s location.Store) {
	apply(t, s, of("call", 1, phone("a", time.Hour)))
	changes := watching(t, s)
	apply(t, s, of("call", 2, phone("b", time.Hour)))
	wantChanges(t, changes, "added b")
}

func watchTwo(t *testing.T, s location.Store) {
	one, two := watching(t, s), watching(t, s)
	apply(t, s, of("call", 1, phone("a", time.Hour)))
	wantChanges(t, one, "added a")
	wantChanges(t, two, "added a")
}
