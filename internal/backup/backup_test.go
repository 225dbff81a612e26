package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "new", "data")
	write(t, from, map[string]string{"secret.key": "k", "tls/ca.pem": "ca", "db": "torn", "db-wal": "torn", "registrations/journal": "j", "x.lock": ""})
	var archive bytes.Buffer
	err := Write(t.Context(), &archive, Options{Dir: from, Database: "db", Snapshot: func(_ context.Context, name string) error {
		return os.WriteFile(name, []byte("whole"), 0o600)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Read(&archive, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"secret.key": "k", "tls/ca.pem": "ca", "db": "whole", "registrations/journal": "j"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"db-wal", "x.lock"} {
		if _, err := os.Stat(filepath.Join(to, name)); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "secret.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if list, err := filepath.Glob(filepath.Join(from, ".backup-*")); err != nil || len(list) > 0 {
		t.Errorf("left behind %v, %v", list, err)
	}
}

func archive(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		h.Size, h.Mode = 1, 0o600
		if h.Typeflag != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return &b
}

// What is no archive of ours, or means harm, leaves the directory as it was.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	good := tar.Header{Name: "good", Typeflag: tar.TypeReg}
	for name, b := range map[string]*bytes.Buffer{
		"no gzip":  bytes.NewBufferString("hello"),
		"outside":  archive(t, good, tar.Header{Name: "../evil", Typeflag: tar.TypeReg}),
		"absolute": archive(t, good, tar.Header{Name: "/tmp/evil", Typeflag: tar.TypeReg}),
		"a link":   archive(t, good, tar.Header{Name: "link", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}),
		"twice":    archive(t, good, good),
		"cut off":  bytes.NewBuffer(archive(t, good).Bytes()[:40]),
	} {
		dir := t.TempDir()
		if err := Read(b, dir); err == nil {
			t.Errorf("%s: restored", name)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
			t.Errorf("%s: left %v, %v", name, list, err)
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"mine": "x"})
	if err := Read(archive(t, good), dir); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a directory in use: %v", err)
	}
}
