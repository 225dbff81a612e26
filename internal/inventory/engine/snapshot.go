package engine

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoSnapshot says that the database server has backups of its own.
var ErrNoSnapshot = errors.New("the database is PostgreSQL: back it up with pg_dump")

// Snapshot writes a copy of the SQLite database as of now to a file that must not
// exist. Others go on reading and writing meanwhile.
func (db *DB) Snapshot(ctx context.Context, to string) error {
	if db.opts.URL != "" {
		return ErrNoSnapshot
	}
	return db.withWritable(ctx, "copy the database", statement{"VACUUM INTO $1", []any{to}})
}

// Scrub overwrites what rows held that were changed or deleted: SQLite leaves it in
// unused parts of the file. On PostgreSQL that is the server's VACUUM, and nothing
// is done here. Nobody may be writing meanwhile.
func (db *DB) Scrub(ctx context.Context) error {
	if db.opts.URL != "" {
		return nil
	}
	return db.withWritable(ctx, "rewrite the database", statement{text: "VACUUM"}, statement{text: "PRAGMA wal_checkpoint(TRUNCATE)"})
}

type statement struct {
	text string
	args []any
}

// withWritable runs statements that are no transactions. Connections that read may
// not even write elsewhere; this one may, for a moment.
func (db *DB) withWritable(ctx context.Context, what string, list ...statement) error {
	conn, err := db.reads.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	for _, s := range append(append([]statement{{text: "PRAGMA query_only = 0"}}, list...), statement{text: "PRAGMA query_only = 1"}) {
		if _, e := conn.ExecContext(ctx, s.text, s.args...); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", what, e))
		}
	}
	return err
}
