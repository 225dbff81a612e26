package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

// lost waits for the store to report the end of a contact's flow.
func (w *world) lost(t testing.TB) <-chan location.Binding {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	lost, begun, done := make(chan location.Binding, 100), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = w.store.Watch(ctx, func(c location.Change) {
			switch c.Kind {
			case "":
				close(begun)
			case location.FlowLost:
				lost <- c.Binding
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	<-begun
	return lost
}

func TestEndOfAConnectionRemovesItsContacts(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	lost := w.lost(t)
	udp := dialPhone(t, w, "udp", "101_a1b2c3")
	udp.register("Contact: <sip:udp@h>")
	tcp := dialPhone(t, w, "tcp", "101_a1b2c3")
	tcp.register("Contact: <sip:tcp@h;transport=tcp>")
	if got := w.contacts(t, "101"); len(got) != 2 {
		t.Fatalf("registered %q", got)
	}
	tcp.conn.Close()
	if b := receive(t, lost); b.Contact != "sip:tcp@h;transport=tcp" {
		t.Errorf("lost %+v", b)
	}
	if got := w.contacts(t, "101"); !slices.Equal(got, []string{"sip:udp@h"}) {
		t.Errorf("left are %q", got)
	}
}

// A phone that came back before the server notices that its old connection has
// ended keeps its new binding.
func TestLateEndOfAnOldConnection(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	lost := w.lost(t)
	for i, contact := range []string{
		`Contact: <sip:101@h;transport=tcp>;+sip.instance="<urn:uuid:1>"`, "Contact: <sip:102@h;transport=tcp>",
	} {
		user := []string{"101_a1b2c3", "102_d4e5f6"}[i]
		old, next := dialPhone(t, w, "tcp", user), dialPhone(t, w, "tcp", user)
		old.register(contact)
		before := w.bindings(t, user[:3])
		next.register(contact)
		after := w.bindings(t, user[:3])
		if len(before) != 1 || len(after) != 1 || before[0].Flow == after[0].Flow {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		old.conn.Close()
		// The end of a third connection is handled after that of the old one.
		marker := dialPhone(t, w, "tcp", user)
		marker.register("Contact: <sip:marker@h;transport=tcp>")
		marker.conn.Close()
		if b := receive(t, lost); b.Contact != "sip:marker@h;transport=tcp" {
			t.Errorf("lost %+v", b)
		}
		if got := w.bindings(t, user[:3]); len(got) != 1 || got[0].Flow != after[0].Flow {
			t.Errorf("left are %+v", got)
		}
	}
}

func TestReap(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	lost := w.lost(t)
	u := dialPhone(t, w, "tcp", "101_a1b2c3")
	u.register("Contact: <sip:101@h;transport=tcp>")
	live := w.bindings(t, "101")[0]
	old, foreign, udp := live, live, live
	old.ID, old.Boot = "old", "b0"
	foreign.ID, foreign.Node = "foreign", "n2"
	udp.ID, udp.Boot, udp.Flow = "udp", "b0", ""
	for _, b := range []location.Binding{old, foreign, udp} {
		c := location.Contact{Binding: b, TTL: patience}
		if _, err := w.store.Apply(t.Context(), location.Update{AOR: b.AOR, CallID: b.ID, CSeq: 1, Contacts: []location.Contact{c}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range w.bindings(t, "101") {
		w.Reap(b)
	}
	if b := receive(t, lost); b.ID != "old" {
		t.Errorf("lost %+v", b)
	}
	if n := len(w.bindings(t, "101")); n != 3 {
		t.Errorf("%d are left, want 3", n)
	}
}

// dropStore counts, and fails as long as it is told to.
type dropStore struct {
	location.Store
	mu           sync.Mutex
	down         bool
	running, top int
	dropped      map[location.FlowEnd]int
}

func (s *dropStore) Drop(_ context.Context, f location.FlowEnd) error {
	s.mu.Lock()
	s.running++
	s.top = max(s.top, s.running)
	down := s.down
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.running--; s.mu.Unlock() }()
	if down {
		return fmt.Errorf("redis: %w", location.ErrUnavailable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped[f]++
	if f.Flow == "7" {
		return errors.New("broken")
	}
	return nil
}

func testKeeper() (*flowKeeper, *dropStore) {
	store := &dropStore{dropped: map[location.FlowEnd]int{}}
	return newFlowKeeper(&Server{opts: Options{Store: store, Node: "n", Boot: "b"}, log: slog.New(slog.DiscardHandler)}), store
}

// A power cut closes all connections at once while the store is away: a few at a
// time ask it, and when it is back each is removed once.
func TestAllConnectionsEndAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, store := testKeeper()
		store.down = true
		const phones = 10_000
		for i := range phones {
			flow := edge.Flow{ID: fmt.Sprint(i)}
			aor := location.AOR(fmt.Sprintf("%d@pbx.dev", i))
			k.note(flow, aor)
			k.note(flow, aor)
		}
		for i := range phones {
			k.ended(edge.Flow{ID: fmt.Sprint(i)})
		}
		synctest.Wait()
		if k.working != dropsAtOnce || store.top > dropsAtOnce {
			t.Errorf("%d work, %d at once, want %d", k.working, store.top, dropsAtOnce)
		}
		store.mu.Lock()
		store.down = false
		store.mu.Unlock()
		k.idle.Wait()
		if len(store.dropped) != phones || len(k.aors) != 0 || len(k.queued) != 0 {
			t.Errorf("%d dropped, %d known, %d queued", len(store.dropped), len(k.aors), len(k.queued))
		}
		k.stop()
	})
}

// What cannot be removed when the server stops does not hold it up.
func TestStopDoesNotWaitForAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, store := testKeeper()
		store.down = true
		for i := range 100 {
			k.add(location.FlowEnd{AOR: "101@pbx.dev", Flow: fmt.Sprint(i)})
		}
		k.stop()
		k.add(location.FlowEnd{AOR: "101@pbx.dev", Flow: "late"})
		if len(store.dropped) != 0 || len(k.queue) != 0 {
			t.Errorf("dropped %d, queued %d", len(store.dropped), len(k.queue))
		}
	})
}

func receive[T any](t testing.TB, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
