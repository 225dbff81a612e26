package locationtest

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// over is a contact that was registered over a connection.
func over(id, flow string) location.Contact {
	return with(phone(id, time.Hour), func(b *location.Binding) {
		b.Transport, b.Node, b.Boot, b.Flow = "wss", "node \"1\"", "boot1", flow
	})
}

func end(t *testing.T, s location.Store, flow string) {
	t.Helper()
	if err := s.Drop(t.Context(), location.FlowEnd{AOR: aor, Node: "node \"1\"", Boot: "boot1", Flow: flow}); err != nil {
		t.Fatalf("drop flow %s: %v", flow, err)
	}
}

// drop: the end of a flow takes what was registered over it, and says so.
func drop(t *testing.T, s location.Store) {
	changes := watching(t, s)
	apply(t, s, of("a", 1, over("a", "f1")))
	apply(t, s, of("b", 1, over("b", "f1")))
	apply(t, s, of("c", 1, over("c", "f2")))
	wantChanges(t, changes, "added a", "added b", "added c")
	before := lookup(t, s, aor)
	end(t, s, "f1")
	wantIDs(t, "after the end", lookup(t, s, aor), "c")
	for range 2 {
		c := receive(t, changes)
		if c.Kind != location.FlowLost || c.Binding.Flow != "f1" || c.Binding.Contact != before[0].Contact[:len(before[0].Contact)-1]+c.Binding.ID {
			t.Errorf("change %s %+v", c.Kind, c.Binding)
		}
	}
	end(t, s, "f1") // once more
	end(t, s, "f2")
	wantChanges(t, changes, "flow-lost c")
	wantIDs(t, "nothing left", lookup(t, s, aor), "")
	// What is gone has no CSeq left.
	wantIDs(t, "again", apply(t, s, of("a", 1, over("a", "f3"))).Bindings, "a")
	wantChanges(t, changes, "added a")
	if page, _, err := s.List(t.Context(), "", 10); err != nil || ids(page) != "a" {
		t.Errorf("list %q, %v", ids(page), err)
	}
}

// dropOnlyThatFlow: a phone that came back over another connection, another node
// or another run stays, and so does what has no connection.
func dropOnlyThatFlow(t *testing.T, s location.Store) {
	apply(t, s, of("a", 1, over("a", "f1")))
	apply(t, s, of("a", 2, over("a", "f12"))) // came back
	apply(t, s, of("b", 1, with(over("b", "f1"), func(b *location.Binding) { b.Boot = "boot2" })))
	apply(t, s, of("c", 1, with(over("c", "f1"), func(b *location.Binding) { b.Node = "node 2" })))
	apply(t, s, of("d", 1, phone("d", time.Hour)))
	apply(t, s, of("e", 1, with(over("e", "f9"), func(b *location.Binding) { b.UserAgent = `","flow":"f1"` })))
	end(t, s, "f1")
	end(t, s, "")
	if err := s.Drop(t.Context(), location.FlowEnd{AOR: "nobody@pbx.dev", Flow: "f1"}); err != nil {
		t.Error(err)
	}
	if got := len(lookup(t, s, aor)); got != 5 {
		t.Errorf("%d bindings stay, want 5: %v", got, ids(lookup(t, s, aor)))
	}
}
