package firmware

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestStoreReadsAgain: that a disk did not answer once says nothing about the image,
// that the image is another one does.
func TestStoreReadsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum := sha256.Sum256([]byte("image"))
	sha := hex.EncodeToString(sum[:])
	name := filepath.Join(dir, blobs, sha)
	if err := os.Mkdir(name, 0o700); err != nil { // opens, and cannot be read
		t.Fatal(err)
	}
	if _, err := s.open(sha); err == nil || errors.Is(err, ErrDamaged) {
		t.Fatalf("what cannot be read: %v", err)
	}
	replace(t, name, "image")
	file, err := s.open(sha)
	if err != nil {
		t.Fatalf("after the disk answers again: %v", err)
	}
	file.Close()
	if err := s.remove(sha); err != nil {
		t.Fatal(err)
	}
	replace(t, name, "other")
	for range 2 {
		if _, err := s.open(sha); !errors.Is(err, ErrDamaged) {
			t.Errorf("another image: %v", err)
		}
	}
}

func replace(t *testing.T, name, content string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
