// Package catalog is what is known about makers and models before a phone says
// anything: whose MAC block an address is in, and how many lines a model has.
// The tables are embedded and read only; data/SOURCES.md says where they come
// from. It knows nothing of the devices of an installation.
package catalog

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed data/oui.csv
var ouiCSV string

//go:embed data/models.csv
var modelsCSV string

// blocks and models are the parsed tables, built when first asked for.
var (
	blocks = sync.OnceValue(func() *ouiTable { return must(parseOUI(ouiCSV)) })
	models = sync.OnceValue(func() *modelTable { return must(parseModels(modelsCSV)) })
)

// must is for the embedded tables alone: a test proves that they parse.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// records reads a table and checks its header.
func records(text string, header ...string) ([][]string, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read embedded table: %w", err)
	}
	if len(rows) < 2 || !slices.Equal(rows[0], header) {
		return nil, fmt.Errorf("embedded table: header is not %q", header)
	}
	return rows[1:], nil
}
