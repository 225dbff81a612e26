package inventory

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

func TestReplays(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		var later atomic.Int64
		o := d.options()
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		s := openWith(t, o)
		ctx := t.Context()
		reserve := func(request, want string, wantFail error) {
			t.Helper()
			got, err := s.ReserveReplay(ctx, "id", request)
			if wantFail != nil {
				wantErr(t, err, wantFail)
				return
			}
			if err != nil || string(got) != want {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		}
		reserve("a", "", nil)
		reserve("a", "", phone.ErrConflict)
		reserve("b", "", phone.ErrInvalid)
		if err := s.DropReplay(ctx, "id"); err != nil {
			t.Fatal(err)
		}
		reserve("b", "", nil)
		later.Store(int64(replayLapses - time.Second))
		if err := s.TouchReplay(ctx, "id"); err != nil {
			t.Fatal(err)
		}
		later.Add(int64(replayLapses - time.Second))
		reserve("b", "", phone.ErrConflict) // it takes long
		later.Add(int64(2 * time.Second))   // who did it was killed
		reserve("a", "", nil)
		if err := s.KeepReplay(ctx, "id", []byte("a password")); err != nil {
			t.Fatal(err)
		}
		reserve("a", "a password", nil)
		reserve("b", "", phone.ErrInvalid)
		if err := s.DropReplay(ctx, "id"); err != nil { // too late: it has an answer
			t.Fatal(err)
		}
		reserve("a", "a password", nil)
		sealed := must[[]byte](t)(engine.One(s.db.Reader(ctx), engine.Scalar[[]byte], `SELECT answer FROM replays`))
		if strings.Contains(string(sealed), "password") {
			t.Error("the answer is stored in clear text")
		}
		later.Store(int64(keepReplayFor + time.Hour))
		reserve("b", "", nil)
	})
}

// Of two that send the same at once, on whatever nodes, one does it.
func TestReplaysOfTwoNodes(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		nodes := []*Store{d.open(t), d.open(t)}
		done := make(chan error)
		const each = 4
		for i := range 2 * each {
			go func() {
				_, err := nodes[i%2].ReserveReplay(t.Context(), "id", "a")
				done <- err
			}()
		}
		first := 0
		for range 2 * each {
			if err := <-done; err == nil {
				first++
			} else {
				wantErr(t, err, phone.ErrConflict)
			}
		}
		if first != 1 {
			t.Errorf("%d of %d were told to do it", first, 2*each)
		}
	})
}
