package inventory

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// plainSecret is in the settings of the snapshots, which were written in plain text.
const plainSecret = "old-admin-pw"

// A database that the first release wrote opens with all that is in it; what it
// kept in plain text is encrypted from then on, and nothing of it is left in the
// files.
func TestReleasedSnapshot(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		load(t, d, "6094d72")
		s := d.open(t)
		check := func(s *Store) {
			t.Helper()
			p := must[phone.Device](t)(s.DeviceByMAC(t.Context(), mac(t, "0004f2abcdef")))
			if diff := cmp.Diff(map[string]string{"adminPassword": plainSecret}, p.Settings); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if len(p.Lines) != 1 || p.Lines[0].Extension != "101" || p.Lines[0].Secret.IsZero() {
				t.Errorf("lines %+v", p.Lines)
			}
			if c, err := s.Credential(t.Context(), "101_desk"); err != nil || c.Secret.Reveal() != "old-secret-101" {
				t.Errorf("credential: %v", err)
			}
			if list := must[[]phone.Device](t)(s.Devices(t.Context(), "", 10)); len(list) != 2 {
				t.Errorf("%d phones", len(list))
			}
			if keys := must[[]phone.APIKey](t)(s.Keys(t.Context())); len(keys) != 2 {
				t.Errorf("%d keys", len(keys))
			}
		}
		check(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := d.open(t) // nothing left to do
		check(again)
		plain := must[int64](t)(engine.One(again.db.Reader(t.Context()), engine.Scalar[int64], `SELECT count(*) FROM devices WHERE settings <> ''`))
		if plain != 0 {
			t.Errorf("%d rows are plain text", plain)
		}
		nothingIn(t, d, plainSecret)
	})
}

// Rows in plain text that have a group, as the schema before wrote them, are
// encrypted however many there are, and are found by their group.
func TestPlainSettingsAreSealed(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t)
		const many = sealAtOnce + 5
		for i := range many {
			dev := mustCreate(t, s, phone.Device{MAC: phone.MAC{0x80, 0x5e, 0xc0, 1, byte(i >> 8), byte(i)}, Vendor: phone.Yealink})
			err := s.write(t.Context(), func(u *unit) error {
				return u.exec(`UPDATE devices SET settings = $2 WHERE id = $1`, dev.ID, `{"adminPassword":"`+plainSecret+`","group":"sales"}`)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = d.open(t)
		nothingIn(t, d, plainSecret)
		if _, err := putLayer(t, s, phone.Layer{Scope: "group", Name: "sales", Settings: map[string]string{"ntp": "x"}}, nil); err != nil {
			t.Fatal(err)
		}
		for id, r := range revisions(t, s) {
			if r != 2 {
				t.Fatalf("%s has revision %d", id, r)
			}
		}
		list := must[[]phone.Device](t)(s.Devices(t.Context(), "", 2*many))
		if len(list) != many {
			t.Fatalf("%d phones", len(list))
		}
		for _, p := range list {
			if p.Settings["adminPassword"] != plainSecret || p.Settings["group"] != "sales" {
				t.Fatalf("settings %v", p.Settings)
			}
		}
	})
}

// load makes the database of a snapshot: statements as the dump program of the
// engine wrote them.
func load(t *testing.T, d database, release string) {
	t.Helper()
	driver, at, name := "sqlite", filepath.Join(d.dir, FileName), release+".sqlite.sql"
	if d.url != "" {
		driver, at, name = "pgx", d.url, release+".postgres.sql"
	}
	script := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "snapshots", name)))
	db := must[*sql.DB](t)(sql.Open(driver, at))
	if _, err := db.ExecContext(t.Context(), string(script)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Settings are nowhere in the database, and a changed one is not left behind.
func TestSettingsAreEncrypted(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t)
		addExtension(t, s, "101", "")
		dev := mustCreate(t, s, phone.Device{
			MAC: mac(t, "0004f2000001"), Vendor: phone.Polycom,
			Settings: map[string]string{"adminPassword": "Pl4nted-first", "raw.secret": "Pl4nted-raw"},
		})
		if _, err := s.UpdateDevice(t.Context(), dev.ID, func(p *phone.Device) error {
			p.Settings = map[string]string{"adminPassword": "Pl4nted-second"}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		nothingIn(t, d, "Pl4nted", "adminPassword")
	})
}

// Settings that were put into another phone's row do not open there.
func TestSettingsBelongToTheirRow(t *testing.T) {
	t.Parallel()
	s := must[*sealer](t)(newSealer(testKey()))
	sealed := must[[]byte](t)(s.sealSettings("a", map[string]string{"x": "y"}))
	if got := must[map[string]string](t)(s.openSettings("a", "", sealed)); got["x"] != "y" {
		t.Errorf("got %v", got)
	}
	if _, err := s.openSettings("b", "", sealed); err == nil {
		t.Error("opened in another row")
	}
	if none := must[[]byte](t)(s.sealSettings("a", nil)); none != nil {
		t.Errorf("no settings are %q", none)
	}
}
