// Package locationtest is what every location.Store has to do, as tests. It is
// run on the embedded store and on real Redis servers, which keeps the rules in
// Go and the script in Redis equal.
package locationtest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pbx.dev/dialtone/registrar/location"
)

// wait is how long a test waits for what must happen.
const wait = 10 * time.Second

// Run runs the suite. newStore gives an empty store to each test and closes it
// when the test ends.
func Run(t *testing.T, newStore func(t *testing.T) location.Store) {
	tests := map[string]func(*testing.T, location.Store){
		"Register":           register,
		"Refresh":            refresh,
		"Unregister":         unregister,
		"Content":            content,
		"SeveralContacts":    severalContacts,
		"SameIDTwice":        sameIDTwice,
		"Order":              order,
		"StaleCSeq":          staleCSeq,
		"NewCallWins":        newCallWins,
		"Repetition":         repetition,
		"AllOrNothing":       allOrNothing,
		"Wildcard":           wildcard,
		"WildcardStale":      wildcardStale,
		"WildcardScope":      wildcardScope,
		"MaxContacts":        maxContacts,
		"MaxEvictsOldest":    maxEvictsOldest,
		"MaxLowered":         maxLowered,
		"Invalid":            invalid,
		"CancelledContext":   cancelledContext,
		"Concurrent":         concurrent,
		"ConcurrentRefresh":  concurrentRefresh,
		"Expiry":             expiry,
		"ExpiredIsNew":       expiredIsNew,
		"ListPages":          listPages,
		"ListOnlyLive":       listOnlyLive,
		"ListCursor":         listCursor,
		"Watch":              watch,
		"WatchOrder":         watchOrder,
		"WatchNothingBefore": watchNothingBefore,
		"WatchExpired":       watchExpired,
		"WatchTwo":           watchTwo,
		"Drop":               drop,
		"DropOnlyThatFlow":   dropOnlyThatFlow,
		"Ping":               ping,
		"Submit":             submit,
		"SubmitMany":         submitMany,
		"Model":              modelTest,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newStore(t))
		})
	}
}

const aor = location.AOR("101@pbx.dev")

// phone is a contact as a desk phone sends it.
func phone(id string, ttl time.Duration) location.Contact {
	return location.Contact{TTL: ttl, Binding: location.Binding{
		ID:        id,
		Contact:   "sip:101@192.0.2.1:5060;line=" + id,
		Received:  "198.51.100.7:40123",
		Transport: "udp",
		Socket:    "203.0.113.1:5060",
		Q:         1000,
		UserAgent: "Yealink SIP-T46S 66.86.0.15",
		AuthUser:  "101_a1b2c3",
		Device:    "phone_" + id,
	}}
}

// of is the REGISTER of call with that CSeq.
func of(call string, cseq uint32, contacts ...location.Contact) location.Update {
	return location.Update{AOR: aor, CallID: call, CSeq: cseq, Contacts: contacts}
}

func with(c location.Contact, change func(*location.Binding)) location.Contact {
	change(&c.Binding)
	return c
}

func apply(t *testing.T, s location.Store, u location.Update) location.Result {
	t.Helper()
	r, err := s.Apply(t.Context(), u)
	if err != nil {
		t.Fatalf("apply %s cseq %d: %v", u.CallID, u.CSeq, err)
	}
	// Stores keep milliseconds: the next update shall not be as old as this one.
	for r.Now.UnixMilli() >= time.Now().UnixMilli() {
		runtime.Gosched()
	}
	return r
}

func refused(t *testing.T, s location.Store, u location.Update, want error) {
	t.Helper()
	before := lookup(t, s, u.AOR)
	r, err := s.Apply(t.Context(), u)
	if !isError(err, want) {
		t.Fatalf("apply %s cseq %d: error %v, want %v", u.CallID, u.CSeq, err, want)
	}
	if len(r.Bindings) > 0 {
		t.Errorf("bindings beside an error: %v", r.Bindings)
	}
	if diff := cmp.Diff(before, lookup(t, s, u.AOR), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a refused update changed something (-before +after):\n%s", diff)
	}
}

func lookup(t *testing.T, s location.Store, aor location.AOR) []location.Binding {
	t.Helper()
	bs, err := s.Lookup(t.Context(), aor)
	if err != nil {
		t.Fatalf("lookup %s: %v", aor, err)
	}
	return bs
}

// ids is "a b" for the bindings a and b in this order.
func ids(bs []location.Binding) string {
	var out []string
	for _, b := range bs {
		out = append(out, b.ID)
	}
	return strings.Join(out, " ")
}

func wantIDs(t *testing.T, what string, bs []location.Binding, want string) {
	t.Helper()
	if got := ids(bs); got != want {
		t.Errorf("%s: bindings %q, want %q", what, got, want)
	}
}

// watching starts a Watch and returns its changes once it stands.
func watching(t *testing.T, s location.Store) <-chan location.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan location.Change, 10000)
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
		t.Fatalf("first change is %v, want the empty one", describe(c))
	}
	return changes
}

func receive(t *testing.T, changes <-chan location.Change) location.Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(wait):
		t.Fatal("no change is reported")
		return location.Change{}
	}
}

func describe(c location.Change) string {
	return fmt.Sprintf("%s %s %s", c.Kind, c.Binding.AOR, c.Binding.ID)
}

// wantChanges expects changes like "added a", leaving out plain refreshes, which
// a store may report or not.
func wantChanges(t *testing.T, changes <-chan location.Change, want ...string) []location.Change {
	t.Helper()
	var got []location.Change
	for _, w := range want {
		c := receive(t, changes)
		for c.Kind == location.Refreshed {
			c = receive(t, changes)
		}
		if text := fmt.Sprintf("%s %s", c.Kind, c.Binding.ID); text != w {
			t.Fatalf("change %q, want %q (of %q)", text, w, want)
		}
		got = append(got, c)
	}
	return got
}
