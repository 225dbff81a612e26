// Package backup puts a data directory into one archive and back: the database as a
// consistent copy, everything else as it is. The server may run meanwhile. An archive
// holds every secret of the installation, the master key among them.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Options of Write.
type Options struct {
	Dir      string // data directory
	Database string // name of the database file in Dir; its helpers (-wal, -shm) are left out too
	// Snapshot writes a consistent copy of the database to a new file; nil: the
	// database is elsewhere.
	Snapshot func(ctx context.Context, to string) error
}

// Write writes the archive, a gzipped tar, to w.
func Write(ctx context.Context, w io.Writer, o Options) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	if err := writeDatabase(ctx, t, o); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	defer func() { _ = root.Close() }() // it was only read
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !entry.Type().IsRegular() || strings.HasPrefix(name, o.Database) && !strings.Contains(name, "/") || strings.HasSuffix(name, ".lock") {
			return nil
		}
		return writeFile(t, root, name, name)
	})
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	return errors.Join(t.Close(), z.Close())
}

// writeDatabase puts a copy of the database into the archive, under its own name.
func writeDatabase(ctx context.Context, t *tar.Writer, o Options) error {
	if o.Snapshot == nil {
		return nil
	}
	dir, err := os.MkdirTemp(o.Dir, ".backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.Snapshot(ctx, filepath.Join(dir, o.Database)); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was only read
	if err := writeFile(t, root, o.Database, o.Database); err != nil {
		return fmt.Errorf("read the copy of the database: %w", err)
	}
	return nil
}

// writeFile adds one file as long as it is now: journals grow meanwhile, and read
// what was cut off as after a crash. A file that is gone is none.
func writeFile(t *tar.Writer, root *os.Root, from, name string) error {
	f, err := root.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Typeflag: tar.TypeReg}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.CopyN(t, f, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ErrNotEmpty is a directory that something is in already.
var ErrNotEmpty = errors.New("the directory is not empty")

// Read restores an archive into dir, which must be empty or not exist. After an error
// dir holds nothing of the archive.
func Read(r io.Reader, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		return errors.Join(err, fmt.Errorf("%s: %w", dir, ErrNotEmpty))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // the files in it were synced and closed
	defer func() {
		if err != nil {
			err = errors.Join(err, clear(root))
		}
	}()
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("not an archive of dialtone: %w", err)
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not an archive of dialtone: %w", err)
		}
		if err := readFile(root, h, t); err != nil {
			return fmt.Errorf("restore %q: %w", h.Name, err)
		}
	}
}

// readFile makes one file and its folders; names that lead out of the directory are
// refused by the root.
func readFile(root *os.Root, h *tar.Header, from io.Reader) error {
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
		return errors.New("not a file of a data directory")
	}
	if err := root.MkdirAll(filepath.Dir(h.Name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode)&0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, from); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func clear(root *os.Root) error {
	list, err := fs.ReadDir(root.FS(), ".")
	for _, e := range list {
		err = errors.Join(err, root.RemoveAll(e.Name()))
	}
	return err
}
