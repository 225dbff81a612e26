package inventory

import (
	"context"

	"pbx.dev/dialtone/internal/inventory/engine"
)

// ErrNoSnapshot says that the inventory is in PostgreSQL, which has backups of its
// own.
var ErrNoSnapshot = engine.ErrNoSnapshot

// Snapshot writes a copy of the SQLite file as of now to a new file. The store goes
// on working meanwhile. With PostgreSQL it is ErrNoSnapshot.
func (s *Store) Snapshot(ctx context.Context, to string) error { return s.db.Snapshot(ctx, to) }

// FileName is the SQLite file in Options.Dir.
const FileName = engine.FileName

// ErrNewer says that this program is too old for its database.
var ErrNewer = engine.ErrNewer

// CheckSchema reports that a newer program has changed the database to something that
// this one does not understand, with ErrNewer: it should not go on.
func (s *Store) CheckSchema(ctx context.Context) error { return s.db.CheckSchema(ctx) }

// Schema returns the name of the engine and the names of the migrations that the
// database has, in order.
func (s *Store) Schema(ctx context.Context) (name string, migrations []string, err error) {
	return s.db.Schema(ctx)
}
