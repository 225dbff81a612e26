package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Tx is a transaction as one write sees it. Other writes may share it; they see
// each other's changes and commit together. It is valid only inside the function
// that Write calls.
type Tx struct {
	// Now is the time of the transaction in UTC, cut to milliseconds as stored.
	Now time.Time

	db    *DB
	ctx   context.Context
	hooks []func()
	dirty int   // statements that changed something
	err   error // the first statement that failed; PostgreSQL refuses all after it
}

func (tx *Tx) rows(query string, args []any) (*sql.Rows, error) {
	if !strings.HasPrefix(query, "SELECT") {
		tx.dirty++
	}
	s, err := tx.db.writes.prepare(tx.ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(tx.ctx, args...)
}

func (tx *Tx) clean(err error) error {
	cleaned := tx.db.dialect.clean(err)
	if err != nil && !errors.Is(err, sql.ErrNoRows) && tx.err == nil {
		tx.err = cleaned
	}
	return cleaned
}

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	s, err := tx.db.writes.prepare(tx.ctx, query)
	if err != nil {
		return 0, tx.clean(err)
	}
	res, err := s.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, tx.clean(err)
	}
	n, err := res.RowsAffected()
	if n > 0 {
		tx.dirty++
	}
	return n, tx.clean(err)
}

// ForUpdate ends a SELECT so that other nodes cannot change the rows it returns
// before this transaction ends.
func (tx *Tx) ForUpdate() string { return tx.db.dialect.forUpdate }

// Lock waits until no other transaction holds lock n and holds it until the
// transaction ends.
func (tx *Tx) Lock(n int64) error {
	if tx.db.dialect.lock == "" {
		return nil
	}
	return Each(tx, func(Row) error { return nil }, tx.db.dialect.lock, n)
}

// OnCommit calls fn after the commit and before the write returns, in the order
// of the commits, from one goroutine.
func (tx *Tx) OnCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

// Notify gives payload to the OnRemote of all other processes with this database
// when the transaction commits. SQLite has no such thing; there they get OnGap.
func (tx *Tx) Notify(payload string) error {
	if !tx.db.dialect.listens {
		return nil
	}
	from := tx.db.node + "@" + strconv.FormatInt(tx.Now.UnixMilli(), 10)
	text := from + " " + payload
	if len(text) > maxPayload {
		text = from // without a payload it is a gap
	}
	tx.dirty++ // so that a failure later on takes it back
	return Each(tx, func(Row) error { return nil }, `SELECT pg_notify($1, $2)`, channel, text)
}

// run calls fn, turning a panic into an error: one bad write must not take the
// writer goroutine and everybody else's writes with it.
func (tx *Tx) run(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tx.db.log.Error("panic in a write", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a write: %v", p)
			tx.err = err
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.err
}
