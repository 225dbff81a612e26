package location_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pbx.dev/dialtone/registrar/location"
)

// both runs a test of the mirror over both stores.
func both(t *testing.T, test func(t *testing.T, s location.Store)) {
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		test(t, newMemory(t, location.MemoryOptions{}))
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		test(t, newRedis(t, location.RedisOptions{Client: startRedis(t).client()}))
	})
}

// running starts a mirror and waits for its first load.
func running(t *testing.T, s location.Store, subscribers ...func(location.Change)) *location.Mirror {
	t.Helper()
	m := location.NewMirror(s, location.MirrorOptions{})
	if m.Ready() {
		t.Error("ready before it runs")
	}
	for _, fn := range subscribers {
		m.Subscribe(fn)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	})
	select {
	case <-m.Loaded():
	case <-time.After(10 * time.Second):
		t.Fatal("the mirror is not loaded")
	}
	if !m.Ready() {
		t.Error("not ready after it was loaded")
	}
	return m
}

// to sends the changes of a mirror to a channel.
func to(changes chan<- location.Change) func(location.Change) {
	return func(c location.Change) { changes <- c }
}

func next(t *testing.T, changes <-chan location.Change, want string) location.Change {
	t.Helper()
	c := receive(t, changes)
	for c.Kind == location.Refreshed {
		c = receive(t, changes)
	}
	if got := fmt.Sprintf("%s %s %s", c.Kind, c.Binding.AOR, c.Binding.ID); got != want {
		t.Fatalf("change %q, want %q", got, want)
	}
	return c
}

func TestMirrorFollows(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s location.Store) {
		before := apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
		changes := make(chan location.Change, 1000)
		m := running(t, s, to(changes))
		c := next(t, changes, "added 1@pbx.dev a")
		if diff := cmp.Diff(before.Bindings[0], c.Binding); diff != "" {
			t.Errorf("loaded (-store +mirror):\n%s", diff)
		}

		apply(t, s, register("1@pbx.dev", "b", 1, time.Hour))
		next(t, changes, "added 1@pbx.dev b")
		u := register("1@pbx.dev", "a", 2, time.Hour)
		u.Contacts[0].Received = "198.51.100.8:5"
		after := apply(t, s, u)
		next(t, changes, "changed 1@pbx.dev a")
		if diff := cmp.Diff(after.Bindings, m.Bindings("1@pbx.dev")); diff != "" {
			t.Errorf("bindings (-store +mirror):\n%s", diff)
		}
		late := make(chan location.Change, 1000)
		m.Subscribe(to(late))
		for range 2 {
			if c := receive(t, late); c.Kind != location.Added {
				t.Errorf("a late subscriber gets %s, want added", c.Kind)
			}
		}
		if m.Len() != 2 {
			t.Errorf("%d bindings, want 2", m.Len())
		}
		apply(t, s, register("1@pbx.dev", "a", 3, 0))
		c = next(t, changes, "removed 1@pbx.dev a")
		if c.Binding.Received != "198.51.100.8:5" {
			t.Errorf("removed %+v", c.Binding)
		}
		next(t, late, "removed 1@pbx.dev a")
		evict := register("1@pbx.dev", "c", 1, time.Hour)
		evict.MaxContacts = 1
		apply(t, s, evict)
		next(t, changes, "evicted 1@pbx.dev b")
		next(t, changes, "added 1@pbx.dev c")
		if m.Len() != 1 || len(m.Bindings("1@pbx.dev")) != 1 || m.Bindings("2@pbx.dev") != nil {
			t.Errorf("%d bindings: %v", m.Len(), m.Bindings("1@pbx.dev"))
		}
	})
}

// TestMirrorExpiry: a refresh that the store did not report is noticed, and an
// expiry reported once, about when it happens, with all that was known.
func TestMirrorExpiry(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s location.Store) {
		changes := make(chan location.Change, 1000)
		m := running(t, s, to(changes))
		apply(t, s, register("1@pbx.dev", "a", 1, 400*time.Millisecond))
		added := next(t, changes, "added 1@pbx.dev a")
		apply(t, s, register("2@pbx.dev", "b", 1, time.Hour))
		next(t, changes, "added 2@pbx.dev b")
		r := apply(t, s, register("1@pbx.dev", "a", 2, 1600*time.Millisecond))
		end := r.Bindings[0].ExpiresAt
		waitFor(t, "the refresh is noticed", func() bool {
			bs := m.Bindings("1@pbx.dev")
			return len(bs) == 1 && bs[0].ExpiresAt.Equal(end)
		})
		if !time.Now().Before(end) {
			t.Log("noticed late") // a busy machine; the rest still holds
		}
		c := next(t, changes, "expired 1@pbx.dev a")
		late := time.Since(end)
		if late < 0 || late > time.Second {
			t.Errorf("expired is reported %v after the end", late)
		}
		if c.Binding.Contact != added.Binding.Contact || c.Binding.Device != added.Binding.Device {
			t.Errorf("expired %+v", c.Binding)
		}
		apply(t, s, register("2@pbx.dev", "b", 2, 0))
		next(t, changes, "removed 2@pbx.dev b")
		if m.Len() != 0 {
			t.Errorf("%d bindings, want none", m.Len())
		}
	})
}

// TestMirrorRecovers: after the store was emptied behind its back the mirror
// reports what has gone and what has come.
func TestMirrorRecovers(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client})
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	changes := make(chan location.Change, 1000)
	m := running(t, s, to(changes))
	next(t, changes, "added 1@pbx.dev a")
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	apply(t, s, register("2@pbx.dev", "b", 1, time.Hour))
	got := map[string]bool{}
	for range 2 {
		c := receive(t, changes)
		got[fmt.Sprintf("%s %s", c.Kind, c.Binding.AOR)] = true
	}
	if !got["removed 1@pbx.dev"] || !got["added 2@pbx.dev"] {
		t.Errorf("changes %v", got)
	}
	if m.Len() != 1 {
		t.Errorf("%d bindings, want 1", m.Len())
	}
}

// TestMirrorOutage: what cannot be looked up does not count as expired, and a
// mirror that begins without a store waits for it.
func TestMirrorOutage(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "always")
	s := newRedis(t, location.RedisOptions{Client: server.client()})
	changes := make(chan location.Change, 1000)
	m := running(t, s, to(changes))
	r := apply(t, s, register("1@pbx.dev", "a", 1, 500*time.Millisecond))
	apply(t, s, register("1@pbx.dev", "b", 1, time.Hour))
	next(t, changes, "added 1@pbx.dev a")
	next(t, changes, "added 1@pbx.dev b")
	server.stop()
	waitFor(t, "the binding has run out", func() bool { return time.Since(r.Bindings[0].ExpiresAt) > time.Second })
	if n := m.Len(); n != 2 {
		t.Errorf("%d bindings during the outage, want 2", n)
	}
	server.start()
	next(t, changes, "expired 1@pbx.dev a")
	apply(t, s, register("1@pbx.dev", "c", 1, time.Hour))
	next(t, changes, "added 1@pbx.dev c")
}

func TestMirrorSubscriberPanics(t *testing.T) {
	t.Parallel()
	s := newMemory(t, location.MemoryOptions{})
	changes := make(chan location.Change, 1000)
	running(t, s, func(location.Change) { panic("subscriber") }, to(changes))
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	next(t, changes, "added 1@pbx.dev a")
	apply(t, s, register("1@pbx.dev", "b", 1, time.Hour))
	next(t, changes, "added 1@pbx.dev b")
}

// ledger sums up what a subscriber is told.
type ledger struct {
	mu    sync.Mutex
	sum   map[string]location.Binding
	wrong []string // what does not follow from what was told before
}

func bindingName(b location.Binding) string { return string(b.AOR) + " " + b.ID }

func (l *ledger) add(c location.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := bindingName(c.Binding)
	_, there := l.sum[name]
	if there == (c.Kind == location.Added) {
		l.wrong = append(l.wrong, string(c.Kind)+" "+name)
	}
	switch c.Kind {
	case location.Added, location.Changed, location.Refreshed:
		l.sum[name] = c.Binding
	default:
		delete(l.sum, name)
	}
}

// disturb applies random updates to the first aors, and adds up no errors.
func disturb(t *testing.T, s location.Store, seed, steps, aors int) {
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	for n := range steps {
		ttl := time.Hour
		if random.IntN(3) == 0 {
			ttl = 0
		}
		u := register(aorN(random.IntN(aors)), "c"+strconv.Itoa(random.IntN(3)), uint32(n), ttl)
		u.CallID = strconv.Itoa(seed*steps + n)
		u.Contacts[0].Flow = strconv.Itoa(random.IntN(3))
		if _, err := s.Apply(context.Background(), u); err != nil {
			t.Error(err)
		}
	}
}

// TestMirrorConverges: whatever happens while it is loaded, the mirror ends where
// the store is, and so does who only sums up its changes.
func TestMirrorConverges(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s location.Store) {
		const aors = 40
		for i := range aors {
			apply(t, s, register(aorN(i), "c0", 1, time.Hour))
		}
		l := &ledger{sum: map[string]location.Binding{}}
		var wg sync.WaitGroup
		for seed := range 4 {
			wg.Go(func() { disturb(t, s, seed, 300, aors) })
		}
		m := running(t, s, l.add)
		wg.Wait()
		want := map[string]location.Binding{}
		for i := range aors {
			bs, err := s.Lookup(t.Context(), aorN(i))
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range bs {
				want[bindingName(b)] = b
			}
		}
		// Refreshes are not reported: their traces may differ.
		opts := cmpopts.IgnoreFields(location.Binding{}, "CallID", "CSeq", "RefreshedAt", "ExpiresAt")
		waitFor(t, "the mirror is where the store is", func() bool {
			got := map[string]location.Binding{}
			for i := range aors {
				for _, b := range m.Bindings(aorN(i)) {
					got[bindingName(b)] = b
				}
			}
			return cmp.Equal(want, got, opts)
		})
		l.mu.Lock()
		defer l.mu.Unlock()
		if diff := cmp.Diff(want, l.sum, opts); diff != "" {
			t.Errorf("sum of changes (-store +sum):\n%s", diff)
		}
		if len(l.wrong) > 0 {
			t.Errorf("changes that do not follow from what was told before: %q", l.wrong)
		}
		if len(want) != m.Len() {
			t.Errorf("%d bindings, want %d", m.Len(), len(want))
		}
	})
}
