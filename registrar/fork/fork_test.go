package fork

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// script drives a Context with lines such as "+0s start a b", "+1s b 180",
// "+2s a 200/t1", "+3s b fail 503", "+4s cancel", "+5s tick", "+5s join c".
// A target may be in a group: "a@g". The answer is one line per action.
func script(t *testing.T, o Options, lines ...string) []string {
	t.Helper()
	c := New(o)
	var got []string
	for _, line := range lines {
		f := strings.Fields(line)
		d, err := time.ParseDuration(strings.TrimPrefix(f[0], "+"))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		until := t0.Add(d)
		for next := c.Next(); !next.IsZero() && next.Before(until); next = c.Next() {
			got = append(got, describe(c.Tick(next))...)
		}
		got = append(got, describe(step(t, c, until, f[1:]))...)
	}
	return got
}

func step(t *testing.T, c *Context, now time.Time, f []string) []Action {
	t.Helper()
	switch {
	case f[0] == "start":
		var ts []Target
		for _, n := range f[1:] {
			ts = append(ts, target(n))
		}
		return c.Start(now, ts)
	case f[0] == "join":
		return c.Join(now, target(f[1]))
	case f[0] == "cancel":
		return c.Cancel(now, "")
	case f[0] == "abort":
		return c.Abort(now, 503)
	case f[0] == "tick":
		return c.Tick(now)
	case f[1] == "fail":
		return c.Fail(now, target(f[0]).ID, number(t, f[2]))
	}
	code, tag, _ := strings.Cut(f[1], "/")
	return c.Respond(now, target(f[0]).ID, Response{Code: number(t, code), Tag: tag, Ref: f[0] + code})
}

func target(n string) Target {
	name, group, _ := strings.Cut(n, "@")
	return Target{ID: int(name[0] - 'a'), Group: group}
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func describe(as []Action) []string {
	var out []string
	for _, a := range as {
		b := string(rune('a' + a.Branch))
		switch a.Kind {
		case SendInvite:
			out = append(out, "invite "+b)
		case SendCancel:
			why := ""
			if a.Reason == CompletedElsewhere {
				why = " elsewhere"
			}
			out = append(out, "cancel "+b+why)
		case ForwardUp:
			s := fmt.Sprintf("up %d", a.Code)
			if a.Ref != nil {
				s += " from " + b
			}
			if len(a.Merge) > 0 {
				s += fmt.Sprint(" with ", a.Merge)
			}
			out = append(out, s)
		case AckBye:
			out = append(out, "ackbye "+b)
		case Ack:
			out = append(out, "ack "+b)
		case Done:
			out = append(out, "done")
		}
	}
	return out
}

func TestContext(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		opt   Options
		lines []string
		want  string // joined with "; "
	}{
		{
			"one answers, the other is cancelled",
			Options{},
			[]string{"+0s start a b", "+1s a 180/x", "+1s b 180/y", "+2s a 200/x", "+2s b 487/y", "+40s tick"},
			"invite a; invite b; up 180 from a; up 180 from b; up 200 from a; cancel b elsewhere; done",
		},
		{
			"100 is not forwarded but allows CANCEL",
			Options{},
			[]string{"+0s start a b", "+1s b 100", "+2s a 200/x"},
			"invite a; invite b; up 200 from a; cancel b elsewhere",
		},
		{
			"no CANCEL before a provisional",
			Options{},
			[]string{"+0s start a b", "+1s a 200/x", "+2s b 180/y", "+3s b 183/y", "+3s b 487/y", "+36s tick"},
			"invite a; invite b; up 200 from a; cancel b elsewhere; done",
		},
		{
			"both answer",
			Options{},
			[]string{"+0s start a b", "+1s b 180/y", "+2s a 200/x", "+2s b 200/y", "+3s b 200/y", "+3s a 200/x", "+40s tick"},
			"invite a; invite b; up 180 from b; up 200 from a; cancel b elsewhere; ackbye b; ack b; up 200 from a; done",
		},
		{
			"a second dialog on the winning branch",
			Options{},
			[]string{"+0s start a", "+2s a 200/x", "+2s a 200/z", "+2s a 200/z"},
			"invite a; up 200 from a; ackbye a; ack a",
		},
		{
			"busy everywhere",
			Options{},
			[]string{"+0s start a b", "+1s a 486", "+2s b 486"},
			"invite a; invite b; up 486 from a; done",
		},
		{"nobody registered", Options{}, []string{"+0s start"}, "up 480; done"},
		{
			"the lowest class wins",
			Options{},
			[]string{"+0s start a b c", "+1s a 500", "+2s b 486", "+3s c 302"},
			"invite a; invite b; invite c; up 302 from c; done",
		},
		{
			"407 before 486, challenges merged",
			Options{},
			[]string{"+0s start a b c", "+1s a 486", "+2s b 407", "+3s c 401"},
			"invite a; invite b; invite c; up 407 from b with [c401]; done",
		},
		{
			"486 before 408",
			Options{},
			[]string{"+0s start a b", "+1s a fail 408", "+2s b 486"},
			"invite a; invite b; up 486 from b; done",
		},
		{
			"486 before 404 and 480",
			Options{},
			[]string{"+0s start a b c", "+1s a 404", "+2s b 486", "+3s c 480"},
			"invite a; invite b; invite c; up 486 from b; done",
		},
		{
			"484 before 404",
			Options{},
			[]string{"+0s start a b", "+1s a 404", "+2s b 484"},
			"invite a; invite b; up 484 from b; done",
		},
		{
			"a 503 of a phone is a 500",
			Options{},
			[]string{"+0s start a", "+1s a 503"},
			"invite a; up 500; done",
		},
		{
			"503 loses against 502",
			Options{},
			[]string{"+0s start a b", "+1s a 503", "+1s b 502"},
			"invite a; invite b; up 502 from b; done",
		},
		{
			"nobody reachable",
			Options{},
			[]string{"+0s start a b", "+0s a fail 503", "+0s b fail 503"},
			"invite a; invite b; up 480; done",
		},
		{
			"flow failed at an edge proxy",
			Options{},
			[]string{"+0s start a", "+0s a 430"},
			"invite a; up 480; done",
		},
		{
			"a dead phone does not delay the others",
			Options{},
			[]string{"+0s start a b", "+0s a fail 503", "+1s b 180/y", "+2s b 200/y"},
			"invite a; invite b; up 180 from b; up 200 from b",
		},
		{
			"no response at all",
			Options{},
			[]string{"+0s start a", "+90s tick"},
			"invite a; up 408; done",
		},
		{
			"silent branch speaks after it was given up",
			Options{NoResponse: 5 * time.Second},
			[]string{"+0s start a", "+6s a 180/x", "+7s a 487/x"},
			"invite a; up 408; cancel a; done",
		},
		{
			"silent branch answers after it was given up",
			Options{NoResponse: 5 * time.Second},
			[]string{"+0s start a", "+6s a 200/x", "+50s tick"},
			"invite a; up 408; ackbye a; done",
		},
		{
			"silent branch answers while another rings",
			Options{NoResponse: 5 * time.Second},
			[]string{"+0s start a b", "+1s b 180/y", "+6s a 200/x"},
			"invite a; invite b; up 180 from b; up 200 from a; cancel b elsewhere",
		},
		{
			"timer C",
			Options{TimerC: 200 * time.Second},
			[]string{"+0s start a", "+1s a 180/x", "+100s a 180/x", "+299s tick", "+301s tick", "+302s a 487/x"},
			"invite a; up 180 from a; up 180 from a; cancel a; up 408; done",
		},
		{
			"100 does not move timer C",
			Options{TimerC: 200 * time.Second},
			[]string{"+0s start a", "+1s a 180/x", "+100s a 100", "+202s tick"},
			"invite a; up 180 from a; cancel a; up 408",
		},
		{
			"cancelled branch never ends",
			Options{},
			[]string{"+0s start a b", "+1s b 180/y", "+2s a 200/x", "+100s tick"},
			"invite a; invite b; up 180 from b; up 200 from a; cancel b elsewhere; done",
		},
		{
			"6xx ends the call for all",
			Options{},
			[]string{"+0s start a b", "+1s a 180/x", "+1s b 180/y", "+2s a 603", "+2s b 487/y"},
			"invite a; invite b; up 180 from a; up 180 from b; cancel b; up 603 from a; done",
		},
		{
			"6xx does not wait long for a dead phone",
			Options{},
			[]string{"+0s start a b", "+2s a 603", "+5s tick", "+40s tick"},
			"invite a; invite b; up 603 from a; done",
		},
		{
			"2xx that crosses a 6xx wins",
			Options{},
			[]string{"+0s start a b", "+1s b 180/y", "+2s a 603", "+2s b 200/y"},
			"invite a; invite b; up 180 from b; cancel b; up 200 from b",
		},
		{
			"6xx of one phone only stops that phone",
			Options{IgnoreDecline: true},
			[]string{"+0s start a b", "+1s b 180/y", "+2s a 603", "+3s b 200/y"},
			"invite a; invite b; up 180 from b; up 200 from b",
		},
		{
			"caller hangs up",
			Options{},
			[]string{"+0s start a b", "+1s a 180/x", "+1s b 180/y", "+2s cancel", "+2s a 487/x", "+2s b 487/y"},
			"invite a; invite b; up 180 from a; up 180 from b; cancel a; cancel b; up 487; done",
		},
		{
			"caller hangs up before any response",
			Options{},
			[]string{"+0s start a", "+1s cancel", "+1500ms a 100", "+1600ms a 487/x"},
			"invite a; cancel a; up 487; done",
		},
		{
			"caller hangs up, phone dead",
			Options{},
			[]string{"+0s start a", "+1s cancel", "+4s tick", "+5s a 180/x", "+6s a 487/x"},
			"invite a; up 487; cancel a; done",
		},
		{
			"2xx crosses the caller's CANCEL",
			Options{},
			[]string{"+0s start a b", "+1s a 180/x", "+1s b 180/y", "+2s cancel", "+2s a 200/x", "+2s b 487/y"},
			"invite a; invite b; up 180 from a; up 180 from b; cancel a; cancel b; up 200 from a",
		},
		{
			"2xx after the 487",
			Options{},
			[]string{"+0s start a", "+1s a 180/x", "+2s cancel", "+5s a 200/x", "+50s tick"},
			"invite a; up 180 from a; cancel a; up 487; ackbye a; done",
		},
		{
			"caller's CANCEL after the answer",
			Options{},
			[]string{"+0s start a", "+1s a 200/x", "+2s cancel"},
			"invite a; up 200 from a",
		},
		{
			"cancelled before the targets are known",
			Options{},
			[]string{"+0s cancel", "+0s start a"},
			"up 487; done",
		},
		{
			"second flow only when the first fails",
			Options{},
			[]string{"+0s start a@g b@g c", "+0s a fail 503", "+1s b 180/x", "+2s b 486", "+3s c 486"},
			"invite a; invite c; invite b; up 180 from b; up 486 from c; done",
		},
		{
			"busy phone is not tried over its other flow",
			Options{},
			[]string{"+0s start a@g b@g", "+1s a 486"},
			"invite a; up 486 from a; done",
		},
		{
			"second flow after no response",
			Options{NoResponse: 4 * time.Second},
			[]string{"+0s start a@g b@g", "+5s b 200/y", "+5s a 180/x"},
			"invite a; invite b; up 200 from b; cancel a",
		},
		{
			"second flow not after the caller hung up",
			Options{},
			[]string{"+0s start a@g b@g", "+1s cancel", "+1s a fail 503"},
			"invite a; up 487; done",
		},
		{
			"a phone registers while the others ring",
			Options{},
			[]string{"+0s start a", "+1s a 180/x", "+2s join b", "+2s join b", "+3s b 200/y"},
			"invite a; up 180 from a; invite b; up 200 from b; cancel a elsewhere",
		},
		{
			"a ringing phone registers again",
			Options{},
			[]string{"+0s start a@g", "+1s a 180/x", "+2s join b@g", "+3s a fail 503"},
			"invite a; up 180 from a; invite b",
		},
		{
			"joining after the answer",
			Options{},
			[]string{"+0s start a", "+1s a 200/x", "+2s join b"},
			"invite a; up 200 from a",
		},
		{
			"shutdown",
			Options{},
			[]string{"+0s start a", "+1s a 180/x", "+2s abort", "+2s a 200/x"},
			"invite a; up 180 from a; cancel a; up 503; ackbye a",
		},
		{
			"late 180 is dropped",
			Options{},
			[]string{"+0s start a", "+1s a 486", "+1s a 180"},
			"invite a; up 486 from a; done",
		},
		{
			"unknown branch",
			Options{},
			[]string{"+0s start a", "+1s z 200/x", "+1s z fail 503"},
			"invite a",
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(script(t, tc.opt, tc.lines...), "; ")
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
