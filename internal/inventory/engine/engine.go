// Package engine runs one SQL text on SQLite and on PostgreSQL: it opens the
// database, migrates it, groups concurrent writes into shared transactions and
// tells when somebody else wrote. It is the base of package inventory and knows
// nothing of tables, phones or secrets.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrClosed is the answer to a write after Close.
var ErrClosed = errors.New("the database is closed")

// Options of Open. Migrations is required.
type Options struct {
	// URL is "" for the SQLite file dialtone.db in Dir, else "postgres://...".
	URL string
	Dir string
	// Migrations has a folder for each dialect, migrations/sqlite and
	// migrations/postgres, with files named NNNN_what.sql from 0001 without gaps.
	Migrations fs.FS

	// OnRemote is called with what another process gave to Tx.Notify, in the order
	// of its commits. nil ignores it.
	OnRemote func(payload string)
	// OnGap is called, by one goroutine at a time, when things may have been written
	// that OnRemote did not and will not report. With live false it goes on like
	// this until the next call with live true. nil ignores it.
	OnGap func(live bool)

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// DB is an open database. All methods may be called from many goroutines.
type DB struct {
	opts    Options
	dialect *dialect
	writes  *session // used by the writer goroutine only, once it runs
	reads   *pool
	metrics *metrics
	log     *slog.Logger
	node    string // tells our own notifications from those of others
	head    int64  // the newest version of the schema that this program knows

	jobs    chan *job
	closing chan struct{}
	stopped chan struct{} // the writer goroutine has ended
	once    sync.Once
	cancel  context.CancelFunc // ends the listener
	wg      sync.WaitGroup
	version int64 // SQLite's data_version as last seen; the writer goroutine's own

	gapMu sync.Mutex // serializes OnGap
	live  bool       // others' writes are being heard
}

// Open opens and migrates the database. ctx bounds the opening only.
func Open(ctx context.Context, opts Options) (*DB, error) {
	opts.setDefaults()
	d, err := dialectOf(opts.URL)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	writes, reads, err := d.open(opts)
	if err != nil {
		return nil, fmt.Errorf("open the %s database: %w", d.name, err)
	}
	db := &DB{
		opts: opts, dialect: d, metrics: m, log: opts.Logger, node: newNode(),
		writes: &session{db: writes, start: d.begin}, reads: newPool(reads),
		jobs: make(chan *job, maxBatch), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := db.start(ctx); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	return db, nil
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnRemote == nil {
		o.OnRemote = func(string) {}
	}
	if o.OnGap == nil {
		o.OnGap = func(bool) {}
	}
}

// start migrates, begins to hear of others' writes and starts the writer.
func (db *DB) start(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.Background())
	db.cancel = cancel
	if db.dialect.listens {
		conn, err := db.connectListener(ctx)
		if err != nil {
			cancel()
			return err
		}
		db.gap(func() { db.live = true })
		db.wg.Go(func() { db.listen(life, conn) })
	} else if err := db.pollVersion(); err != nil {
		cancel()
		return err
	}
	db.wg.Go(db.writer)
	return nil
}

// gap reports one, after change has set whether others are heard.
func (db *DB) gap(change func()) {
	db.gapMu.Lock()
	defer db.gapMu.Unlock()
	change()
	db.opts.OnGap(db.live)
}

// Close waits for the writes accepted so far and closes the database. It may be
// called more than once.
func (db *DB) Close() error {
	var err error
	db.once.Do(func() {
		close(db.closing)
		db.cancel()
		db.wg.Wait()
		err = db.closePools()
	})
	return err
}

func (db *DB) closePools() error {
	db.writes.end()
	return errors.Join(db.reads.close(), db.writes.db.Close())
}
