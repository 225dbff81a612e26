package leasefile

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func none() ([]phone.Lease, error) { return nil, nil }

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, slog.New(slog.DiscardHandler), none)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func lease(n int) phone.Lease {
	return phone.Lease{
		MAC: phone.MAC{0, 0x15, 0x65, 0, byte(n >> 8), byte(n)}, IP: "10.9.0.7", ClientID: "01aa", Vendor: "yealink",
		ExpiresAt: time.UnixMilli(1_800_000_000_000 + int64(n)).UTC(),
	}
}

func all(t *testing.T, s *Store) map[phone.MAC]phone.Lease {
	t.Helper()
	list, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := map[phone.MAC]phone.Lease{}
	for _, l := range list {
		m[l.MAC] = l
	}
	return m
}

// TestSurvives: what was acknowledged is there after a restart, and what was deleted
// is not, whatever a crash left at the end of the file.
func TestSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			if err := s.SaveLease(t.Context(), lease(n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	later := lease(3)
	later.IP = "10.9.0.8"
	if err := errors.Join(s.SaveLease(t.Context(), later), s.DeleteLease(t.Context(), lease(4).MAC), s.DeleteLease(t.Context(), phone.MAC{9})); err != nil {
		t.Fatal(err)
	}
	want := all(t, s)
	if len(want) != 499 || want[later.MAC].IP != "10.9.0.8" {
		t.Fatalf("%d leases, %+v", len(want), want[later.MAC])
	}
	if _, err := Open(dir, slog.New(slog.DiscardHandler), none); err == nil {
		t.Error("a second process may open it")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveLease(t.Context(), lease(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	path := filepath.Join(dir, fileName)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record := appendRecord(nil, lease(600))
	for name, tail := range map[string][]byte{
		"nothing": nil, "half a header": record[:5], "half a record": record[:20], "zeros": make([]byte, 100), "a flipped bit": flipped(record),
	} {
		if err := os.WriteFile(path, append(append([]byte(nil), sound...), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir)
		if d := cmp.Diff(want, all(t, again)); d != "" {
			t.Errorf("%s at the end: %s", name, d)
		}
		if err := errors.Join(again.SaveLease(t.Context(), lease(700)), again.DeleteLease(t.Context(), lease(700).MAC), again.Close()); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, slog.New(slog.DiscardHandler), none); err == nil {
		t.Error("a file of something else was opened")
	}
}

func flipped(b []byte) []byte {
	b = append([]byte(nil), b...)
	b[len(b)-1] ^= 1
	return b
}

// TestFirst: leases from elsewhere are taken over once.
func TestFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(dir, slog.New(slog.DiscardHandler), func() ([]phone.Lease, error) { return nil, os.ErrPermission }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error of the other store: %v", err)
	}
	s, err := Open(dir, slog.New(slog.DiscardHandler), func() ([]phone.Lease, error) { return []phone.Lease{lease(1)}, nil })
	if err != nil || len(all(t, s)) != 1 {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := all(t, open(t, dir)); len(got) != 1 {
		t.Errorf("%d leases", len(got))
	}
}

// TestCompacted: the file does not grow without end.
func TestCompacted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	records := make([]byte, 0, compactAbove)
	for len(records) < compactAbove {
		records = appendRecord(records, lease(1))
	}
	b := &batch{records: records, changes: []change{lease(1)}, done: make(chan struct{})}
	s.mu.Lock()
	s.pending = b
	s.wake.Signal()
	s.mu.Unlock()
	<-b.done
	if err := s.SaveLease(t.Context(), lease(2)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil || info.Size() > 2*chunk {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if got := all(t, s); len(got) != 2 {
		t.Errorf("%d leases", len(got))
	}
}

// TestDiskError: what could not be written is an error, and the next write starts
// from what is known.
func TestDiskError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.SaveLease(t.Context(), lease(1)); err != nil {
		t.Fatal(err)
	}
	s.file.Close() // the committer waits: nothing else uses it
	if err := s.SaveLease(t.Context(), lease(2)); err == nil {
		t.Fatal("a lease that was not written is acknowledged")
	}
	if err := s.SaveLease(t.Context(), lease(3)); err != nil {
		t.Fatal(err)
	}
	got := all(t, s)
	if _, there := got[lease(2).MAC]; there || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, all(t, open(t, dir))); d != "" {
		t.Error(d)
	}
}

// FuzzRead: no file makes the reader panic, and what it accepts it writes again.
func FuzzRead(f *testing.F) {
	f.Add(append([]byte(magic), appendRecord(nil, lease(1))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "leases")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sound, _, err := readAll(file, func(c change) {
			if _, err := parseRecord(appendRecord(nil, c)[recordHeader:]); err != nil {
				t.Fatal(err)
			}
		})
		if err == nil && sound > int64(len(b)) {
			t.Fatal(sound)
		}
	})
}
