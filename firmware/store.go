// Package firmware keeps the images that phones fetch and decides which phone is
// offered which. What an image holds lies under its SHA-256 in one folder that
// nothing can leave; what it is for, which model it is the target of and how each
// phone got on lies in a database. It knows neither the wire nor how a phone is
// told; provision does that.
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
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// MaxSize bounds one image, in bytes. The largest known are the combined sip.ld
// packages of 300 to 400 MB (phone-facts/README.md 3.1).
const MaxSize = 1 << 30

const (
	blobs        = "blobs"        // folder of the images by SHA-256
	partial      = ".partial-"    // begins the names of files that are still being written
	stalePartial = 24 * time.Hour // no upload takes so long
)

// Store is the folder. Beside the images by their SHA-256 it holds files that
// somebody put there by hand, which phones get under their own names. It is safe
// for concurrent use.
type Store struct {
	root *os.Root

	mu       sync.Mutex
	verified map[string]*verification // by SHA-256
}

// verification is done once for each image and each run of the program.
type verification struct {
	once sync.Once
	err  error
}

// ErrDamaged says that an image on the disk is not what was uploaded.
var ErrDamaged = errors.New("the image on the disk is damaged")

// OpenStore opens the folder, making it when it is not there, and removes what
// interrupted uploads have left.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("firmware: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("firmware: %w", err)
	}
	s := &Store{root: root, verified: map[string]*verification{}}
	if err := root.Mkdir(blobs, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Join(fmt.Errorf("firmware: %w", err), root.Close())
	}
	return s, s.sweep(time.Now())
}

// Close closes the folder; files that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// FS gives the files that were put into the folder by hand. They can seek.
func (s *Store) FS() fs.FS { return s.root.FS() }

// Received is an upload that is on the disk and not yet an image.
type Received struct {
	Size   int64
	SHA256 string // lower-case hex
	Head   []byte // the first bytes, at most headSize

	store *Store
	tmp   string
}

// headSize is how much of an image is looked at to say what it cannot be.
const headSize = 512

// Receive writes what comes into a new file and brings it to the disk. The caller
// ends it with Service.Keep or Discard.
func (s *Store) Receive(ctx context.Context, from io.Reader) (*Received, error) {
	r := &Received{store: s, tmp: partial + rand.Text()}
	file, err := s.root.OpenFile(r.tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("receive firmware: %w", err)
	}
	sum, head := sha256.New(), &headWriter{}
	r.Size, err = io.Copy(io.MultiWriter(file, sum, head), io.LimitReader(&contextReader{ctx, from}, MaxSize+1))
	switch {
	case err != nil:
	case r.Size == 0:
		err = phone.Invalid("file", "is empty")
	case r.Size > MaxSize:
		err = fmt.Errorf("more than 1 GiB: %w", phone.ErrTooLarge)
	default:
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("receive firmware: %w", err), r.Discard())
	}
	r.SHA256, r.Head = hex.EncodeToString(sum.Sum(nil)), head.b
	return r, nil
}

// Discard removes what was received. It is no error when it was kept.
func (r *Received) Discard() error { return r.store.discard(r.tmp) }

// keep gives what was received its place. It is durable when keep returns.
func (r *Received) keep() error {
	s := r.store
	if err := s.root.Rename(r.tmp, blobs+"/"+r.SHA256); err != nil {
		return fmt.Errorf("keep firmware: %w", err)
	}
	s.mu.Lock()
	delete(s.verified, r.SHA256) // what was damaged is whole again
	s.mu.Unlock()
	d, err := s.root.Open(blobs)
	if err != nil {
		return fmt.Errorf("keep firmware: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// open opens an image by its SHA-256. The first time it reads the whole of it, to
// see that it is what was uploaded. phone.ErrNotFound when this node has no such
// image, ErrDamaged when it is another.
func (s *Store) open(sha string) (*os.File, error) {
	file, err := s.root.Open(blobs + "/" + sha)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("image %.12s: %w", sha, phone.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	s.mu.Lock()
	v := s.verified[sha]
	if v == nil {
		v = &verification{}
		s.verified[sha] = v
	}
	s.mu.Unlock()
	v.once.Do(func() { v.err = verify(file, sha) })
	if v.err != nil {
		if !errors.Is(v.err, ErrDamaged) { // the disk did not answer: it may the next time
			s.unverify(sha, v)
		}
		return nil, errors.Join(fmt.Errorf("image %.12s: %w", sha, v.err), file.Close())
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(fmt.Errorf("open image: %w", err), file.Close())
	}
	return file, nil
}

// unverify forgets one verification, unless there has been another since.
func (s *Store) unverify(sha string, v *verification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified[sha] == v {
		delete(s.verified, sha)
	}
}

func verify(file io.Reader, sha string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != sha {
		return ErrDamaged
	}
	return nil
}

// remove deletes an image; a phone that is reading it reads to the end.
func (s *Store) remove(sha string) error {
	s.mu.Lock()
	delete(s.verified, sha)
	s.mu.Unlock()
	return s.discard(blobs + "/" + sha)
}

// sweep removes the files of uploads that did not end. Another node may share the
// folder and be in the middle of one.
func (s *Store) sweep(now time.Time) error {
	entries, err := fs.ReadDir(s.FS(), ".")
	if err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr == nil && strings.HasPrefix(e.Name(), partial) && now.Sub(info.ModTime()) > stalePartial {
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

// headWriter keeps the first bytes of what goes through it.
type headWriter struct{ b []byte }

func (h *headWriter) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), headSize-len(h.b))]...)
	return len(p), nil
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
