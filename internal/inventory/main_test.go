package inventory

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/inventory/pgtest"
	"pbx.dev/dialtone/internal/phone"
)

// postgres is the server of all tests here.
var postgres = &pgtest.Server{}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(childMain())
	}
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

func testKey() []byte { return bytes.Repeat([]byte{7}, KeySize) }

// place of a database, to open it more than once.
type database struct{ url, dir string }

func (d database) options() Options { return Options{URL: d.url, Dir: d.dir, Key: testKey()} }

// open opens the database until the test ends.
func (d database) open(t testing.TB) *Store { return openWith(t, d.options()) }

func openWith(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eachDatabase runs the test on a new database of each engine.
func eachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, database{dir: t.TempDir()})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, database{url: postgres.URL(t), dir: t.TempDir()})
	})
}

// eachEngine runs the test on a new store of each engine.
func eachEngine(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, d database) { test(t, d.open(t)) })
}

func mac(t testing.TB, text string) phone.MAC {
	t.Helper()
	m, err := phone.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// must is for calls whose success is not what the test is about.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func addExtension(t testing.TB, s *Store, number, name string) phone.Extension {
	t.Helper()
	return must[phone.Extension](t)(s.CreateExtension(t.Context(), phone.Extension{Number: number, Name: name}))
}

func addDevice(t testing.TB, s *Store, macText string, extensions ...string) phone.Device {
	t.Helper()
	d := phone.Device{MAC: mac(t, macText), Vendor: phone.Polycom, Model: "VVX 450"}
	for _, e := range extensions {
		d.Lines = append(d.Lines, phone.Line{Extension: e})
	}
	return must[phone.Device](t)(s.CreateDevice(t.Context(), d))
}

func databaseFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "dialtone.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database files in %s: %v", dir, err)
	}
	return files
}
