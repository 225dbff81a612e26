package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pbx.dev/dialtone/internal/backup"
	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/inventory"
)

// Backup writes the data directory that cfg names to w, the database as a consistent
// copy; the server may be running. A database in PostgreSQL is not in it, which notes
// says.
func Backup(ctx context.Context, cfg config.Config, w, notes io.Writer) error {
	there := cfg.DataDir
	if cfg.MasterKey.IsZero() {
		there = filepath.Join(cfg.DataDir, keyFile)
	}
	if _, err := os.Stat(there); err != nil {
		return fmt.Errorf("data_dir: %w", err) // opening would make one
	}
	if !cfg.MasterKey.IsZero() {
		fmt.Fprintln(notes, "note: the master key is in master_key and not in the archive; without it nobody can read the passwords")
	}
	o := backup.Options{Dir: cfg.DataDir, Database: inventory.FileName}
	if cfg.Database.URL.IsZero() {
		inv, _, err := openInventory(ctx, cfg, inventory.Options{})
		if err != nil {
			return err
		}
		o.Snapshot = inv.Snapshot
		return errors.Join(backup.Write(ctx, w, o), inv.Close())
	}
	fmt.Fprintln(notes, "note: the database is in PostgreSQL and not in the archive; back it up with pg_dump")
	return backup.Write(ctx, w, o)
}
