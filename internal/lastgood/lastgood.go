// Package lastgood keeps on disk what phones were given last, encrypted, so that
// they get it again while the store or a template is broken. It is a cache: what was
// given in the last moments before a power cut may be missing. What a file means is
// the business of package provision.
package lastgood

import (
	"container/list"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Options of Open. Dir and Key are required.
type Options struct {
	Dir      string // made with mode 0700
	Key      []byte // 32 bytes; with another one what is there cannot be read
	MaxBytes int64  // on disk; 0: 256 MB. What was kept longest ago goes first.

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// maxQueue bounds what waits to be written, which is in memory.
const maxQueue = 32 << 20

// Store keeps files by name. It is safe for concurrent use. Run writes.
type Store struct {
	root *os.Root
	gcm  cipher.AEAD
	key  []byte
	max  int64
	log  *slog.Logger

	wake    chan struct{} // capacity 1
	dropped prometheus.Counter

	mu      sync.Mutex
	waiting map[string][]byte // by file; the newest
	queued  int               // bytes in waiting
	order   *list.List        // of *file, the one written last in front
	files   map[string]*list.Element
	bytes   int64
}

// file is one file on disk.
type file struct {
	name string
	size int64
}

// Open opens the directory and reads what it holds.
func Open(o Options) (*Store, error) {
	block, err := aes.NewCipher(o.Key)
	if err != nil {
		return nil, fmt.Errorf("lastgood: %w", err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("lastgood: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("lastgood: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("lastgood: %w", err)
	}
	s := &Store{
		root: root, gcm: gcm, key: o.Key, max: o.MaxBytes, log: o.Logger, wake: make(chan struct{}, 1),
		waiting: map[string][]byte{}, order: list.New(), files: map[string]*list.Element{},
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_last_good_dropped_total", Help: "Files given to phones that were not kept for a bad day.",
		}),
	}
	if s.max == 0 {
		s.max = 256 << 20
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.dropped); err != nil {
			return nil, errors.Join(fmt.Errorf("lastgood: %w", err), root.Close())
		}
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("lastgood: %w", err), root.Close())
	}
	return s, nil
}

// Close closes the directory; Run has ended.
func (s *Store) Close() error { return s.root.Close() }

// load lists what is there, oldest first, and removes what a crash left half written.
func (s *Store) load() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	type found struct {
		file
		at time.Time
	}
	var all []found
	for _, e := range entries {
		if path.Ext(e.Name()) == partial {
			if err := s.root.Remove(e.Name()); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		all = append(all, found{file{e.Name(), info.Size()}, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b found) int { return a.at.Compare(b.at) })
	for _, f := range all {
		s.noteLocked(f.name, f.size)
	}
	return nil
}

const partial = ".part"

// fileOf is the name on disk, which tells nobody which phones there are.
func (s *Store) fileOf(name string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("name\x00" + name))
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// Keep stores data under a name as soon as Run comes to it. When too much waits,
// it is left out.
func (s *Store) Keep(name string, data []byte) {
	f := s.fileOf(name)
	s.mu.Lock()
	size := s.queued - len(s.waiting[f]) + len(data)
	full := size > maxQueue
	if !full {
		s.waiting[f], s.queued = data, size
	}
	s.mu.Unlock()
	if full {
		s.dropped.Inc()
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Kept returns what is stored under a name, or phone.ErrNotFound.
func (s *Store) Kept(name string) ([]byte, error) {
	f := s.fileOf(name)
	s.mu.Lock()
	data, ok := s.waiting[f]
	s.mu.Unlock()
	if ok {
		return data, nil
	}
	sealed, err := s.root.ReadFile(f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, phone.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read what a phone was given: %w", err)
	}
	plain, err := s.gcm.Open(nil, nil, sealed, []byte(f))
	if err != nil {
		return nil, errors.New("what a phone was given was encrypted with another key or has been changed")
	}
	return plain, nil
}

// Run writes until ctx ends, and then what still waits.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			s.flush()
			return nil
		case <-s.wake:
			s.flush()
		}
	}
}

// flush writes all that waits.
func (s *Store) flush() {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("lastgood: panic", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	for {
		name, data := s.next()
		if name == "" {
			return
		}
		if err := s.write(name, data); err != nil {
			s.dropped.Inc()
			s.log.Error("what a phone was given could not be kept", "error", err)
		}
		s.done(name, data)
	}
}

// next is something that waits; it stays readable until done.
func (s *Store) next() (string, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, data := range s.waiting {
		return name, data
	}
	return "", nil
}

func (s *Store) done(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.waiting[name]; len(now) == len(data) && &now[0] == &data[0] { // else a newer one came
		s.queued -= len(data)
		delete(s.waiting, name)
	}
}

func (s *Store) write(name string, data []byte) error {
	sealed := s.gcm.Seal(nil, nil, data, []byte(name))
	if err := s.root.WriteFile(name+partial, sealed, 0o600); err != nil {
		return err
	}
	if err := s.root.Rename(name+partial, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked(name, int64(len(sealed)))
	for s.bytes > s.max && s.order.Len() > 1 {
		old := s.order.Remove(s.order.Back()).(*file)
		delete(s.files, old.name)
		s.bytes -= old.size
		if err := s.root.Remove(old.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// noteLocked counts a file as the one written last.
func (s *Store) noteLocked(name string, size int64) {
	if el, ok := s.files[name]; ok {
		s.bytes -= el.Value.(*file).size
		s.order.Remove(el)
	}
	s.files[name] = s.order.PushFront(&file{name, size})
	s.bytes += size
}
