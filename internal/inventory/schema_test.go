package inventory

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/inventory/engine"
)

// The schemas of the two engines have the same tables and columns of the same
// kinds, so that they cannot drift apart.
func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	columns := func(s *Store, query string) map[string]string {
		got := map[string]string{}
		err := engine.Each(s.db.Reader(t.Context()), func(row engine.Row) error {
			var table, column, kind string
			var null bool
			err := row.Scan(&table, &column, &kind, &null)
			kind = strings.NewReplacer("bytea", "blob", "bigint", "integer").Replace(strings.ToLower(kind))
			if null {
				kind += " null"
			}
			got[table+"."+column] = kind
			return err
		}, query)
		if err != nil {
			t.Fatal(err)
		}
		for name := range got {
			if strings.HasPrefix(name, "schema_migrations.") || strings.HasPrefix(name, "sqlite_") {
				delete(got, name)
			}
		}
		return got
	}
	sqlite := columns(engines["sqlite"](t).open(t), `SELECT t.name, c.name, c.type, NOT c."notnull"
		FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`)
	postgresql := columns(engines["postgres"](t).open(t), `SELECT table_name, column_name, data_type, is_nullable = 'YES'
		FROM information_schema.columns WHERE table_schema = 'public'`)
	if diff := cmp.Diff(sqlite, postgresql); diff != "" {
		t.Errorf("columns (-sqlite +postgres):\n%s", diff)
	}
	if len(sqlite) < 50 {
		t.Errorf("only %d columns were compared", len(sqlite))
	}
}

// Every new migration says in its first line whether nodes of an earlier version may go
// on beside it, and one that says so only adds: tables, indexes, and columns that have a
// value when a statement does not name them.
func TestMigrationsSayWhoMayGoOn(t *testing.T) {
	t.Parallel()
	const first = 11 // those before are released as they are
	names := must[[]string](t)(fs.Glob(migrations, "migrations/*/*.sql"))
	checked := 0
	for _, name := range names {
		if number, err := strconv.Atoi(path.Base(name)[:4]); err != nil || number < first {
			continue
		}
		checked++
		text := string(must[[]byte](t)(migrations.ReadFile(name)))
		line, _, _ := strings.Cut(text, "\n")
		if strings.HasPrefix(line, "-- stops earlier nodes: ") {
			continue
		}
		if !regexp.MustCompile(`^-- compatible since \d+$`).MatchString(line) {
			t.Errorf("%s begins with %q: want \"-- compatible since N\" or \"-- stops earlier nodes: why\"", name, line)
		}
		for statement := range strings.SplitSeq(regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, ""), ";") {
			if statement = strings.Join(strings.Fields(statement), " "); statement != "" && !adds(statement) {
				t.Errorf("%s changes what earlier nodes read or write: %s", name, statement)
			}
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

// adds reports whether a statement leaves everything as it is for who does not know it.
func adds(statement string) bool {
	switch {
	case strings.HasPrefix(statement, "CREATE TABLE "), strings.HasPrefix(statement, "CREATE INDEX "):
		return true
	case strings.HasPrefix(statement, "ALTER TABLE "):
		return strings.Contains(statement, " ADD COLUMN ") && (strings.Contains(statement, " DEFAULT ") || !strings.Contains(statement, " NOT NULL"))
	}
	return false
}

// The statements that run per request or per page use an index. PostgreSQL reads small
// tables from end to end even so, and is told not to where it can help it.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		explain := "EXPLAIN QUERY PLAN "
		if d.url != "" {
			explain, d.url = "EXPLAIN ", d.url+"&options=-c%20enable_seqscan%3Doff"
		}
		s := d.open(t)
		for name, c := range map[string]struct {
			query string
			args  []any
		}{
			"device by id":   {deviceByID, []any{"a"}},
			"device by mac":  {deviceByMAC, []any{"a"}},
			"device page":    {devicePage, []any{"a", 1}},
			"extension":      {extensionColumns + `WHERE e.number = $1`, []any{"a"}},
			"extension page": {extensionColumns + `WHERE e.sort_key > $1 ORDER BY e.sort_key LIMIT $2`, []any{"a", 1}},
			"key":            {keyColumns + `WHERE hash = $1`, []any{[]byte("a")}},
			"prune":          {pruneOne("mac"), []any{"a", 1}},
			"prune device":   {pruneOne("device_id"), []any{"a", 1}},
			"events":         {eventQuery, []any{"a", "b", 1}},
		} {
			t.Run(name, func(t *testing.T) {
				plan, err := engine.All(s.db.Reader(t.Context()), planStep(d), explain+c.query, c.args...)
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range plan {
					// "d" is what the page has selected already.
					whole := strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && step != "SCAN d" ||
						strings.Contains(step, "Seq Scan")
					if whole {
						t.Errorf("plan:\n%s", strings.Join(plan, "\n"))
					}
				}
			})
		}
	})
}

// planStep reads a line of a plan as each engine writes it.
func planStep(d database) func(engine.Row) (string, error) {
	if d.url != "" {
		return engine.Scalar[string]
	}
	return func(row engine.Row) (string, error) {
		var id, parent, unused int
		var detail string
		err := row.Scan(&id, &parent, &unused, &detail)
		return detail, err
	}
}
