package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/inventory/pgtest"
	"pbx.dev/dialtone/internal/phone"
)

// A server that is stopped is an error that says the same may do later.
func TestServerStopped(t *testing.T) {
	t.Parallel()
	server := &pgtest.Server{}
	db := open(t, Options{URL: server.URL(t), Migrations: scripts(schema)})
	if err := db.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), put("after")); !errors.Is(err, phone.ErrUnavailable) {
		t.Errorf("write: %v", err)
	}
	if _, err := All(db.Reader(t.Context()), Scalar[string], `SELECT name FROM items`); !errors.Is(err, phone.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
}

// A file that cannot grow is an error of its own, and what is stored stays readable.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	db := open(t, Options{Dir: t.TempDir(), Migrations: scripts(schema)})
	var err error
	for i := 0; i < 1000 && err == nil; i++ {
		err = db.Write(t.Context(), func(tx *Tx) error {
			if _, err := tx.Exec(`PRAGMA max_page_count = 1`); err != nil { // as small as it is
				return err
			}
			return put(fmt.Sprint(i, strings.Repeat("x", 1000)))(tx)
		})
	}
	if !errors.Is(err, phone.ErrFull) {
		t.Errorf("got %v", err)
	}
	names(t, db)
}
