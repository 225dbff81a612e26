package location_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// TestMemoryDiskFails: an update that cannot be written has not happened, and
// the store recovers by itself.
func TestMemoryDiskFails(t *testing.T) {
	t.Parallel()
	opts := location.MemoryOptions{Dir: t.TempDir()}
	var log safeBuffer
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := newMemory(t, opts)
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	changes := watching(t, s)
	location.BreakDisk(s)
	_, err := s.Apply(t.Context(), register("1@pbx.dev", "b", 1, time.Hour))
	unavailable(t, "apply", err)
	if n := count(t, s, "1@pbx.dev"); n != 1 {
		t.Errorf("%d bindings after a failed write, want 1", n)
	}
	if log.Len() == 0 {
		t.Error("nothing is logged")
	}
	apply(t, s, register("1@pbx.dev", "c", 1, time.Hour))
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if c := receive(t, changes); c.Binding.ID != "c" {
		t.Errorf("change of %s, want c", c.Binding.ID)
	}
	waitFor(t, "the broken journal is replaced", func() bool { return len(files(t, opts.Dir, "journal-")) == 1 })
	s = reopen(t, s, opts)
	bs, err := s.Lookup(t.Context(), "1@pbx.dev")
	if err != nil || len(bs) != 2 {
		t.Errorf("%d bindings after a restart, %v; want 2", len(bs), err)
	}
}

// TestMemoryWithdraws: an update whose sender gave up while it waited has not
// happened and will not happen.
func TestMemoryWithdraws(t *testing.T) {
	t.Parallel()
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	var made atomic.Bool
	s := newMemory(t, location.MemoryOptions{Now: func() time.Time {
		if !made.Load() {
			return time.Now()
		}
		select {
		case held <- struct{}{}:
		default:
		}
		<-hold
		return time.Now()
	}})
	made.Store(true)
	select {
	case <-held: // the sweeper is at it
	case <-time.After(10 * time.Second):
		t.Fatal("nobody asks for the time")
	}
	_, err := s.Apply(soon(t), register("1@pbx.dev", "a", 1, time.Hour))
	unavailable(t, "apply", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("apply: %v does not tell that the time was up", err)
	}
	unavailable(t, "ping", s.Ping(soon(t)))
	close(hold)
	if r := apply(t, s, register("1@pbx.dev", "b", 1, time.Hour)); len(r.Bindings) != 1 || r.Bindings[0].ID != "b" {
		t.Errorf("bindings %+v, want b only", r.Bindings)
	}
}

// soon is a context that ends soon.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Len()
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
