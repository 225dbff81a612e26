package digest_test

import (
	"testing"
	"time"
	"unsafe"

	"pbx.dev/dialtone/registrar/digest"
)

// wallSet returns t as it would read had the clock of the host been set by d meanwhile:
// the wall clock differs, the monotonic one does not. There is no other way to say so.
func wallSet(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	set := at
	// The first word of a time.Time has the seconds of the wall clock from bit 30 on.
	*(*uint64)(unsafe.Pointer(&set)) += uint64(int64(d/time.Second)) << 30 //nolint:gosec // see above
	if got := set.Round(0).Sub(at.Round(0)); got != d || set.Sub(at) != 0 {
		t.Fatalf("the wall clock was set by %s, the other by %s", got, set.Sub(at))
	}
	return set
}

// TestClockOfTheHostIsSet: the clock is set while the program runs, back or forth. A new
// nonce is good, and one that was used stays used.
func TestClockOfTheHostIsSet(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		offset := time.Duration(0)
		w := &world{}
		var err error
		w.Verifier, err = digest.New(digest.Options{
			Realm: realm, Key: key, Lookup: lookup, Now: func() time.Time { return wallSet(t, time.Now(), offset) },
		})
		if err != nil {
			t.Fatal(err)
		}
		before := w.answer()
		if got := w.verify("call-1 1", before.header()); got != digest.OK {
			t.Fatalf("before: outcome %d", got)
		}
		offset = by
		if got := w.verify("call-2 1", w.answer().header()); got != digest.OK {
			t.Errorf("set by %s: outcome %d of a new nonce, want OK", by, got)
		}
		if got := w.verify("call-3 1", before.header()); got != digest.Stale {
			t.Errorf("set by %s: outcome %d of a used nonce, want Stale", by, got)
		}
		before.nc = "00000002"
		if got := w.verify("call-4 1", before.header()); got != digest.OK {
			t.Errorf("set by %s: outcome %d of the next count, want OK", by, got)
		}
	}
}
