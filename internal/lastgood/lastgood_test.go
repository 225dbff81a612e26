package lastgood

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

func open(t *testing.T, dir string, key byte, limit int64) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Key: bytes.Repeat([]byte{key}, 32), MaxBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// written runs the store until what waits is on disk.
func written(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(s.waiting) != 0 || s.queued != 0 {
		t.Fatalf("%d files, %d bytes wait still", len(s.waiting), s.queued)
	}
}

func TestSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "last-good")
	s := open(t, dir, 1, 0)
	if _, err := s.Kept("yealink x mac"); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("nothing is kept: %v", err)
	}
	s.Keep("yealink x mac", []byte("old"))
	s.Keep("yealink x mac", []byte("account.1.password = hush"))
	if got, err := s.Kept("yealink x mac"); err != nil || string(got) != "account.1.password = hush" {
		t.Errorf("before it is written: %q, %v", got, err)
	}
	written(t, s)
	if err := os.WriteFile(filepath.Join(dir, "x"+partial), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, 1, 0)
	if got, err := s.Kept("yealink x mac"); err != nil || string(got) != "account.1.password = hush" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil || bytes.Contains(raw, []byte("hush")) || strings.Contains(files[0].Name(), "yealink") {
		t.Errorf("%s: %q, %v", files[0].Name(), raw, err)
	}
	if st, err := os.Stat(filepath.Join(dir, files[0].Name())); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}

	// Another key finds nothing; a file that was changed is an error.
	if _, err := open(t, dir, 2, 0).Kept("yealink x mac"); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("with another key: %v", err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(filepath.Join(dir, files[0].Name()), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Kept("yealink x mac"); err == nil || errors.Is(err, phone.ErrNotFound) {
		t.Errorf("changed on disk: %v", err)
	}
}

func TestIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1, 50_000)
	for i := range 200 {
		s.Keep(fmt.Sprint(i), bytes.Repeat([]byte{'x'}, 1000))
		written(t, s)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 40 || len(files) > 50 {
		t.Errorf("%d files, %v", len(files), err)
	}
	if _, err := s.Kept("199"); err != nil {
		t.Errorf("the newest: %v", err)
	}
	if _, err := s.Kept("0"); !errors.Is(err, phone.ErrNotFound) {
		t.Errorf("the oldest: %v", err)
	}
	s.Keep("199", bytes.Repeat([]byte{'y'}, 1000))
	written(t, s)
	if again := open(t, dir, 1, 50_000); again.bytes != s.bytes || again.order.Len() != s.order.Len() {
		t.Errorf("%d bytes in %d files after a restart, %d in %d before", again.bytes, again.order.Len(), s.bytes, s.order.Len())
	}
	for i := range 40 {
		s.Keep(fmt.Sprint("big", i), make([]byte, 1<<20))
	}
	if s.queued > maxQueue || len(s.waiting) != 32 {
		t.Errorf("%d bytes wait in %d files", s.queued, len(s.waiting))
	}
	if _, err := Open(Options{Dir: dir, Key: []byte("short")}); err == nil {
		t.Error("Open takes a short key")
	}
}
