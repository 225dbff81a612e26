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
