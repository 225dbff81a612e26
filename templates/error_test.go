package templates

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"pbx.dev/dialtone/internal/phone"
)

// A template that cannot be parsed is refused with the line and a column, also
// where the parser says the line only.
func TestErrorHasLineAndColumn(t *testing.T) {
	t.Parallel()
	const head = "#!version:1.0.0.1\n"
	for name, c := range map[string]struct {
		text         string
		line, column int
	}{
		"unclosed action":  {head + "x = {{.Foo", 2, 5},
		"unknown function": {head + "a = 1 {{.MAC}} {{nothing .}}", 2, 16},
		"no end":           {head + "{{if .MAC}}\nx = 1", 3, 1},
		"end too many":     {head + "x = 1{{end}}\n", 2, 6},
		"bad character":    {head + "  x = {{ ` }}\n", 2, 7},
		"unknown field":    {head + "x = {{.Nope}}\n", 2, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Builtin().Overlay(fstest.MapFS{"yealink/phone.tmpl": {Data: []byte(c.text)}})
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, phone.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			if e.Line != c.line || e.Column != c.column || strings.Contains(e.Reason, "template:") {
				t.Errorf("%d:%d %s, want %d:%d", e.Line, e.Column, e.Reason, c.line, c.column)
			}
		})
	}
}
