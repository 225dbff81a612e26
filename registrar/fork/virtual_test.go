package fork

import (
	"testing"
	"testing/synctest"
	"time"
)

// answer is what a phone does at a time after its INVITE.
type answer struct {
	after time.Duration
	code  int
}

// ring runs a whole call in virtual time the way an owner does: one goroutine,
// one timer, one channel. Phones that are cancelled answer 487.
func ring(o Options, phones map[int][]answer, hangUp time.Duration) (finals []int, took time.Duration) {
	type event struct{ branch, code int }
	c, events, begin := New(o), make(chan event, 64), time.Now()
	var targets []Target
	for id := range phones {
		targets = append(targets, Target{ID: id})
	}
	do := func(as []Action) {
		for _, a := range as {
			switch {
			case a.Kind == SendInvite:
				for _, s := range phones[a.Branch] {
					time.AfterFunc(s.after, func() { events <- event{a.Branch, s.code} })
				}
			case a.Kind == SendCancel:
				events <- event{a.Branch, 487}
			case a.Kind == ForwardUp && a.Code >= 200:
				finals, took = append(finals, a.Code), time.Since(begin)
			}
		}
	}
	var cancel <-chan time.Time
	if hangUp > 0 {
		cancel = time.After(hangUp)
	}
	do(c.Start(time.Now(), targets))
	for !c.Finished() {
		timer := time.NewTimer(time.Until(c.Next()))
		select {
		case e := <-events:
			do(c.Respond(time.Now(), e.branch, Response{Code: e.code, Ref: e.code}))
		case <-cancel:
			do(c.Cancel(time.Now(), ""))
		case <-timer.C:
			do(c.Tick(time.Now()))
		}
		timer.Stop()
	}
	return finals, took
}

func TestVirtualTime(t *testing.T) {
	t.Parallel()
	s := time.Second
	cases := []struct {
		name   string
		phones map[int][]answer
		hangUp time.Duration
		code   int
		took   time.Duration
	}{
		{"answered", map[int][]answer{0: {{s, 180}, {5 * s, 200}}, 1: {{s, 180}}}, 0, 200, 5 * s},
		{"two dead phones do not matter", map[int][]answer{0: nil, 1: nil, 2: {{s, 180}, {9 * s, 200}}}, 0, 200, 9 * s},
		{"rings for ever", map[int][]answer{0: {{s, 180}}}, 0, 408, s + DefaultTimerC},
		{"silence", map[int][]answer{0: nil}, 0, 408, DefaultNoResponse},
		{"caller hangs up", map[int][]answer{0: {{s, 180}}, 1: {{s, 180}}}, 3 * s, 487, 3 * s},
		{"caller hangs up on silence", map[int][]answer{0: nil}, 3 * s, 487, 3*s + DefaultHangupWait},
		{"all busy", map[int][]answer{0: {{s, 486}}, 1: {{4 * s, 486}}}, 0, 486, 4 * s},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finals, took := ring(Options{}, tc.phones, tc.hangUp)
				if len(finals) != 1 || finals[0] != tc.code || took != tc.took {
					t.Errorf("final responses %v after %v, want %d after %v", finals, took, tc.code, tc.took)
				}
			})
		})
	}
}
