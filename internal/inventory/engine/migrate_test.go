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

// A program goes on beside a schema that is newer than it knows when that says so, also
// after a restart, and neither of them disturbs the other. When it does not say so a
// program that runs finds out, and none starts.
func TestMigrateBesideOlder(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, o Options) {
		older, newer, newest := o, o, o
		newer.Migrations = scripts(schema, "-- compatible since 1\n"+second)
		newest.Migrations = scripts(schema, "-- compatible since 1\n"+second, "-- compatible since 2\nCREATE TABLE third (a BIGINT);")
		a := open(t, older)
		b := open(t, newer)
		for i, db := range []*DB{a, b, open(t, older)} {
			if err := db.Write(t.Context(), put("of "+string(rune('a'+i)))); err != nil {
				t.Error(err)
			}
			if err := db.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := names(t, a); len(got) != 3 {
			t.Errorf("stored %v", got)
		}
		c := open(t, newest)
		if err := b.CheckSchema(t.Context()); err != nil {
			t.Errorf("one version behind: %v", err)
		}
		if err := a.CheckSchema(t.Context()); err == nil || !strings.Contains(err.Error(), "schema version 3 (0003_step.sql)") {
			t.Errorf("two versions behind: %v", err)
		}
		if db, err := Open(t.Context(), older); err == nil || !strings.Contains(err.Error(), "newer dialtone") {
			t.Errorf("started two versions behind: %v", err)
			_ = db.Close()
		}
		if _, list, err := c.Schema(t.Context()); err != nil || strings.Join(list, " ") != "0001_step.sql 0002_step.sql 0003_step.sql" {
			t.Errorf("%v, %v", list, err)
		}
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
