package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

const (
	migrationLock  = 0x6469616c01 // any fixed number of our own
	migrationTable = `CREATE TABLE schema_migrations (
		version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`
)

// migration is one file NNNN_what.sql.
type migration struct {
	version  int64
	name     string
	text     string
	checksum string
}

// readMigrations returns the files of one dialect in order. A file that is
// misnamed or a gap in the numbers is a mistake of the program, not of its user.
func readMigrations(fsys fs.FS, dir string) ([]migration, error) {
	names, err := fs.Glob(fsys, dir+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		base := name[len(dir)+1:]
		if len(base) < 6 || base[4] != '_' || base[:4] != fmt.Sprintf("%04d", i+1) {
			return nil, fmt.Errorf("migration %s: want the number %04d", name, i+1)
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{
			version: int64(i + 1), name: base, text: string(text), checksum: hex.EncodeToString(sum[:]),
		})
	}
	if len(list) == 0 {
		return nil, errors.New("no migrations in " + dir)
	}
	return list, nil
}

// migrate brings the schema forward, each file in a transaction of its own. Two
// processes that start at once wait for each other.
func (db *DB) migrate(ctx context.Context) error {
	list, err := readMigrations(db.opts.Migrations, "migrations/"+db.dialect.name)
	if err != nil {
		return err
	}
	if err := db.alone(ctx, func(tx *migrationTx) error { return tx.prepare(list) }); err != nil {
		return fmt.Errorf("check the database schema: %w", err)
	}
	for _, m := range list {
		if err := db.alone(ctx, func(tx *migrationTx) error { return tx.apply(m) }); err != nil {
			return fmt.Errorf("migrate the database to %s: %w", m.name, err)
		}
	}
	return nil
}

// migrationTx is a transaction that no other migration runs beside.
type migrationTx struct {
	*Tx
	exec func(text string) error // runs a whole script
}

func (db *DB) alone(ctx context.Context, fn func(*migrationTx) error) error {
	if err := db.writes.begin(ctx); err != nil {
		return db.dialect.clean(err)
	}
	tx := &migrationTx{Tx: &Tx{Now: db.now(), db: db, ctx: ctx}}
	tx.exec = func(script string) error { return db.dialect.clean(db.writes.exec(ctx, script)) }
	err := tx.Lock(migrationLock)
	if err == nil {
		err = fn(tx)
	}
	if err != nil {
		db.writes.rollback(ctx)
		return err
	}
	return db.dialect.clean(db.writes.commit(ctx))
}

// prepare makes the table of migrations and refuses a database that this program
// does not understand.
func (tx *migrationTx) prepare(list []migration) error {
	n, err := One(tx.Tx, Scalar[int64], tx.db.dialect.hasTable, "schema_migrations")
	if err != nil {
		return err
	}
	if n == 0 {
		return tx.exec(migrationTable)
	}
	head := int64(len(list))
	return Each(tx.Tx, func(row Row) error {
		var m migration
		if err := row.Scan(&m.version, &m.name, &m.checksum); err != nil {
			return err
		}
		if m.version > head {
			return fmt.Errorf("the database has schema version %d (%s) and this program knows versions up to %d: "+
				"it was written by a newer dialtone; run that one, or restore a backup from before the upgrade",
				m.version, m.name, head)
		}
		if want := list[m.version-1]; m.checksum != want.checksum {
			return errors.New("migration " + strconv.FormatInt(m.version, 10) + " of the database (" + m.name +
				") differs from this program's " + want.name + ": they do not come from the same line of releases")
		}
		return nil
	}, `SELECT version, name, checksum FROM schema_migrations ORDER BY version DESC`)
}

// apply runs m unless it has been run.
func (tx *migrationTx) apply(m migration) error {
	n, err := One(tx.Tx, Scalar[int64], `SELECT count(*) FROM schema_migrations WHERE version = $1`, m.version)
	if err != nil || n > 0 {
		return err
	}
	if err := tx.exec(m.text); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
		m.version, m.name, m.checksum, tx.Now.UnixMilli())
	return err
}
