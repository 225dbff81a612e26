package uploads

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

var (
	mac   = phone.MAC{0x00, 0x04, 0xf2, 0xab, 0xcd, 0xef}
	other = phone.MAC{0x00, 0x15, 0x65, 0xaa, 0xbb, 0x01}
)

func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) text(t *testing.T, m phone.MAC, name string) string {
	t.Helper()
	f, err := s.Open(m, name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, s *Store, m phone.MAC, name, text string, add bool) error {
	t.Helper()
	_, err := s.Put(t.Context(), m, name, strings.NewReader(text), add)
	return err
}

func TestPutReplacesAndAdds(t *testing.T) {
	t.Parallel()
	s := open(t, Options{MaxFile: 10})
	cfg, log := mac.Hex()+"-phone.cfg", mac.Hex()+"-app.log"
	for _, text := range []string{"one", "two"} {
		if err := put(t, s, mac, cfg, text, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.text(t, mac, cfg); got != "two" {
		t.Errorf("replaced: %q", got)
	}
	for _, text := range []string{"aaaa", "bbbb", "cccc"} {
		if err := put(t, s, mac, log, text, true); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.text(t, mac, log); got != "aabbbbcccc" {
		t.Errorf("the end of the log is %q", got)
	}
	files, err := s.List(mac)
	if err != nil || len(files) != 2 || files[0].Name != log || files[0].Size != 10 || files[1].Size != 3 {
		t.Errorf("%+v, %v", files, err)
	}
	if err := s.Remove(mac, cfg); err != nil {
		t.Error(err)
	}
	if _, err := s.Open(mac, cfg); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("after it was removed: %v", err)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	s := open(t, Options{MaxFile: 10, MaxPhone: 25, MaxTotal: 32, MaxFiles: 3})
	name := func(m phone.MAC, n string) string { return m.Hex() + n }
	for _, step := range []struct {
		mac  phone.MAC
		name string
		size int
		want error
	}{
		{mac, "-a", 11, phone.ErrTooLarge},
		{mac, "-a", 10, nil},
		{mac, "-b", 10, nil},
		{mac, "-c", 6, phone.ErrFull}, // of the phone
		{mac, "-a", 10, nil},          // what is replaced does not count
		{mac, "-c", 5, nil},
		{mac, "-d", 0, phone.ErrFull}, // number of files
		{other, "-a", 8, phone.ErrFull},
		{other, "-a", 7, nil},
		{mac, "-a", 9, nil},
		{other, "-a", 8, nil},
	} {
		if err := put(t, s, step.mac, name(step.mac, step.name), strings.Repeat("x", step.size), false); !errors.Is(err, step.want) {
			t.Errorf("%v %d: %v, want %v", step.name, step.size, err, step.want)
		}
	}
	again := open(t, Options{Dir: s.opts.Dir})
	if again.total != 32 || s.total != 32 {
		t.Errorf("%d bytes counted anew, %d kept", again.total, s.total)
	}
}

// One phone that does nothing but store is slowed down; others are not.
func TestFlood(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	reg := prometheus.NewRegistry()
	s := open(t, Options{Now: func() time.Time { return now }, Registerer: reg})
	stored := 0
	for range 100 {
		err := put(t, s, mac, mac.Hex()+"-app.log", "x", true)
		switch {
		case err == nil:
			stored++
		case !errors.Is(err, phone.ErrBusy):
			t.Fatal(err)
		}
	}
	if stored != burst {
		t.Errorf("%d of 100 were stored", stored)
	}
	if err := put(t, s, other, other.Hex()+"-local.cfg", "x", false); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(s.metrics.uploads.WithLabelValues("busy")); got != 100-burst {
		t.Errorf("%v counted", got)
	}
}

// What breaks leaves the old file; what an upload left behind at a crash goes.
func TestBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var late atomic.Int64
	o := Options{Dir: dir, Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }}
	s := open(t, o)
	name := mac.Hex() + "-directory.xml"
	if err := put(t, s, mac, name, "whole", false); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := s.Put(t.Context(), mac, name, broken, false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	// As a write to a full disk fails; where in the copy it does is all the same.
	if _, err := s.Put(t.Context(), mac, name, iotest.ErrReader(syscall.ENOSPC), false); !errors.Is(err, phone.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	if got := s.text(t, mac, name); got != "whole" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, partial+"X"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	late.Store(int64(time.Hour))
	open(t, o)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != mac.Hex() {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, name := range []string{
		"", "x", other.Hex() + "-app.log", "../" + mac.Hex(), mac.Hex() + "/../x", mac.Hex() + `\x`, mac.Hex() + "\x00", mac.Hex() + "-A.log",
		mac.Hex() + strings.Repeat("x", 200),
	} {
		if err := put(t, s, mac, name, "x", false); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(s.opts.Dir, other.Hex())); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, other, other.Hex()+"-local.cfg", "x", false); err == nil {
		t.Error("a link out of the folder was followed")
	}
}

// Files go when they are old, unless their phone reads them, and with their phone.
func TestSweep(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := open(t, Options{Keep: time.Hour, Now: func() time.Time { return now }})
	old, read, gone := mac.Hex()+"-app.log", mac.Hex()+"-phone.cfg", other.Hex()+"-local.cfg"
	for _, f := range []struct {
		mac  phone.MAC
		name string
	}{{mac, old}, {mac, read}, {other, gone}} {
		if err := put(t, s, f.mac, f.name, "x", false); err != nil {
			t.Fatal(err)
		}
	}
	known := func(_ context.Context, m phone.MAC) (bool, error) { return m == mac, nil }
	sweep := func() {
		t.Helper()
		if err := s.Sweep(t.Context(), known); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	if files, err := s.List(other); len(files) != 0 || err != nil {
		t.Errorf("of a phone that is gone: %v, %v", files, err)
	}
	now = now.Add(2 * time.Hour)
	s.Touch(mac, read)
	sweep()
	if files, err := s.List(mac); err != nil || len(files) != 1 || files[0].Name != read || s.total != 1 {
		t.Errorf("%v, %v, %d bytes", files, err, s.total)
	}
	failed := errors.New("no database")
	now = now.Add(2 * time.Hour)
	if err := s.Sweep(t.Context(), func(context.Context, phone.MAC) (bool, error) { return false, failed }); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	if s.total != 1 {
		t.Error("removed although nobody knows whether the phone is gone")
	}
}

// Uploads of one name at the same time leave one of them whole, and the count right.
func TestRace(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 1000+i)
			if err := put(t, s, mac, mac.Hex()+"-phone.cfg", text, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := s.text(t, mac, mac.Hex()+"-phone.cfg")
	if strings.Trim(got, got[:1]) != "" || int64(len(got)) != s.total {
		t.Errorf("%d bytes of %q, %d counted", len(got), got[:1], s.total)
	}
}
