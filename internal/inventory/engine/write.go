package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	maxBatch     = 256              // writes that share a transaction
	batchTimeout = 60 * time.Second // a hung server must not hang us for ever
	pollEvery    = time.Second      // how old a SQLite write of another process can be before we know
	maxAttempts  = 3
)

// job is one write on its way through the writer goroutine.
type job struct {
	fn    func(*Tx) error
	taken atomic.Bool // by the writer, or by a caller that gave up waiting
	hooks []func()
	err   error
	done  chan error // receives once, after the commit
}

// Write calls fn in a transaction and returns after its commit, or with the error
// of fn and nothing changed. Writes that come while another commits share the
// next transaction (group commit), so a thousand callers do not cost a thousand
// fsyncs; one that fails does not disturb the others.
//
// fn runs on the writer goroutine, may run more than once, and must neither wait
// for anything else nor call Write. Once it has begun, ctx cannot stop it.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	select {
	case <-db.closing:
		return ErrClosed
	default:
	}
	j := &job{fn: fn, done: make(chan error, 1)}
	select {
	case db.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return ErrClosed
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-j.done
	case <-db.stopped:
		if j.taken.CompareAndSwap(false, true) {
			return ErrClosed // came too late for the last batch
		}
		return <-j.done
	}
}

// writer is the goroutine that owns the writing connection.
func (db *DB) writer() {
	defer close(db.stopped)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	if db.dialect.listens {
		tick.Stop()
	}
	for {
		select {
		case j := <-db.jobs:
			db.batch(j)
		case <-tick.C:
			if err := db.pollVersion(); err != nil {
				db.log.Warn("cannot see whether another process wrote", "error", err)
			}
		case <-db.closing:
			for len(db.jobs) > 0 {
				db.batch(<-db.jobs)
			}
			return
		}
	}
}

// batch commits first and whatever else waits already.
func (db *DB) batch(first *job) {
	var jobs []*job
	for j := first; ; j = <-db.jobs {
		if j.taken.CompareAndSwap(false, true) {
			jobs = append(jobs, j)
		}
		if len(db.jobs) == 0 || len(jobs) == maxBatch {
			break
		}
	}
	if len(jobs) == 0 {
		return
	}
	db.metrics.batch.Observe(float64(len(jobs)))
	if len(jobs) > 1 && db.attempt(jobs) {
		return
	}
	// Alone, or one of them spoiled the transaction for all: each by itself.
	for _, j := range jobs {
		for n := 1; !db.attempt([]*job{j}); n++ {
			if n == maxAttempts || !IsKind(j.err, Retry) {
				db.answer([]*job{j})
				break
			}
		}
	}
}

// attempt runs the jobs in one transaction. It returns false, with nothing
// changed and nobody answered, when one of them failed after it had changed
// something; the other failures are answered with the commit.
func (db *DB) attempt(jobs []*job) bool {
	ctx, cancel := db.batchContext()
	defer cancel()
	if err := db.writes.begin(ctx); err != nil {
		return db.answerAll(jobs, fmt.Errorf("begin: %w", db.dialect.clean(err)))
	}
	tx := &Tx{Now: db.now(), db: db, ctx: ctx}
	for _, j := range jobs {
		dirty := tx.dirty
		tx.hooks = nil
		j.err = tx.run(j.fn)
		j.hooks = tx.hooks
		if j.err != nil && (tx.dirty != dirty || tx.err != nil) {
			db.writes.rollback(ctx)
			return false
		}
	}
	start := time.Now()
	if err := db.writes.commit(ctx); err != nil {
		return db.commitFailed(jobs, err)
	}
	db.metrics.commit.Observe(time.Since(start).Seconds())
	db.answer(jobs)
	return true
}

// batchContext bounds a transaction on a server. The file needs no bound, and with
// one its driver would start a goroutine for every statement.
func (db *DB) batchContext() (context.Context, context.CancelFunc) {
	if !db.dialect.listens {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), batchTimeout)
}

// commitFailed answers the jobs when nobody knows whether they are stored: the
// connection may have been lost before the answer came.
func (db *DB) commitFailed(jobs []*job, err error) bool {
	db.gap(func() {})
	return db.answerAll(jobs, fmt.Errorf("commit: %w", db.dialect.clean(err)))
}

func (db *DB) answerAll(jobs []*job, err error) bool {
	for _, j := range jobs {
		j.err = err
	}
	db.answer(jobs)
	return true
}

// answer calls the hooks of what succeeded, all before the first caller goes on.
func (db *DB) answer(jobs []*job) {
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
		for _, hook := range j.hooks {
			hook()
		}
	}
	for _, j := range jobs {
		db.metrics.count(j.err)
		j.done <- j.err
	}
}

func (db *DB) now() time.Time { return db.opts.Now().UTC().Truncate(time.Millisecond) }

// pollVersion asks SQLite whether another process has changed the file since the
// last time. data_version does not move for what this connection writes itself,
// and our other connections only read (sqlite.org/pragma.html#pragma_data_version).
func (db *DB) pollVersion() error {
	ctx := context.Background()
	conn, err := db.writes.open(ctx)
	if err != nil {
		return db.dialect.clean(err)
	}
	var v int64
	if err := conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&v); err != nil {
		return db.dialect.clean(err)
	}
	if v != db.version {
		db.version = v
		db.gap(func() { db.live = true })
	}
	return nil
}
