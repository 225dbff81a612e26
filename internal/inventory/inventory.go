// Package inventory is the durable store of dialtone: devices with their lines,
// extensions, credentials, API keys, leases, events and what was last seen, in a
// SQLite file or in PostgreSQL. What a write acknowledged survives kill -9 and,
// on SQLite, a power cut. Passwords and settings are encrypted at rest. It renders nothing and
// keeps no SIP registrations; those belong to registrar/location.
package inventory

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

//go:embed migrations
var migrations embed.FS

// Options of Open. Key and, without URL, Dir are required.
type Options struct {
	// URL is "" for the SQLite file dialtone.db in Dir, else "postgres://...".
	URL string
	Dir string
	// Key is the 32-byte master key that passwords are encrypted with; see LoadKey.
	Key []byte

	KeepEvents int // newest events kept of all phones together; 0: 2 000 000

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Store is the open inventory. All methods may be called from many goroutines.
// They return phone.ErrNotFound, phone.ErrConflict, phone.FieldError, the error
// of the context, or an error of the database that says nothing of the driver.
//
// Times are kept in milliseconds and read back in UTC.
type Store struct {
	db     *engine.DB
	sealer *sealer
	now    func() time.Time
	log    *slog.Logger

	metrics *metrics

	credentials *cache[string, phone.Credential]
	extensions  *cache[string, phone.Extension]
	devices     *cache[phone.MAC, phone.Device]
	keys        *cache[[32]byte, phone.APIKey]
	tokens      *cache[[32]byte, phone.MAC] // whose; the device says whether it is good
	windows     *cache[string, phone.Enrollment]

	hearers hearers
	events  *eventLog
	usage   *keyUsage
	replays atomic.Int64 // reservations of this run

	cancel context.CancelFunc // ends the background goroutines
	wg     sync.WaitGroup
	once   sync.Once
}

// Open opens the database and brings its schema up to date. It refuses a
// database written by a newer program or with another key. ctx bounds the
// opening only.
func Open(ctx context.Context, opts Options) (*Store, error) {
	sealer, err := newSealer(opts.Key)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{sealer: sealer, now: opts.Now, log: opts.Logger.With("component", "inventory")}
	if s.metrics, err = newMetrics(opts.Registerer); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s.makeCaches()
	s.events = newEventLog(s, cmp.Or(opts.KeepEvents, keepAll))
	s.usage = newKeyUsage()
	s.db, err = engine.Open(ctx, engine.Options{
		URL: opts.URL, Dir: opts.Dir, Migrations: migrations,
		OnRemote: s.remoteChange, OnGap: s.gap,
		Now: opts.Now, Logger: s.log, Registerer: opts.Registerer,
	})
	if err != nil {
		return nil, err
	}
	err = s.checkKey(ctx)
	if err == nil {
		err = s.sealPlain(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	life, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.events.run(life) })
	s.wg.Go(func() { s.runUsage(life) })
	return s, nil
}

// Close writes what is queued and closes the database. It may be called more
// than once.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.cancel()
		s.wg.Wait()
		err = s.db.Close()
	})
	return err
}

// unit is a write transaction that collects what it changes.
type unit struct {
	*engine.Tx
	s       *Store
	effects []effect
}

// write runs fn in a transaction (see engine.DB.Write). After the commit and
// before write returns, caches have forgotten what changed and the hearers of
// OnChange know.
func (s *Store) write(ctx context.Context, fn func(*unit) error) error {
	return s.db.Write(ctx, func(tx *engine.Tx) error {
		u := &unit{Tx: tx, s: s}
		if err := fn(u); err != nil {
			return err
		}
		return u.publish()
	})
}

// writing is write for functions with a result.
func writing[T any](ctx context.Context, s *Store, fn func(*unit) (T, error)) (T, error) {
	var out T
	err := s.write(ctx, func(u *unit) (err error) {
		out, err = fn(u)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// exec runs a statement whose count does not matter.
func (u *unit) exec(query string, args ...any) error {
	_, err := u.Exec(query, args...)
	return err
}

// later is now, or the moment after before when that is not later: an ETag is made of
// it, and every change has to move that.
func later(now, before time.Time) time.Time {
	if now.After(before) {
		return now
	}
	return before.Add(time.Millisecond)
}

// toMillis is the stored form of a time; never is 0.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// within bounds the length of a page to 1..maxPage. The bound is far above what
// anybody asks for, since a page that is shorter than asked for reads as the last.
func within(limit int) int { return min(max(limit, 1), maxPage) }

const maxPage = 10_000
