package location_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pbx.dev/dialtone/registrar/location"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// clock is the time of a test, moved by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// register is the REGISTER of a phone with one contact.
func register(aor location.AOR, id string, cseq uint32, ttl time.Duration) location.Update {
	return location.Update{AOR: aor, CallID: "call-" + id, CSeq: cseq, MaxContacts: 10, Contacts: []location.Contact{{
		TTL: ttl, Binding: location.Binding{
			ID: id, Contact: "sip:101@192.0.2.17:5060;transport=udp;line=a1b2c3", Params: ";+sip.instance=\"<urn:uuid:0>\"",
			Received: "198.51.100.7:40123", Transport: "udp", Socket: "203.0.113.1:5060", Node: "n1", Boot: "b-8f2c",
			Instance: "urn:uuid:00000000-0000-1000-8000-0004f2abcdef", Q: 1000,
			UserAgent: "PolycomVVX-VVX_450-UA/6.4.3.5156", AuthUser: "101_a1b2c3", Device: "phone_01hxyz",
		},
	}}}
}

func apply(t testing.TB, s location.Store, u location.Update) location.Result {
	t.Helper()
	r, err := s.Apply(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func count(t testing.TB, s location.Store, aor location.AOR) int {
	t.Helper()
	bs, err := s.Lookup(t.Context(), aor)
	if err != nil {
		t.Fatal(err)
	}
	return len(bs)
}

func unavailable(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, location.ErrUnavailable) {
		t.Errorf("%s: %v, want %v", what, err, location.ErrUnavailable)
	}
}

func aorN(i int) location.AOR { return location.AOR(fmt.Sprintf("%d@pbx.dev", i)) }

// watching returns the changes of s once the watch stands.
func watching(t testing.TB, s location.Store) <-chan location.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	changes := make(chan location.Change, 100000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Watch(ctx, func(c location.Change) { changes <- c })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	if c := receive(t, changes); c.Kind != "" {
		t.Fatalf("first change %v", c)
	}
	return changes
}

func receive(t testing.TB, changes <-chan location.Change) location.Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(15 * time.Second):
		t.Fatal("no change is reported")
		return location.Change{}
	}
}
