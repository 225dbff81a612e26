package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key.pem")
	for _, content := range []string{"first", "second, and longer", ""} {
		if err := WriteFile(name, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != content {
			t.Fatalf("content is %q, %v; want %q", got, err, content)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o640 {
			t.Fatalf("mode is %v, %v", info.Mode(), err)
		}
	}
	alone(t, dir, "key.pem")
}

// TestWriteFileFails takes the place of the file with a directory, which no file can
// replace: what was there stays, and nothing is left beside it.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key.pem")
	if err := os.MkdirAll(filepath.Join(name, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(name, []byte("new"), 0o600); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	alone(t, dir, "key.pem")
	alone(t, name, "kept")
	if err := WriteFile(filepath.Join(dir, "none", "key.pem"), nil, 0o600); err == nil {
		t.Error("a file was written into a directory that is not there")
	}
}

// alone fails unless name is all there is in dir.
func alone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s has %v, %v; want only %s", dir, entries, err, name)
	}
}
