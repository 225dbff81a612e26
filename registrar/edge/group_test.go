package edge

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pbx.dev/dialtone/registrar/wire"
)

// grouping answers REGISTERs in groups, each group when it is let. Those of "worker"
// have to wait in Begin, those of "late" after the group.
type grouping struct {
	*echo
	begun   chan string
	release chan struct{}
}

func (g *grouping) Begin(r *Request) Progress {
	from := r.Msg.Get(wire.From)
	g.begun <- from
	switch {
	case strings.Contains(from, "worker"):
		return Waits
	case strings.Contains(from, "quick"):
		g.answer(r)
		return Answered
	}
	return Joined
}

func (g *grouping) Commit(group []*Request, answered func(but []*Request)) {
	go func() {
		<-g.release
		var but []*Request
		for _, r := range group {
			if strings.Contains(r.Msg.Get(wire.From), "late") {
				but = append(but, r)
			} else {
				g.answer(r)
			}
		}
		answered(but)
		answered(nil) // once is enough
	}()
}

func newGrouping() *grouping {
	return &grouping{echo: &echo{slow: true}, begun: make(chan string, 1000), release: make(chan struct{}, 1000)}
}

// TestGroups: every request of a group is answered to where it came from, whichever way
// it goes.
func TestGroups(t *testing.T) {
	t.Parallel()
	g := newGrouping()
	w := start(t, Options{Handler: g, Grouper: g})
	close(g.release)
	for round := range 20 {
		for _, user := range []string{"101", "worker", "late", "quick", "102"} {
			c := dial(t, "udp", w.udp)
			send(t, c, request("REGISTER", user, round))
			got := read(t, c)
			expect(t, got, "SIP/2.0 200 OK")
			if !strings.Contains(got, fmt.Sprintf("Call-ID: c-%s\r\nCSeq: %d REGISTER\r\n", user, round)) {
				t.Errorf("%s got %q", user, got)
			}
		}
	}
	if n := g.seen.Load(); n != 100 {
		t.Errorf("%d answers to 100 requests", n)
	}
}

// TestGroupsUnderWayAreBounded: what is too much is told to come back, and what is
// under way is answered, also while the server stops.
func TestGroupsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	g := newGrouping()
	w := start(t, Options{Handler: g, Grouper: g, Queue: 1})
	first, second := dial(t, "udp", w.udp), dial(t, "udp", w.udp)
	send(t, first, request("REGISTER", "101", 1))
	receive(t, g.begun)
	send(t, second, request("REGISTER", "102", 1))
	expect(t, read(t, second), "SIP/2.0 503 ")

	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stopped <- w.Shutdown(ctx)
	}()
	close(g.release)
	expect(t, read(t, first), "SIP/2.0 200 OK")
	if err := receive(t, stopped); err != nil {
		t.Error(err)
	}
}
