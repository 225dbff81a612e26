package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

const (
	migrationLock  = 0x6469616c01 // any fixed number of our own
	migrationTable = `CREATE TABLE schema_migrations (
		version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`
	// since is the oldest version whose programs go on working beside a migration; 0:
	// none. Programs of before it leave it at that.
	migrationSince = `ALTER TABLE schema_migrations ADD COLUMN since BIGINT NOT NULL DEFAULT 0`
)

// ErrNewer says that a program is too old for its database.
var ErrNewer = errors.New("it was written by a newer dialtone")

// compatible is the first line of a migration that leaves what programs of an earlier
// version read and write as it is: nodes may be upgraded one after the other.
var compatible = regexp.MustCompile(`^-- compatible since (\d+)\n`)

// migration is one file NNNN_what.sql.
type migration struct {
	version  int64
	name     string
	text     string
	checksum string
	since    int64 // 0: no earlier program may go on
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
		m := migration{version: int64(i + 1), name: base, text: string(text), checksum: hex.EncodeToString(sum[:])}
		if found := compatible.FindSubmatch(text); found != nil {
			m.since, _ = strconv.ParseInt(string(found[1]), 10, 64) // digits
		}
		list = append(list, m)
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
	db.head = int64(len(list))
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
	if err == nil && n == 0 {
		err = tx.exec(migrationTable)
	}
	if err == nil {
		n, err = One(tx.Tx, Scalar[int64], tx.db.dialect.hasColumn, "schema_migrations", "since")
	}
	if err == nil && n == 0 {
		err = tx.exec(migrationSince)
	}
	if err != nil {
		return err
	}
	head := int64(len(list))
	newest := head
	err = Each(tx.Tx, func(row Row) error {
		var m migration
		if err := row.Scan(&m.version, &m.name, &m.checksum, &m.since); err != nil {
			return err
		}
		if m.version > head {
			newest = max(newest, m.version)
			return m.beside(head)
		}
		if want := list[m.version-1]; m.checksum != want.checksum {
			return errors.New("migration " + strconv.FormatInt(m.version, 10) + " of the database (" + m.name +
				") differs from this program's " + want.name + ": they do not come from the same line of releases")
		}
		return nil
	}, `SELECT version, name, checksum, since FROM schema_migrations ORDER BY version DESC`)
	if err == nil && newest > head {
		tx.db.log.Warn("the database was upgraded by a newer dialtone, beside which this one goes on; upgrade it soon",
			"schema", newest, "known", head)
	}
	return err
}

// beside is why a program that knows the versions up to head must not work on a
// database with this migration; nil when it may.
func (m migration) beside(head int64) error {
	if m.since > 0 && m.since <= head {
		return nil
	}
	return fmt.Errorf("the database has schema version %d (%s) and this program knows versions up to %d: "+
		"%w; run that one, or restore a backup from before the upgrade", m.version, m.name, head, ErrNewer)
}

// CheckSchema reports that another program has changed the database meanwhile to
// something that this one does not understand: ErrNewer.
func (db *DB) CheckSchema(ctx context.Context) error {
	return Each(db.Reader(ctx), func(row Row) error {
		var m migration
		if err := row.Scan(&m.version, &m.name, &m.since); err != nil {
			return err
		}
		return m.beside(db.head)
	}, `SELECT version, name, since FROM schema_migrations WHERE version > $1 ORDER BY version`, db.head)
}

// Schema returns the name of the engine and the names of the migrations that the
// database has, in order.
func (db *DB) Schema(ctx context.Context) (name string, migrations []string, err error) {
	migrations, err = All(db.Reader(ctx), Scalar[string], `SELECT name FROM schema_migrations ORDER BY version`)
	return db.dialect.name, migrations, err
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
	_, err = tx.Exec(`INSERT INTO schema_migrations (version, name, checksum, applied_at, since) VALUES ($1, $2, $3, $4, $5)`,
		m.version, m.name, m.checksum, tx.Now.UnixMilli(), m.since)
	return err
}
