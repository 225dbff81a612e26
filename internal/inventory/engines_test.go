package inventory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestBothEngines keeps it so that all tests of the inventory run on SQLite and on
// PostgreSQL: a database comes from the harness in main_test.go, which gives both, and
// is made nowhere else. Only a test that compares the engines may pick one.
func TestBothEngines(t *testing.T) {
	t.Parallel()
	picks := map[string]string{"TestSchemasAgree": "compares the two"}
	makes := map[string]string{"childMain": "opens the database that it is given"}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, "_test.go") || name == "main_test.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, what := range databasesOf(fn) {
				switch {
				case what == "harness":
					used++
				case what == "engines" && picks[fn.Name.Name] == "",
					what == "database" && makes[fn.Name.Name] == "":
					t.Errorf("%s: %s makes a database itself; use eachDatabase or eachEngine", name, fn.Name.Name)
				}
			}
		}
	}
	if used < 50 {
		t.Errorf("only %d uses of the harness were found: the search is broken", used)
	}
}

// databasesOf says how a function comes by its databases.
func databasesOf(fn *ast.FuncDecl) (found []string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if id, ok := n.Type.(*ast.Ident); ok && (id.Name == "database" || id.Name == "Options") {
				found = append(found, "database")
			}
		case *ast.Ident:
			switch n.Name {
			case "engines":
				found = append(found, "engines")
			case "eachDatabase", "eachEngine", "eachEngineBench":
				found = append(found, "harness")
			}
		}
		return true
	})
	return found
}
