package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/phone"
)

func secretOf(text string) phone.Secret { return phone.NewSecret(text) }

func TestSecretFile(t *testing.T) {
	dir, n := t.TempDir(), byte(0)
	create := func() (string, error) { n++; return phonePassword([]byte{n}) }
	first, made, err := secretFile(dir, "x", create)
	if err != nil || !made || len(first.Reveal()) != 8 || strings.Trim(first.Reveal(), "0123456789") != "" {
		t.Fatalf("%q, %v, %v", first.Reveal(), made, err)
	}
	again, made, err := secretFile(dir, "x", create)
	if err != nil || made || again.Reveal() != first.Reveal() {
		t.Errorf("another secret at the second start: %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, "x")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestSubkeysDiffer(t *testing.T) {
	master := make([]byte, 32)
	a, err := subkey(master, "nonce")
	if err != nil {
		t.Fatal(err)
	}
	b, err := subkey(master, "flow token")
	if err != nil || string(a) == string(b) || len(a) != 32 {
		t.Errorf("keys of two purposes are alike: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	c := config.Default()
	id, err := newIdentity(c)
	if err != nil || id.node == "" || id.boot == "" || id.advertise == "" {
		t.Errorf("%+v, %v", id, err)
	}
	c.Node, c.Advertise = "n1", "192.0.2.9"
	if id, err = newIdentity(c); err != nil || id.node != "n1" || id.advertise != "192.0.2.9" {
		t.Errorf("%+v, %v", id, err)
	}
	names := id.hostNames(c)
	for _, want := range []string{"sip.pbx.dev", "192.0.2.9", "localhost", "127.0.0.1"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("the certificate is not for %s: %v", want, names)
		}
	}
}

// What a paged reader is asked for is what it returns, once and in order.
func TestPaged(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	next := paged(func(context.Context) ([]string, error) { return all, nil }, func(s string) string { return s })
	var got []string
	for after := ""; ; {
		page, err := next(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1]
	}
	if strings.Join(got, "") != "abcde" {
		t.Errorf("got %v", got)
	}
}

func TestNameservers(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("# made by hand\nsearch lan\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver fd00::1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := nameservers(nil, conf); len(got) != 1 || got[0].String() != "192.0.2.53" {
		t.Errorf("of the host: %v", got)
	}
	if got := nameservers([]string{"192.0.2.1", "192.0.2.2"}, conf); len(got) != 2 || got[0].String() != "192.0.2.1" {
		t.Errorf("given: %v", got)
	}
	if got := nameservers(nil, conf+"x"); got != nil {
		t.Errorf("of nobody: %v", got)
	}
}
