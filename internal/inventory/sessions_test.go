package inventory

import (
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
)

// A session that was logged out is known as such until it would have been over.
func TestEndedSessions(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		var later atomic.Int64
		o := d.options()
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		s := openWith(t, o)
		ctx := t.Context()
		for range 2 { // the second click changes nothing
			if err := s.EndSession(ctx, "a", o.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if !must[bool](t)(s.SessionEnded(ctx, "a")) || must[bool](t)(s.SessionEnded(ctx, "b")) {
			t.Error("not the one that ended")
		}
		later.Store(int64(2 * time.Hour))
		if err := s.EndSession(ctx, "b", o.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(engine.One(s.db.Reader(ctx), engine.Scalar[int], `SELECT count(*) FROM ended_sessions`)); n != 1 {
			t.Errorf("%d are kept", n)
		}
	})
}
