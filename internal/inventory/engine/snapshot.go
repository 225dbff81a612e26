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
	conn, err := db.reads.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	// Connections that read may not even write elsewhere; this one may, for a moment.
	for _, s := range []struct {
		text string
		args []any
	}{{"PRAGMA query_only = 0", nil}, {"VACUUM INTO $1", []any{to}}, {"PRAGMA query_only = 1", nil}} {
		if _, e := conn.ExecContext(ctx, s.text, s.args...); e != nil {
			err = errors.Join(err, fmt.Errorf("copy the database: %w", e))
		}
	}
	return err
}
