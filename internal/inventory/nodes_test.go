package inventory

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

func countEvents(t *testing.T, s *Store) int {
	t.Helper()
	return must[int](t)(engine.One(s.db.Reader(t.Context()), engine.Scalar[int], `SELECT count(*) FROM events`))
}

// Changes are told after the commit, in order, before the write returns.
func TestOnChange(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var got []Change
		s.OnChange(func(c Change) {
			if c.Kind == ChangeDevice {
				_, err := s.Device(ctx, c.ID) // reads are allowed and see the commit
				if (err == nil) == c.Deleted {
					t.Errorf("%+v: reads %v", c, err)
				}
			}
			got = append(got, c)
		})
		s.OnChange(func(Change) { panic("a hearer must not harm the store") })
		addExtension(t, s, "101", "")
		d := addDevice(t, s, "0004f2000001", "101")
		_, err := s.CreateDevice(ctx, phone.Device{MAC: d.MAC}) // refused: no change
		wantErr(t, err, phone.ErrConflict)
		must[phone.Extension](t)(s.UpdateExtension(ctx, "101", func(e *phone.Extension) error { e.Name = "x"; return nil }))
		if err := s.DeleteDevice(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteExtension(ctx, "101"); err != nil {
			t.Fatal(err)
		}
		k, _, err := s.CreateKey(ctx, "key", []string{ScopePhonesRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeKey(ctx, k.ID); err != nil {
			t.Fatal(err)
		}
		want := []Change{
			{Kind: ChangeExtension, ID: "101"},
			{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC},
			{Kind: ChangeExtension, ID: "101"}, {Kind: ChangeDevice, ID: d.ID, MAC: d.MAC},
			{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC, Deleted: true},
			{Kind: ChangeExtension, ID: "101", Deleted: true},
			{Kind: ChangeKey, ID: k.ID}, {Kind: ChangeKey, ID: k.ID, Deleted: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// A write of one process reaches the caches and the hearers of another.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		ctx := t.Context()
		a, b := d.open(t), d.open(t)
		e := addExtension(t, a, "101", "")
		heard := make(chan Change, 100)
		b.OnChange(func(c Change) { heard <- c })
		// until does what b does when told of a change, until it sees what a wrote.
		until := func(what string, seen func() bool) {
			t.Helper()
			deadline := time.After(20 * time.Second)
			for !seen() {
				select {
				case <-heard:
				case <-deadline:
					t.Fatalf("not heard: %s", what)
				}
			}
		}
		until("the new extension", func() bool {
			_, err := b.Credential(ctx, e.SIPUsername)
			return err == nil
		})
		rotated := must[phone.Extension](t)(a.RotateCredentials(ctx, "101"))
		until("the new password", func() bool {
			c, err := b.Credential(ctx, e.SIPUsername)
			return err == nil && c.Secret == rotated.Password
		})
		_, err := b.DeviceByMAC(ctx, mac(t, "0004f2000001"))
		wantErr(t, err, phone.ErrNotFound)
		dev := addDevice(t, a, "0004f2000001", "101")
		until("the new phone", func() bool {
			got, err := b.DeviceByMAC(ctx, dev.MAC)
			return err == nil && got.ID == dev.ID
		})
		k, text, err := a.CreateKey(ctx, "key", []string{ScopePhonesRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.KeyByText(ctx, text.Reveal()); err != nil {
			t.Fatal(err)
		}
		if err := a.RevokeKey(ctx, k.ID); err != nil {
			t.Fatal(err)
		}
		until("the revoked key", func() bool {
			_, err := b.KeyByText(ctx, text.Reveal())
			return err != nil
		})
	})
}

// While a writer changes a password over and over, a read that begins after a
// write has returned never gives an older one, whatever races with it.
func TestNoStaleCredential(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		e := addExtension(t, s, "101", "")
		var (
			written atomic.Int64
			stop    atomic.Bool
			wg      sync.WaitGroup
		)
		for range 2 {
			wg.Go(func() {
				for !stop.Load() {
					atLeast := written.Load()
					c, err := s.Credential(context.Background(), e.SIPUsername)
					if err != nil {
						t.Error(err)
						return
					}
					var n int64
					if _, err := fmt.Sscanf(c.Secret.Reveal(), "password %d", &n); err == nil && n < atLeast {
						t.Errorf("read password %d after %d was written", n, atLeast)
						return
					}
				}
			})
		}
		for n := range int64(100) {
			must[phone.Extension](t)(s.UpdateExtension(t.Context(), "101", func(e *phone.Extension) error {
				e.Password = phone.NewSecret(fmt.Sprintf("password %d", n))
				return nil
			}))
			written.Store(n)
		}
		stop.Store(true)
		wg.Wait()
	})
}

// No password is in the files in the clear.
func TestSecretsAreEncrypted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := database{dir: dir}.open(t)
	given := phone.Extension{Number: "101", Name: "planted-name", Password: phone.NewSecret("planted-password-1")}
	must[phone.Extension](t)(s.CreateExtension(t.Context(), given))
	must[phone.Extension](t)(s.UpdateExtension(t.Context(), "101", func(e *phone.Extension) error {
		e.Password = phone.NewSecret("planted-password-2")
		return nil
	}))
	d := addDevice(t, s, "0004f2000001", "101")
	_, key, err := s.CreateKey(t.Context(), "key", []string{ScopePhonesRead}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		var all []byte
		for _, file := range databaseFiles(t, dir) {
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s %s: mode %v, %v", when, file, info.Mode(), err)
			}
			all = append(all, must[[]byte](t)(os.ReadFile(file))...)
		}
		if !bytes.Contains(all, []byte("planted-name")) {
			t.Errorf("%s: the search finds nothing at all", when)
		}
		for _, secret := range []string{"planted-password", d.Lines[0].Secret.Reveal(), key.Reveal()} {
			if bytes.Contains(all, []byte(secret)) {
				t.Errorf("%s: found a secret in the clear", when)
			}
		}
	}
	look("open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed")
}

// A sealed value is good in its own place only.
func TestSealedValuesStayInPlace(t *testing.T) {
	t.Parallel()
	s := must[*sealer](t)(newSealer(testKey()))
	sealed := s.sealSecret("101_a", phone.NewSecret("x"))
	if got := must[phone.Secret](t)(s.openSecret("101_a", sealed)); got.Reveal() != "x" {
		t.Errorf("got %s", got.Reveal())
	}
	if _, err := s.openSecret("101_b", sealed); err == nil {
		t.Error("opened in another row")
	}
	if again := s.sealSecret("101_a", phone.NewSecret("x")); bytes.Equal(sealed, again) {
		t.Error("sealed twice alike")
	}
}

func TestOtherKeyIsRefused(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		addExtension(t, d.open(t), "101", "")
		o := d.options()
		o.Key = bytes.Repeat([]byte{8}, KeySize)
		_, err := Open(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "another master key") {
			t.Errorf("got %v", err)
		}
		o.Key = o.Key[1:]
		if _, err := Open(t.Context(), o); err == nil {
			t.Error("a short key was accepted")
		}
	})
}

func TestLoadKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "master.key")
	key := must[[]byte](t)(LoadKey(path))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || len(key) != KeySize {
		t.Fatalf("made %d bytes, %v, %v", len(key), info, err)
	}
	if again := must[[]byte](t)(LoadKey(path)); !bytes.Equal(key, again) {
		t.Error("read another key than was made")
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path))); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"raw": {strings.Repeat("\x01", 32), true}, "hex": {strings.Repeat("AB", 32) + "\r\n", true},
		"empty": {"", false}, "short": {strings.Repeat("a", 31), false}, "long": {strings.Repeat("a", 65), false},
		"not hex": {strings.Repeat("g", 64), false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := LoadKey(path)
		if (err == nil) != c.ok || c.ok && len(key) != KeySize {
			t.Errorf("%s: %d bytes, %v", name, len(key), err)
		}
	}
}

// All who come at once get one key.
func TestLoadKeyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if !bytes.Equal(k, keys[0]) {
			t.Fatal("two keys")
		}
	}
}
