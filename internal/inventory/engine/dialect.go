package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"pbx.dev/dialtone/internal/phone"
)

// dialect holds all that differs between the two engines.
type dialect struct {
	name      string // also the folder of its migrations
	open      func(Options) (writes, reads *sql.DB, err error)
	code      func(error) Kind
	begin     string // begins a transaction that writes
	forUpdate string // ends a SELECT that locks the rows it returns
	lock      string // takes a lock until the transaction ends; "" where transactions exclude each other
	hasTable  string // counts tables named $1
	hasColumn string // counts columns named $2 of table $1
	listens   bool   // others' writes are heard by LISTEN, not by polling
}

// FileName is the name of the SQLite file in Options.Dir.
const FileName = "dialtone.db"

func dialectOf(rawURL string) (*dialect, error) {
	scheme, _, _ := strings.Cut(rawURL, "://")
	switch scheme {
	case "":
		return &dialect{
			name: "sqlite", open: openSQLite, code: sqliteKind,
			begin:     "BEGIN IMMEDIATE", // at once, not at the first write, when it may be too late
			hasTable:  `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1`,
			hasColumn: `SELECT count(*) FROM pragma_table_info($1) WHERE name = $2`,
		}, nil
	case "postgres", "postgresql":
		return &dialect{
			name: "postgres", open: openPostgres, code: postgresKind, listens: true,
			begin:     "BEGIN",
			forUpdate: " FOR UPDATE",
			lock:      `SELECT pg_advisory_xact_lock($1)`,
			hasTable: `SELECT count(*) FROM information_schema.tables
				WHERE table_schema = current_schema() AND table_name = $1`,
			hasColumn: `SELECT count(*) FROM information_schema.columns
				WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2`,
		}, nil
	}
	return nil, errors.New(`database url must be empty or begin with "postgres://"`)
}

// openSQLite opens one writing connection and several reading ones. Write-ahead
// logging lets them work side by side. synchronous is FULL: each commit is on
// the disk before the write is acknowledged, so that not even a power cut takes
// back a password that was shown or an address that was leased. NORMAL would be
// safe against a crash of the process only. Group commit pays for the fsync.
func openSQLite(o Options) (writes, reads *sql.DB, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	file, err := filepath.Abs(filepath.Join(o.Dir, FileName))
	if err != nil {
		return nil, nil, err
	}
	// SQLite gives its log files the mode of the database, so make that first.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	common := []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	// What is deleted or changed is overwritten: it may have been a password.
	if writes, err = sql.Open("sqlite", sqliteDSN(file, append(common, "secure_delete(1)")...)); err != nil {
		return nil, nil, err
	}
	writes.SetMaxOpenConns(1)
	reads, err = sql.Open("sqlite", sqliteDSN(file, append(common, "query_only(1)")...))
	if err != nil {
		return nil, nil, errors.Join(err, writes.Close())
	}
	n := max(4, runtime.GOMAXPROCS(0))
	reads.SetMaxOpenConns(n)
	reads.SetMaxIdleConns(n)
	return writes, reads, nil
}

func sqliteDSN(file string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: file}
	u.RawQuery = url.Values{"_pragma": pragmas}.Encode()
	return u.String()
}

func openPostgres(o Options) (writes, reads *sql.DB, err error) {
	cfg, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, nil, errors.New("the url cannot be read") // the driver's text may quote the password
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "dialtone"
	}
	writes, reads = stdlib.OpenDB(*cfg), stdlib.OpenDB(*cfg)
	writes.SetMaxOpenConns(1)
	reads.SetMaxOpenConns(16)
	reads.SetMaxIdleConns(16)
	return writes, reads, nil
}

// Kind says what went wrong in words both engines share.
type Kind int

// The kinds of errors callers tell apart.
const (
	Other      Kind = iota
	Unique          // a value that must be unique is there already
	ForeignKey      // a row that is referred to is missing, or is still referred to
	Retry           // the transaction is undone and may succeed when run again
	Full            // the disk is full
)

// Error is an error of the database, without the driver's types.
type Error struct {
	Kind Kind
	text string
}

// Error implements error.
func (e *Error) Error() string { return e.text }

// Unwrap says what an edge can tell of it.
func (e *Error) Unwrap() error {
	switch e.Kind {
	case Retry:
		return phone.ErrUnavailable
	case Full:
		return phone.ErrFull
	}
	return nil
}

// IsKind reports whether err is an Error of the kind k.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// clean turns an error of database/sql or of a driver into phone.ErrNotFound, a
// context error or an *Error.
func (d *dialect) clean(err error) error {
	var ours *Error
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return phone.ErrNotFound
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return &Error{Kind: d.code(err), text: fmt.Sprintf("%s: %v", d.name, err)}
}

// sqliteKind reads the extended result code: 1555 primary key, 2067 unique, 787
// foreign key, 13 full (sqlite.org/rescode.html). A busy file is not worth another try:
// busy_timeout has been waited for already.
func sqliteKind(err error) Kind {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case 1555, 2067:
			return Unique
		case 787:
			return ForeignKey
		case 13:
			return Full
		}
	}
	return Other
}

// postgresKind reads the SQLSTATE: 23505 unique, 23503 foreign key, 40001
// serialization failure, 40P01 deadlock, 57P01 to 57P03 the server goes down or comes
// up, 53300 too many connections, 53100 disk full. A lost connection undoes the
// transaction.
func postgresKind(err error) Kind {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var lost net.Error
		if errors.As(err, &lost) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
			errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
			return Retry
		}
		return Other
	}
	switch e.Code {
	case "23505":
		return Unique
	case "23503":
		return ForeignKey
	case "40001", "40P01", "57P01", "57P02", "57P03", "53300":
		return Retry
	case "53100":
		return Full
	}
	return Other
}
