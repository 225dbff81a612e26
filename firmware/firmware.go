// Package firmware keeps the images that phones ask for, in one folder that
// nothing can leave: every name goes through an os.Root. It knows neither phones
// nor the wire; which phone is offered which image is not decided here.
package firmware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// MaxSize bounds one image, in bytes. The largest known are the combined sip.ld
// packages of 300 to 400 MB (phone-facts/README.md 3.1).
const MaxSize = 1 << 30

// partial begins the names of files that are still being written.
const partial = ".partial-"

// Image is one stored file.
type Image struct {
	Name    string // as phones ask for it
	Size    int64
	SHA256  string // lower-case hex; empty when only listed
	ModTime time.Time
}

// Store is the folder of images. It is safe for concurrent use.
type Store struct{ root *os.Root }

// Open opens the folder, making it when it is not there, and removes what an
// interrupted Add has left.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("firmware: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("firmware: %w", err)
	}
	s := &Store{root: root}
	return s, s.sweep()
}

// Close closes the folder; files that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// FS gives the images by name, for reading. Its files can seek.
func (s *Store) FS() fs.FS { return s.root.FS() }

// Add stores an image under a name that is not taken: an image is never
// overwritten (phone.ErrConflict), as a phone may be in the middle of it. The
// image is complete and on the disk when Add returns, or not there at all.
func (s *Store) Add(ctx context.Context, name string, from io.Reader) (Image, error) {
	if err := checkName(name); err != nil {
		return Image{}, err
	}
	if _, err := s.root.Lstat(name); err == nil {
		return Image{}, fmt.Errorf("firmware %s: %w", name, phone.ErrConflict)
	}
	tmp := partial + rand.Text() // of this upload alone
	image, err := s.write(ctx, tmp, from)
	if err != nil {
		return Image{}, errors.Join(fmt.Errorf("store firmware %s: %w", name, err), s.discard(tmp))
	}
	// Link, not rename: it fails when somebody else was faster.
	if err := s.root.Link(tmp, name); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = phone.ErrConflict
		}
		return Image{}, errors.Join(fmt.Errorf("store firmware %s: %w", name, err), s.discard(tmp))
	}
	image.Name = name
	return image, s.discard(tmp)
}

// write copies an image into a new file and brings it to the disk.
func (s *Store) write(ctx context.Context, name string, from io.Reader) (Image, error) {
	file, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Image{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(&contextReader{ctx, from}, MaxSize+1))
	switch {
	case err != nil:
	case n == 0:
		err = phone.Invalid("file", "is empty")
	case n > MaxSize:
		err = phone.Invalid("file", "is larger than 1 GiB")
	default:
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return Image{}, err
	}
	return Image{Size: n, SHA256: hex.EncodeToString(sum.Sum(nil)), ModTime: time.Now()}, nil
}

// Remove deletes an image; a phone that is reading it reads to the end.
func (s *Store) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.root.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = phone.ErrNotFound
		}
		return fmt.Errorf("remove firmware %s: %w", name, err)
	}
	return nil
}

// List returns the images in the order of their names, without checksums.
func (s *Store) List() ([]Image, error) {
	entries, err := fs.ReadDir(s.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list firmware: %w", err)
	}
	images := []Image{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), partial) {
			continue // removed meanwhile, or none of ours
		}
		images = append(images, Image{Name: e.Name(), Size: info.Size(), ModTime: info.ModTime()})
	}
	return images, nil
}

// sweep removes the files of uploads that did not end.
func (s *Store) sweep() error {
	entries, err := fs.ReadDir(s.FS(), ".")
	if err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partial) {
			err = errors.Join(err, s.discard(e.Name()))
		}
	}
	return err
}

func (s *Store) discard(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("firmware: %w", err)
	}
	return nil
}

// checkName lets through one plain file name, as vendors have them: with
// parentheses, commas and blanks.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > 200:
		return phone.Invalid("name", "must have 1 to 200 bytes")
	case name[0] == '.' || strings.ContainsAny(name, `/\`):
		return phone.Invalid("name", "must be a plain file name")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return phone.Invalid("name", "must not hold control characters")
		}
	}
	return nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
