package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nodes that were given no name have different ones, whether they share data_dir, have
// a copy of it, or one of their own; and each has its own again after a restart.
func TestNodeSuffix(t *testing.T) {
	t.Parallel()
	dir, copied := t.TempDir(), t.TempDir()
	suffix := func(dir string) (string, *os.File) {
		t.Helper()
		s, lock, err := nodeSuffix(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s, lock
	}
	one, lock := suffix(dir)
	two, other := suffix(dir)
	defer other.Close()
	id, err := os.ReadFile(filepath.Join(dir, "node.id"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "node.id"), id, 0o600); err != nil {
		t.Fatal(err)
	}
	three, third := suffix(copied)
	defer third.Close()
	if one == two || one == three || two != one+"-2" || strings.Contains(one, "-") {
		t.Errorf("%q, %q, %q", one, two, three)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, lock := suffix(dir)
	defer lock.Close()
	if again != one {
		t.Errorf("after a restart %q, was %q", again, one)
	}
}
