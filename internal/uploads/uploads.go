// Package uploads keeps what phones store on the server: logs, what their users
// changed, directories and call lists. Each phone has a folder of its own below one
// that nothing can leave, and quotas bound every phone and all of them together. It
// knows neither the names that a vendor uses nor who may read what; package
// provision does.
package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

// Options of Open. Dir is required; a limit of zero is its default.
type Options struct {
	Dir      string
	MaxFile  int64         // bytes of one file; 0: 1 MiB
	MaxPhone int64         // bytes of one phone; 0: 4 MiB
	MaxTotal int64         // bytes of all phones; 0: 1 GiB
	MaxFiles int           // files of one phone; 0: 16
	Keep     time.Duration // after a file was last written or read by its phone; 0: 30 days

	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// The bounds of what is under way.
const (
	maxAtOnce    = 32               // uploads that are being received
	burst        = 32               // uploads of one phone at once
	pace         = 2 * time.Second  // and then one in this time
	partial      = ".partial-"      // begins the names of files that are still being written
	stalePartial = 10 * time.Minute // no upload takes so long
)

// File is one stored file.
type File struct {
	Name    string
	Size    int64
	ModTime time.Time
}

// Store is the folder. It is safe for concurrent use.
type Store struct {
	opts    Options
	root    *os.Root
	log     *slog.Logger
	now     func() time.Time
	slots   chan struct{}
	metrics *metrics

	mu     sync.Mutex // owns what follows
	phones map[phone.MAC]*shelf
	total  int64
}

// shelf is what is known of one phone's folder. Its mutex is held while a file is
// put in its place; Store.mu may be taken under it, never the other way round.
type shelf struct {
	mu    sync.Mutex
	files map[string]int64 // name: bytes
	limit *rate.Limiter
}

// Open opens the folder, making it when it is not there, counts what is in it and
// removes what an interrupted upload has left.
func Open(o Options) (*Store, error) {
	setDefaults(&o)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	s := &Store{
		opts: o, root: root, log: o.Logger.With("component", "uploads"), now: o.Now,
		slots: make(chan struct{}, maxAtOnce), phones: map[phone.MAC]*shelf{},
	}
	s.metrics = newMetrics(o.Registerer, s)
	if err := s.count(); err != nil {
		return nil, errors.Join(fmt.Errorf("uploads: %w", err), root.Close())
	}
	return s, nil
}

func setDefaults(o *Options) {
	if o.MaxFile <= 0 {
		o.MaxFile = 1 << 20
	}
	if o.MaxPhone <= 0 {
		o.MaxPhone = 4 << 20
	}
	if o.MaxTotal <= 0 {
		o.MaxTotal = 1 << 30
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 16
	}
	if o.Keep <= 0 {
		o.Keep = 30 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Close closes the folder; files that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// count reads the folders of all phones.
func (s *Store) count() error {
	return s.each(func(mac phone.MAC, f File) error {
		s.shelf(mac).files[f.Name] = f.Size
		s.total += f.Size
		return nil
	})
}

// each calls do for every stored file and removes what is half written.
func (s *Store) each(do func(phone.MAC, File) error) error {
	dirs, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if strings.HasPrefix(d.Name(), partial) {
			s.sweepPartial(d)
			continue
		}
		mac, err := phone.ParseMAC(d.Name())
		if err != nil || mac.Hex() != d.Name() || !d.IsDir() {
			continue // none of ours
		}
		files, err := s.list(mac)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := do(mac, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepPartial removes a file that no upload can still be writing.
func (s *Store) sweepPartial(d fs.DirEntry) {
	info, err := d.Info()
	if err != nil || s.now().Sub(info.ModTime()) < stalePartial {
		return
	}
	if err := s.root.Remove(d.Name()); err != nil {
		s.log.Warn("half an upload stays", "file", d.Name(), "error", err)
	}
}

// shelf returns the phone's shelf, a new one if it has none.
func (s *Store) shelf(mac phone.MAC) *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.phones[mac]
	if sh == nil {
		sh = &shelf{files: map[string]int64{}, limit: rate.NewLimiter(rate.Every(pace), burst)}
		s.phones[mac] = sh
	}
	return sh
}

// List returns the files of a phone in the order of their names.
func (s *Store) List(mac phone.MAC) ([]File, error) {
	files, err := s.list(mac)
	if err != nil {
		return nil, fmt.Errorf("list uploads of %s: %w", mac, err)
	}
	return files, nil
}

func (s *Store) list(mac phone.MAC) ([]File, error) {
	entries, err := fs.ReadDir(s.root.FS(), mac.Hex())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // removed meanwhile, or none of ours
		}
		files = append(files, File{Name: e.Name(), Size: info.Size(), ModTime: info.ModTime()})
	}
	return files, nil
}

// Open opens a file of a phone for reading, or is phone.ErrNotFound. The caller
// closes it.
func (s *Store) Open(mac phone.MAC, name string) (*os.File, error) {
	path, err := pathOf(mac, name)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("upload %s: %w", path, phone.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("upload %s: %w", path, phone.ErrNotFound), f.Close())
	}
	return f, nil
}

// Touch notes that the phone read a file back, which keeps it from expiring.
func (s *Store) Touch(mac phone.MAC, name string) {
	path, err := pathOf(mac, name)
	if err != nil {
		return
	}
	now := s.now()
	if err := s.root.Chtimes(path, now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("the age of an upload stays", "path", path, "error", err)
	}
}

// pathOf is where a file lies. Names are the phones' own: they begin with the MAC,
// and a plain file name is all that is let through.
func pathOf(mac phone.MAC, name string) (string, error) {
	if mac.IsZero() || !strings.HasPrefix(name, mac.Hex()) || len(name) > 128 {
		return "", phone.Invalid("name", "is not a name of this phone")
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return "", phone.Invalid("name", "must be a plain file name")
		}
	}
	return mac.Hex() + "/" + name, nil
}
