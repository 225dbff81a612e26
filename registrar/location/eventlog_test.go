package location_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// logNode is one node at an EventLog.
type logNode struct {
	*location.EventLog
	mu    sync.Mutex
	heard []location.LogEntry
}

// joinLog runs a node until the test ends. With past it begins there.
func joinLog(t *testing.T, s *server, name string, past bool) *logNode {
	t.Helper()
	n := &logNode{}
	n.EventLog = location.NewEventLog(location.EventLogOptions{
		Client: openClient(t, s.url()+"?read_timeout=1s"), Node: name, Keep: 100, Heard: func(e location.LogEntry) {
			n.mu.Lock()
			n.heard = append(n.heard, e)
			n.mu.Unlock()
			if e.Text == "panic" {
				panic("test")
			}
		},
	})
	if past {
		entries, err := n.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n.heard = entries
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

// texts are what the node heard, "?" where something is missing.
func (n *logNode) texts() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, e := range n.heard {
		switch {
		case e.Lost:
			out = append(out, "?")
		case e.Position == 0:
			out = append(out, e.Text+"!")
		default:
			out = append(out, e.Text)
		}
	}
	return strings.Join(out, " ")
}

func (n *logNode) positions() (out []int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.heard {
		out = append(out, e.Position)
	}
	return out
}

// TestEventLog: every node hears what any of them tells, in one order with the same
// positions, and one that comes later finds what was before.
func TestEventLog(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	one, two := joinLog(t, s, "one", true), joinLog(t, s, "two", true)
	one.Tell("a")
	waitFor(t, "a at the second", func() bool { return two.texts() == "? a" })
	two.Tell("panic")
	one.Tell("b")
	for _, n := range []*logNode{one, two} {
		waitFor(t, "both", func() bool { return len(n.positions()) == 4 })
	}
	three := joinLog(t, s, "three", true)
	if got := three.texts(); got != one.texts() || got != two.texts() || !strings.HasPrefix(got, "? a ") {
		t.Errorf("the nodes heard %q, %q, %q", one.texts(), two.texts(), got)
	}
	at := one.positions()
	if !slices.Equal(at, two.positions()) || !slices.Equal(at, three.positions()) || !slices.IsSorted(at) {
		t.Errorf("positions %v, %v, %v", at, two.positions(), three.positions())
	}
	if now := location.PositionAt(time.Now()); at[0] > now || now-at[0] > location.PositionAt(time.UnixMilli(60_000)) {
		t.Errorf("position %d at %d", at[0], now)
	}
	for _, e := range one.heard {
		if own := e.Text == "a" || e.Text == "b"; own != e.Own && e.Text != "" {
			t.Errorf("%+v", e)
		}
	}
}

// TestEventLogWithoutRedis: while Redis is away a node hears itself at once, and
// afterwards all are told that something is missing. A Redis that has lost everything,
// and a node that was away too long, are gaps.
func TestEventLogWithoutRedis(t *testing.T) {
	t.Parallel()
	s := startRedis(t, "--appendonly", "no")
	one, two := joinLog(t, s, "one", true), joinLog(t, s, "two", false)
	waitFor(t, "the second has joined", func() bool { return two.texts() == "?" })
	one.Tell("a")
	waitFor(t, "a at both", func() bool { return one.texts() == "? a" && two.texts() == "? a" })
	s.stop()
	one.Tell("b")
	waitFor(t, "b at home", func() bool { return strings.HasPrefix(one.texts(), "? a b!") })
	s.start()
	n := 0
	waitFor(t, "the others hear again", func() bool {
		n++
		one.Tell(fmt.Sprint("c", n))
		return strings.Contains(two.texts(), "? c")
	})
	if got := two.texts(); strings.Contains(got, "b") || !strings.HasPrefix(got, "? a ?") {
		t.Errorf("the second heard %q", got)
	}
}

// TestEventLogFallsBehind: what was cut off before a node has read it is a gap, and the
// log is bounded.
func TestEventLogFallsBehind(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	two := location.NewEventLog(location.EventLogOptions{Client: s.client(), Node: "two", Keep: 100, Heard: func(location.LogEntry) {}})
	if _, err := two.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	one := joinLog(t, s, "one", true)
	for i := range 2000 {
		one.Tell(fmt.Sprint(i))
	}
	client := s.client()
	waitFor(t, "all are written", func() bool {
		last, err := client.XRevRangeN(t.Context(), "dialtone:events", "+", "-", 1).Result()
		return err == nil && len(last) == 1 && last[0].Values["e"] == "1999"
	})
	if n, err := client.XLen(t.Context(), "dialtone:events").Result(); err != nil || n < 100 || n > 400 {
		t.Errorf("the log has %d entries, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lost := make(chan location.LogEntry, 1)
	location.HearLog(two, func(e location.LogEntry) {
		select {
		case lost <- e:
		default:
		}
	})
	done := make(chan error, 1)
	go func() { done <- two.Run(ctx) }()
	select {
	case e := <-lost:
		if !e.Lost || e.Position == 0 {
			t.Errorf("%+v", e)
		}
	case <-time.After(15 * time.Second):
		t.Error("the gap was not told")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
