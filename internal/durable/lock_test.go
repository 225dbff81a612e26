package durable

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, lock := range map[string]func(string) error{
		"Lock":    func(n string) error { _, err := Lock(n); return err },
		"TryLock": func(n string) error { _, err := TryLock(n); return err },
	} {
		if err := lock(name); !errors.Is(err, ErrLocked) {
			t.Errorf("%s a second time: %v", what, err)
		}
		if err := lock(filepath.Join(name, "none")); err == nil || errors.Is(err, ErrLocked) {
			t.Errorf("%s where no file can be: %v", what, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := TryLock(name)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
