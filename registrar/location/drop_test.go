package location

import (
	"testing"
	"time"
)

// The end of a flow is kept like any other change.
func TestDropIsDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *Memory {
		m, err := NewMemory(MemoryOptions{Dir: dir, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open()
	for _, id := range []string{"a", "b"} {
		c := Contact{TTL: time.Hour, Binding: Binding{ID: id, Contact: "sip:x@y", Node: "n", Boot: "b", Flow: "f" + id}}
		if _, err := m.Apply(t.Context(), Update{AOR: "101@pbx.dev", CallID: id, CSeq: 1, Contacts: []Contact{c}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Drop(t.Context(), FlowEnd{AOR: "101@pbx.dev", Node: "n", Boot: "b", Flow: "fa"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open()
	defer m.Close()
	if bs, err := m.Lookup(t.Context(), "101@pbx.dev"); err != nil || len(bs) != 1 || bs[0].ID != "b" {
		t.Errorf("after the restart %v, %v", bs, err)
	}
}
