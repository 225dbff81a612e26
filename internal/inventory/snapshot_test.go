package inventory

import (
	"errors"
	"path/filepath"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// A copy is a database of its own, as of its time, and the store still only reads
// where it shall. PostgreSQL has backups of its own.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t)
		addExtension(t, s, "101", "")
		copied := d
		copied.dir = t.TempDir()
		to := filepath.Join(copied.dir, FileName)
		if err := s.Snapshot(t.Context(), to); d.url != "" {
			if !errors.Is(err, ErrNoSnapshot) {
				t.Errorf("got %v", err)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if err := s.Snapshot(t.Context(), to); err == nil {
			t.Error("it wrote over a file")
		}
		addExtension(t, s, "102", "")
		if list := must[[]phone.Extension](t)(copied.open(t).Extensions(t.Context(), "", 10)); len(list) != 1 {
			t.Errorf("the copy has %d extensions", len(list))
		}
	})
}
