package inventory

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// What the webhook is told waits in order until it was taken, once for all nodes, for a
// day, and no more than so many.
func TestOutgoing(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		var later atomic.Int64
		o := d.options()
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		nodes := []*Store{openWith(t, o), openWith(t, o)}
		ctx := t.Context()
		tell := func(s *Store, wantDropped int, events ...phone.DriftEvent) {
			t.Helper()
			if dropped := must[int](t)(s.TellDrift(ctx, events)); dropped != wantDropped {
				t.Errorf("%d dropped", dropped)
			}
		}
		next := func(s *Store, node, want string) phone.Outgoing {
			t.Helper()
			got, _, err := s.NextOutgoing(ctx, node, time.Minute)
			if want == "" {
				wantErr(t, err, phone.ErrNotFound)
				return got
			}
			var e phone.DriftEvent
			if err != nil || json.Unmarshal(got.Body, &e) != nil || fmt.Sprint(e.PhoneID, e.Was, e.Drift) != want {
				t.Fatalf("%s: %s %v, want %s", node, got.Body, err, want)
			}
			return got
		}
		end := func(g phone.Outgoing) {
			t.Helper()
			if err := nodes[0].EndOutgoing(ctx, g.ID); err != nil {
				t.Fatal(err)
			}
		}
		a := phone.DriftEvent{PhoneID: "a", Drift: []string{"x"}}
		for _, s := range nodes {
			tell(s, 0, a, phone.DriftEvent{PhoneID: "b"})
		}
		tell(nodes[1], 0, phone.DriftEvent{PhoneID: "a"})
		if told := must[[]string](t)(nodes[0].ToldDrift(ctx)); len(told) != 0 {
			t.Errorf("told %v", told)
		}
		first := next(nodes[0], "one", "a[] [x]")
		next(nodes[1], "two", "") // the other one is at it
		if err := nodes[0].TriedOutgoing(ctx, first.ID); err != nil {
			t.Fatal(err)
		}
		if again := next(nodes[0], "one", "a[] [x]"); again.Tries != 1 || again.ID != first.ID {
			t.Errorf("%+v", again)
		}
		later.Store(int64(2 * time.Minute)) // it was killed
		end(next(nodes[1], "two", "a[] [x]"))
		next(nodes[0], "one", "")
		if err := nodes[1].LeaveOutgoing(ctx, "two"); err != nil {
			t.Fatal(err)
		}
		end(next(nodes[0], "one", "a[x] []"))
		next(nodes[0], "one", "")

		const rows = 100
		args := make([]any, 0, 3*rows)
		for range rows {
			args = append(args, `{"phoneId":"old"}`, 0, toMillis(time.Now()))
		}
		for range maxOutgoing / rows {
			if err := nodes[0].write(ctx, func(u *unit) error {
				return u.exec(`INSERT INTO webhook_events (body, tries, created_at) VALUES `+values(rows, 3), args...)
			}); err != nil {
				t.Fatal(err)
			}
		}
		tell(nodes[0], 2, phone.DriftEvent{PhoneID: "a", Drift: []string{"x"}}, phone.DriftEvent{PhoneID: "b", Drift: []string{"x"}})
		if told := must[[]string](t)(nodes[0].ToldDrift(ctx)); fmt.Sprint(told) != "[a b]" {
			t.Errorf("told %v", told)
		}
		later.Store(int64(keepOutgoing + time.Hour))
		_, expired, err := nodes[0].NextOutgoing(ctx, "one", time.Minute)
		if wantErr(t, err, phone.ErrNotFound); expired != maxOutgoing {
			t.Errorf("%d expired", expired)
		}
	})
}
