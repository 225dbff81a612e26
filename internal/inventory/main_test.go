package inventory

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/inventory/pgtest"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
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

// engines make a new database each. Nothing else here does (TestBothEngines): a test
// gets its database from eachDatabase and so runs on both.
var engines = map[string]func(t testing.TB) database{
	"sqlite":   func(t testing.TB) database { return database{dir: t.TempDir()} },
	"postgres": func(t testing.TB) database { return database{url: postgres.URL(t), dir: t.TempDir()} },
}

// eachDatabase runs the test on a new database of each engine.
func eachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	for name, create := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

// eachEngineBench runs the benchmark on a new store of each engine.
func eachEngineBench(b *testing.B, bench func(b *testing.B, s *Store)) {
	b.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) { bench(b, engines[name](b).open(b)) })
	}
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

// contents is all that the database holds: the bytes of its files, or what pg_dump
// says, with the bytes of binary columns as they are.
func (d database) contents(t testing.TB) string {
	t.Helper()
	if d.url != "" {
		dump := string(must[[]byte](t)(exec.Command(testkit.Need(t, "pg_dump"), d.url).Output()))
		return dump + hexBytes.ReplaceAllStringFunc(dump, func(text string) string {
			return string(must[[]byte](t)(hex.DecodeString(text[3:])))
		})
	}
	var all strings.Builder
	for _, file := range d.files(t) {
		all.Write(must[[]byte](t)(os.ReadFile(file)))
	}
	return all.String()
}

// files are those of SQLite, and none of a server.
func (d database) files(t testing.TB) []string {
	t.Helper()
	return must[[]string](t)(filepath.Glob(filepath.Join(d.dir, FileName+"*")))
}

// hexBytes is how pg_dump writes a binary value.
var hexBytes = regexp.MustCompile(`\\\\x(?:[0-9a-f]{2})+`)

// nothingIn looks for texts in all that the database holds.
func nothingIn(t *testing.T, d database, texts ...string) {
	t.Helper()
	all := d.contents(t)
	for _, text := range texts {
		if strings.Contains(all, text) {
			t.Errorf("the database holds %q", text)
		}
	}
}
