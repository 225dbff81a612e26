package inventory

import (
	"errors"
	"path/filepath"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// A copy is a database of its own, as of its time, and the store still only reads
// where it shall.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := database{dir: t.TempDir()}.open(t)
	if _, err := s.CreateExtension(t.Context(), phone.Extension{Number: "101"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to := filepath.Join(dir, FileName)
	if err := s.Snapshot(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(t.Context(), to); err == nil {
		t.Error("it wrote over a file")
	}
	if _, err := s.CreateExtension(t.Context(), phone.Extension{Number: "102"}); err != nil {
		t.Fatal(err)
	}
	if list := must[[]phone.Extension](t)(database{dir: dir}.open(t).Extensions(t.Context(), "", 10)); len(list) != 1 {
		t.Errorf("the copy has %d extensions", len(list))
	}
}

func TestSnapshotOfPostgres(t *testing.T) {
	t.Parallel()
	s := database{url: postgres.URL(t), dir: t.TempDir()}.open(t)
	if err := s.Snapshot(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("got %v", err)
	}
}
