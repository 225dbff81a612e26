package fork

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// watcher checks every action against what may happen at all (REGISTRAR 5.4).
type watcher struct {
	t         *rapid.T
	invited   map[int]bool
	heard     map[int]bool // a provisional came
	ended     map[int]bool // a final came or the transaction failed
	cancelled map[int]bool
	finals    []int
	winner    string // branch/tag of the 2xx that went up
	answered  map[string]bool
	byes      map[string]bool
	done      bool
}

func (w *watcher) see(c *Context, as []Action) {
	for _, a := range as {
		if w.done {
			w.t.Fatalf("action %+v after Done", a)
		}
		w.action(a)
	}
	for g, n := range w.undecided(c) {
		if g != "" && n > 1 {
			w.t.Fatalf("%d branches of group %s at once", n, g)
		}
	}
}

func (w *watcher) undecided(c *Context) map[string]int {
	n := map[string]int{}
	for _, b := range c.branches {
		if !b.decided() {
			n[b.Group]++
		}
	}
	return n
}

func (w *watcher) action(a Action) {
	switch a.Kind {
	case SendInvite:
		if w.invited[a.Branch] || len(w.finals) > 0 {
			w.t.Fatalf("INVITE of %d twice or after the final response", a.Branch)
		}
		w.invited[a.Branch] = true
	case SendCancel:
		if !w.heard[a.Branch] || w.cancelled[a.Branch] || w.ended[a.Branch] {
			w.t.Fatalf("CANCEL of %d too early, twice or too late", a.Branch)
		}
		w.cancelled[a.Branch] = true
	case ForwardUp:
		w.forward(a)
	case AckBye, Ack:
		key := fmt.Sprint(a.Ref)
		if key == w.winner || w.byes[key] != (a.Kind == Ack) {
			w.t.Fatalf("%+v of %s", a, key)
		}
		w.byes[key] = true
	case Done:
		w.done = true
	}
}

func (w *watcher) forward(a Action) {
	if a.Code < 200 {
		if len(w.finals) > 0 {
			w.t.Fatalf("%d after the final response", a.Code)
		}
		return
	}
	if a.Code < 300 {
		key := fmt.Sprint(a.Ref)
		if w.winner != "" && w.winner != key {
			w.t.Fatalf("two answers: %s and %s", w.winner, key)
		}
		if w.winner == key {
			return // a repetition
		}
		w.winner = key
	}
	w.finals = append(w.finals, a.Code)
	if len(w.finals) > 1 {
		w.t.Fatalf("final responses %v", w.finals)
	}
}

// TestRandomSchedules rings random phones that answer anything at any time and
// checks that the caller gets exactly one final response, that every call ends,
// and that no phone is left in a half-open dialog.
func TestRandomSchedules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &watcher{
			t: t, invited: map[int]bool{}, heard: map[int]bool{}, ended: map[int]bool{},
			cancelled: map[int]bool{}, answered: map[string]bool{}, byes: map[string]bool{},
		}
		c := New(Options{
			IgnoreDecline: rapid.Bool().Draw(t, "ignoreDecline"),
			NoResponse:    rapid.SampledFrom([]time.Duration{0, 5 * time.Second}).Draw(t, "noResponse"),
		})
		now, limit := t0, t0.Add(time.Hour)
		var targets []Target
		for id := range rapid.IntRange(0, 5).Draw(t, "phones") {
			targets = append(targets, Target{ID: id, Group: rapid.SampledFrom([]string{"", "g", "h"}).Draw(t, "group")})
		}
		w.see(c, c.Start(now, targets))
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 3 * time.Minute}).Draw(t, "wait"))
			w.see(c, c.Tick(now))
			randomEvent(t, c, w, now)
		}
		for next := c.Next(); !next.IsZero(); next = c.Next() {
			if now = later(now, next); now.After(limit.Add(10 * time.Hour)) {
				t.Fatal("the call never ends")
			}
			w.see(c, c.Tick(now))
		}
		if !w.done || len(w.finals) != 1 {
			t.Fatalf("done %v, final responses %v", w.done, w.finals)
		}
		for key := range w.answered {
			if key != w.winner && !w.byes[key] {
				t.Fatalf("answer %s is neither forwarded nor ended", key)
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func randomEvent(t *rapid.T, c *Context, w *watcher, now time.Time) {
	id := rapid.IntRange(0, 7).Draw(t, "branch")
	switch kind := rapid.SampledFrom([]string{"1xx", "1xx", "2xx", "fail", "error", "cancel", "join", "abort"}).Draw(t, "event"); kind {
	case "cancel":
		w.see(c, c.Cancel(now, ""))
	case "abort":
		if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
			w.see(c, c.Abort(now, 503))
		}
	case "join":
		w.see(c, c.Join(now, Target{ID: id, Group: rapid.SampledFrom([]string{"", "g"}).Draw(t, "group")}))
	case "1xx":
		if w.invited[id] {
			w.heard[id] = true
			w.see(c, c.Respond(now, id, Response{Code: rapid.SampledFrom([]int{100, 180, 183}).Draw(t, "code"), Ref: "-"}))
		}
	case "2xx":
		if !w.invited[id] || c.Finished() {
			return
		}
		key := fmt.Sprint(id, "/", rapid.IntRange(0, 1).Draw(t, "tag"))
		w.answered[key], w.ended[id] = true, true
		w.see(c, c.Respond(now, id, Response{Code: 200, Tag: key, Ref: key}))
	case "fail", "error":
		if !w.invited[id] || w.ended[id] {
			return // a transaction ends once
		}
		w.ended[id] = true
		if kind == "error" {
			w.see(c, c.Fail(now, id, rapid.SampledFrom([]int{408, 503}).Draw(t, "code")))
			return
		}
		code := rapid.SampledFrom([]int{302, 401, 430, 480, 486, 487, 500, 503, 603}).Draw(t, "code")
		w.see(c, c.Respond(now, id, Response{Code: code, Ref: "x"}))
	}
}
