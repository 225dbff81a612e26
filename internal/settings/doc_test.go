package settings

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/SETTINGS.md")

// docs/SETTINGS.md is made from the schema.
func TestDocument(t *testing.T) {
	t.Parallel()
	const file = "../../docs/SETTINGS.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- made from internal/settings/schema.go: go test ./internal/settings -update -->\n", "<!-- end -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks are missing")
	}
	want := head + begin + schemaTable() + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("docs/SETTINGS.md is not what the schema says; run with -update (-want +got):\n%s", diff)
	}
}

func schemaTable() string {
	var b strings.Builder
	b.WriteString("\n| name | value | example | meaning |\n|---|---|---|---|\n")
	for _, s := range Schema() {
		value := string(s.Type)
		switch {
		case len(s.Choices) > 0:
			value = strings.Join(s.Choices, ", ")
			if s.Type == List {
				value = "list of " + value
			}
		case s.Type == Number:
			value = strings.TrimSpace(fmt.Sprintf("%d to %d %s", s.Min, s.Max, s.Unit))
		}
		name := "`" + s.Key + "`"
		if s.PerLine {
			name += " ¹"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", name, value, s.Example, s.Doc)
	}
	return b.String() + "\n"
}
