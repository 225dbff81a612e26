package engine

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/inventory/pgtest"
)

// postgres is the server of all tests here.
var postgres = &pgtest.Server{}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const schema = `CREATE TABLE items (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
	CREATE TABLE parts (item TEXT NOT NULL REFERENCES items (name));`

// scripts are migrations that are the same for both engines.
func scripts(texts ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i, text := range texts {
		for _, dialect := range []string{"sqlite", "postgres"} {
			name := fmt.Sprintf("migrations/%s/%04d_step.sql", dialect, i+1)
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return fsys
}

func open(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// eachDatabase runs the test on a new database of each engine.
func eachDatabase(t *testing.T, test func(t *testing.T, o Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, Options{Dir: t.TempDir(), Migrations: scripts(schema)})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Options{URL: postgres.URL(t), Migrations: scripts(schema)})
	})
}

func put(name string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO items (name, value) VALUES ($1, $2)`, name, tx.Now.UnixMilli())
		return err
	}
}

func names(t testing.TB, db *DB) []string {
	t.Helper()
	list, err := All(db.Reader(context.Background()), Scalar[string], `SELECT name FROM items ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
