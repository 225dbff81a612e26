package location_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pbx.dev/dialtone/registrar/location"
)

// setClock is the clock of a host that is set while the program runs: the wall clock
// differs, the monotonic one does not.
type setClock struct{ by atomic.Int64 }

func (c *setClock) Now() time.Time {
	now := time.Now()
	// The first word of a time.Time has the seconds of the wall clock from bit 30 on.
	*(*uint64)(unsafe.Pointer(&now)) += uint64(c.by.Load()/int64(time.Second)) << 30 //nolint:gosec // there is no other way to say so
	return now
}

func (c *setClock) wall() time.Time { return c.Now().Round(0) }

// TestMemoryClockIsSet: however the clock of the host is set, each binding lasts as long
// as it was granted for, the list follows, and so does the next start.
func TestMemoryClockIsSet(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"forward": 5 * time.Hour, "back": -5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &setClock{}
			opts := location.MemoryOptions{Dir: t.TempDir(), Now: c.Now}
			s := newMemory(t, opts)
			m := location.NewMirror(s, location.MirrorOptions{Now: c.Now})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = m.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-ended })
			apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
			apply(t, s, register("1@pbx.dev", "b", 1, time.Hour))
			apply(t, s, register("2@pbx.dev", "a", 1, time.Hour))
			waitFor(t, "the list has them", func() bool { return m.Len() == 3 })
			c.by.Store(int64(by))
			lasts := func(bs []location.Binding, n int, hour time.Duration) bool {
				for _, b := range bs {
					left := b.ExpiresAt.Sub(c.wall())
					n--
					if left < hour-time.Minute || left > hour+time.Second {
						return false
					}
				}
				return n == 0
			}
			of := func(aor location.AOR) []location.Binding {
				bs, err := s.Lookup(t.Context(), aor)
				if err != nil || len(bs) == 0 {
					t.Fatalf("%s has %d bindings, %v", aor, len(bs), err)
				}
				return bs
			}
			waitFor(t, "the bindings last for an hour from now", func() bool {
				return lasts(of("1@pbx.dev"), 2, time.Hour) && lasts(of("2@pbx.dev"), 1, time.Hour)
			})
			waitFor(t, "the list says so", func() bool {
				return lasts(m.Bindings("1@pbx.dev"), 2, time.Hour) && lasts(m.Bindings("2@pbx.dev"), 1, time.Hour)
			})
			moved := register("1@pbx.dev", "a", 2, 2*time.Hour)
			moved.Contacts[0].Received = "192.0.2.99:5060"
			apply(t, s, moved)
			waitFor(t, "the list has where the phone is now", func() bool {
				for _, b := range m.Bindings("1@pbx.dev") {
					if b.ID == "a" && b.Received == "192.0.2.99:5060" && lasts([]location.Binding{b}, 1, 2*time.Hour) {
						return true
					}
				}
				return false
			})
			short := register("1@pbx.dev", "c", 1, 50*time.Millisecond)
			apply(t, s, short)
			waitFor(t, "a short one ends", func() bool { return len(of("1@pbx.dev")) == 2 })
			cancel()
			<-ended
			s = reopen(t, s, opts)
			if !lasts(of("2@pbx.dev"), 1, time.Hour) || len(of("1@pbx.dev")) != 2 {
				t.Errorf("after the next start %+v and %+v, at %s", of("1@pbx.dev"), of("2@pbx.dev"), c.wall())
			}
		})
	}
}
