package engine

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

const second = `CREATE TABLE more (a BIGINT);`

func TestMigrateForward(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		db := open(t, o)
		if err := db.Write(t.Context(), put("kept")); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		o.Migrations = scripts(schema, second)
		db = open(t, o)
		if n, err := One(db.Reader(t.Context()), Scalar[int], `SELECT count(*) FROM more`); err != nil || n != 0 {
			t.Errorf("second migration: %d, %v", n, err)
		}
		if got := names(t, db); len(got) != 1 {
			t.Errorf("the data is %v", got)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		o.Migrations = scripts(schema, second)
		if err := open(t, o).Close(); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			migrations fs.FS
			text       string
		}{
			"newer database": {scripts(schema), "newer dialtone"},
			"edited script":  {scripts(schema, second+" "), "differs"},
			"broken script":  {scripts(schema, second, `CREATE TABLE third (a BIGINT); NONSENSE;`), "0003_step.sql"},
			"gap":            {fstest.MapFS{"migrations/sqlite/0002_x.sql": {}, "migrations/postgres/0002_x.sql": {}}, "0001"},
			"none":           {fstest.MapFS{}, "no migrations"},
		} {
			t.Run(name, func(t *testing.T) {
				o := o
				o.Migrations = c.migrations
				db, err := Open(t.Context(), o)
				if err == nil {
					_ = db.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want %q", err, c.text)
				}
			})
		}
		// The broken one left nothing: mended, it runs.
		o.Migrations = scripts(schema, second, `CREATE TABLE third (a BIGINT);`)
		open(t, o)
	})
}

// Nodes that start at once migrate once.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				db, err := Open(context.Background(), o)
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mysql://a", "postgres://user:topsecret@[bad", "redis://x"} {
		_, err := Open(t.Context(), Options{URL: url, Dir: t.TempDir(), Migrations: scripts(schema)})
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
