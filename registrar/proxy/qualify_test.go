package proxy

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/location"
)

// pinging starts a Pinger that asks every second.
func pinging(t *testing.T, s *site, change func(*QualifyOptions)) *Pinger {
	t.Helper()
	o := QualifyOptions{Every: time.Second, Patience: 200 * time.Millisecond, Node: "n1"}
	if change != nil {
		change(&o)
	}
	q := s.proxy.NewPinger(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		check(t, <-done)
	})
	return q
}

func contactOf(u *ua) location.Binding {
	return location.Binding{
		AOR: "102@" + testDomain, ID: u.addr(), Contact: u.contact("102"), Received: u.addr(), Transport: u.transport, Node: "n1",
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.After(2 * patience); !ok(); {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestQualify(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	desk, foreign, soft := newUDP(t, s), newUDP(t, s), newTCP(t, s.tcp, "tcp")
	q := pinging(t, s, nil)
	b := contactOf(desk)
	other := contactOf(foreign)
	other.Node = "n2"
	for _, b := range []location.Binding{b, other, contactOf(soft)} {
		q.Binding(location.Change{Kind: location.Added, Binding: b})
	}
	req := desk.request(sip.OPTIONS)
	if got := req.Recipient.String(); got != b.Contact {
		t.Errorf("Request-URI %s", got)
	}
	desk.respond(req, 200)
	until(t, "a latency", func() bool {
		d, ok := q.Latency(b.AOR, b.ID)
		return ok && d > 0 && d < 200*time.Millisecond
	})
	desk.respond(desk.request(sip.OPTIONS), 404) // an answer as well
	until(t, "it is silent", func() bool { return q.Unreachable(b) })
	if _, ok := q.Latency(b.AOR, b.ID); ok {
		t.Error("a latency of a phone that does not answer")
	}
	foreign.silent()
	soft.silent()
	q.Binding(location.Change{Kind: location.Changed, Binding: b})
	if q.Unreachable(b) {
		t.Error("unreachable although it has just registered from elsewhere")
	}
	q.Binding(location.Change{Kind: location.Removed, Binding: b})
	if len(q.contacts) != 0 || len(q.turns[0]) != 0 {
		t.Errorf("%d contacts and %d turns are kept", len(q.contacts), len(q.turns[0]))
	}
}

// TestQualifyIsBounded: many silent phones take no more than their room.
func TestQualifyIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	q := pinging(t, s, func(o *QualifyOptions) { o.Parallel, o.Rate = 4, 1000 })
	desk := newUDP(t, s)
	for i := range 200 {
		b := contactOf(desk)
		b.ID = string(rune('a'+i%26)) + string(rune('a'+i/26))
		q.Binding(location.Change{Kind: location.Added, Binding: b})
	}
	desk.request(sip.OPTIONS)
	until(t, "the places are taken", func() bool { return len(q.slots) == 4 })
	if n := s.proxy.work.count(); n > 6 {
		t.Errorf("%d goroutines", n)
	}
}
