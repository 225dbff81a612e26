package location_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/registrar/location"
)

func TestMemoryExpiresAtTheMillisecond(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newMemory(t, location.MemoryOptions{Now: c.Now})
	changes := watching(t, s)
	r := apply(t, s, register("1@pbx.dev", "a", 1, 60*time.Second))
	receive(t, changes)
	c.Advance(60*time.Second - time.Millisecond)
	if n := count(t, s, "1@pbx.dev"); n != 1 {
		t.Errorf("%d bindings a millisecond before the end, want 1", n)
	}
	c.Advance(time.Millisecond)
	if n := count(t, s, "1@pbx.dev"); n != 0 {
		t.Errorf("%d bindings at the end, want 0", n)
	}
	if page, _, err := s.List(t.Context(), "", 10); err != nil || len(page) != 0 {
		t.Errorf("list %v, %v", page, err)
	}
	got := receive(t, changes)
	if diff := cmp.Diff(location.Change{Kind: location.Expired, Binding: r.Bindings[0]}, got); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
}

// reopen closes s and opens its directory again.
func reopen(t *testing.T, s *location.Memory, opts location.MemoryOptions) *location.Memory {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return newMemory(t, opts)
}

func TestMemoryWarmStart(t *testing.T) {
	t.Parallel()
	c := newClock()
	opts := location.MemoryOptions{Dir: filepath.Join(t.TempDir(), "data", "location"), Now: c.Now}
	s := newMemory(t, opts)
	want := map[location.AOR][]location.Binding{}
	for i := range 50 {
		u := register(aorN(i), "a", 1, time.Hour)
		u.Contacts[0].Path = []string{"<sip:p1;lr>", "<sip:p2;lr>"}
		apply(t, s, u)
		apply(t, s, register(aorN(i), "b", 1, time.Duration(i+1)*time.Minute))
		c.Advance(time.Millisecond)
		want[aorN(i)] = apply(t, s, register(aorN(i), "a", 2, 2*time.Hour)).Bindings
	}
	gone := register(aorN(7), "a", 3, 0)
	want[aorN(7)] = apply(t, s, gone).Bindings
	c.Advance(10*time.Minute + time.Second)
	for round := range 3 {
		s = reopen(t, s, opts)
		for aor, bs := range want {
			bs = slices.DeleteFunc(slices.Clone(bs), func(b location.Binding) bool { return !b.ExpiresAt.After(c.Now()) })
			got, err := s.Lookup(t.Context(), aor)
			if err != nil {
				t.Fatal(err)
			}
			if len(got)+len(bs) > 0 {
				if diff := cmp.Diff(bs, got); diff != "" {
					t.Fatalf("round %d: %s (-want +got):\n%s", round, aor, diff)
				}
			}
		}
	}
	// The CSeq is remembered, too.
	if _, err := s.Apply(t.Context(), register(aorN(3), "a", 1, time.Hour)); !errors.Is(err, location.ErrStale) {
		t.Errorf("old cseq: %v, want %v", err, location.ErrStale)
	}
}

// files lists what is in a directory, by prefix.
func files(t testing.TB, dir, prefix string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMemoryDamagedTail cuts and spoils the newest journal at every place of its
// last record.
func TestMemoryDamagedTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newMemory(t, location.MemoryOptions{Dir: dir})
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	apply(t, s, register("2@pbx.dev", "a", 1, time.Hour))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	journals := files(t, dir, "journal-")
	whole, err := os.ReadFile(journals[len(journals)-1])
	if err != nil {
		t.Fatal(err)
	}
	record := (len(whole) - 8) / 2
	try := func(name string, journal []byte, second int) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(journals[len(journals)-1])), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s := newMemory(t, location.MemoryOptions{Dir: dir, NoSync: true})
		if one, two := count(t, s, "1@pbx.dev"), count(t, s, "2@pbx.dev"); one != 1 || two != second {
			t.Errorf("%s: %d and %d bindings, want 1 and %d", name, one, two, second)
		}
		apply(t, s, register("3@pbx.dev", "a", 1, time.Hour))
		s = reopen(t, s, location.MemoryOptions{Dir: dir, NoSync: true})
		if n := count(t, s, "1@pbx.dev") + count(t, s, "3@pbx.dev"); n != 2 {
			t.Errorf("%s: %d bindings after another start, want 2", name, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	try("whole", whole, 1)
	try("zeros behind", append(bytes.Clone(whole), make([]byte, 512)...), 1)
	for cut := 1; cut < record; cut += 11 {
		try(fmt.Sprintf("without the last %d bytes", cut), whole[:len(whole)-cut], 0)
		spoiled := bytes.Clone(whole)
		spoiled[len(spoiled)-cut] ^= 0x40
		try(fmt.Sprintf("spoiled %d bytes before the end", cut), spoiled, 0)
	}
}

func TestMemoryLocksItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newMemory(t, location.MemoryOptions{Dir: dir})
	if other, err := location.NewMemory(location.MemoryOptions{Dir: dir}); err == nil {
		other.Close()
		t.Fatal("two stores share a directory")
	} else if !strings.Contains(err.Error(), dir) {
		t.Errorf("error %q does not name the directory", err)
	}
	reopen(t, s, location.MemoryOptions{Dir: dir})
}

// TestMemoryOtherVersion: what cannot be read is not thrown away.
func TestMemoryOtherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal-0000000000000007")
	if err := os.WriteFile(path, []byte("DTLOC99\nfrom the future"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := location.NewMemory(location.MemoryOptions{Dir: dir}); err == nil {
		s.Close()
		t.Error("opened")
	}
	if err := os.WriteFile(path, []byte("DTL"), 0o600); err != nil {
		t.Fatal(err)
	}
	newMemory(t, location.MemoryOptions{Dir: dir})
}

// TestMemoryCompacts: the directory stays small, and nothing is lost while
// snapshots are taken beside the updates.
func TestMemoryCompacts(t *testing.T) {
	t.Parallel()
	opts := location.MemoryOptions{Dir: t.TempDir(), NoSync: true, CompactBytes: 20000}
	s := newMemory(t, opts)
	const aors, rounds = 20, 150
	for n := range rounds {
		for i := range aors {
			u := register(aorN(i), "a", uint32(n+1), time.Hour)
			u.Contacts[0].Flow = fmt.Sprint(n) // a change, so a long record
			apply(t, s, u)
		}
	}
	waitFor(t, "old files are removed", func() bool {
		snapshots := files(t, opts.Dir, "snapshot-")
		return len(files(t, opts.Dir, "journal-")) <= 2 && len(snapshots) > 0 && len(snapshots) <= 2 &&
			!strings.HasSuffix(snapshots[0], "-0000000000000001")
	})
	s = reopen(t, s, opts)
	for i := range aors {
		bs, err := s.Lookup(t.Context(), aorN(i))
		if err != nil || len(bs) != 1 || bs[0].Flow != fmt.Sprint(rounds-1) || bs[0].CSeq != rounds {
			t.Fatalf("%s: %+v, %v", aorN(i), bs, err)
		}
	}
}

func TestMemoryClosed(t *testing.T) {
	t.Parallel()
	s := newMemory(t, location.MemoryOptions{Dir: t.TempDir()})
	done := make(chan error, 1)
	go func() { done <- s.Watch(context.Background(), func(location.Change) {}) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Apply(t.Context(), register("1@pbx.dev", "a", 1, time.Hour))
	unavailable(t, "apply", err)
	unavailable(t, "ping", s.Ping(t.Context()))
	unavailable(t, "watch", <-done)
}

// TestMemorySlowWatcher: who does not keep up is told so.
func TestMemorySlowWatcher(t *testing.T) {
	t.Parallel()
	s := newMemory(t, location.MemoryOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	hold, gap, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	empty := 0
	go func() {
		defer close(done)
		_ = s.Watch(ctx, func(c location.Change) {
			if c.Kind != "" {
				<-hold
				return
			}
			if empty++; empty == 2 {
				close(gap)
			}
		})
	}()
	waitFor(t, "the watch stands", func() bool { return location.Watchers(s) == 1 })
	for n := range 40000 {
		apply(t, s, register("1@pbx.dev", "a", uint32(n+1), time.Hour))
	}
	close(hold)
	select {
	case <-gap:
	case <-time.After(10 * time.Second):
		t.Error("the gap is not reported")
	}
	cancel()
	<-done
}
