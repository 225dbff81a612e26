package inventory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// No password is in the database in the clear.
func TestSecretsAreEncrypted(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		s := d.open(t)
		given := phone.Extension{Number: "101", Name: "planted-name", Password: phone.NewSecret("planted-password-1")}
		must[phone.Extension](t)(s.CreateExtension(t.Context(), given))
		must[phone.Extension](t)(s.UpdateExtension(t.Context(), "101", func(e *phone.Extension) error {
			e.Password = phone.NewSecret("planted-password-2")
			return nil
		}))
		p := addDevice(t, s, "0004f2000001", "101")
		_, key, err := s.CreateKey(t.Context(), "key", []string{ScopePhonesRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range d.files(t) {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
			}
		}
		for _, when := range []string{"open", "closed"} {
			if !strings.Contains(d.contents(t), "planted-name") {
				t.Errorf("%s: the search finds nothing at all", when)
			}
			nothingIn(t, d, "planted-password", p.Lines[0].Secret.Reveal(), key.Reveal())
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
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
