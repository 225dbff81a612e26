package tlsca

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// dial does a handshake against k for host, trusting dir/ca.pem, and returns the
// serial number of the certificate that was presented.
func dial(t *testing.T, k *Keeper, dir, host string) (string, error) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("ca.pem holds no certificate")
	}
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
	go tls.Server(s, k.Config()).Handshake()
	client := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: host})
	if err := client.Handshake(); err != nil {
		return "", err
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func TestOwnAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	o := Options{Dir: dir, Hosts: []string{"sip.pbx.dev", "192.0.2.1"}}
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	first, err := dial(t, k, dir, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, k, dir, "evil.example"); err == nil {
		t.Error("the certificate is good for any name")
	}
	again, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := dial(t, again, dir, "sip.pbx.dev"); second != first {
		t.Error("a second start made a new certificate")
	}
	for _, f := range []string{"ca.key", "server.key"} {
		if st, err := os.Stat(filepath.Join(dir, f)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f, st.Mode(), err)
		}
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Dir: dir, Hosts: []string{"a.example"}, Now: func() time.Time { return time.Now().Add(-380 * 24 * time.Hour) }}
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	first := k.current.Load().cert.Leaf.SerialNumber.String()
	k.opts.Now = time.Now
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	second, err := dial(t, k, dir, "a.example")
	if err != nil || second == first {
		t.Errorf("not renewed 17 days before its end: %v", err)
	}
	k.opts.Hosts = append(k.opts.Hosts, "b.example")
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, k, dir, "b.example"); err != nil {
		t.Errorf("a new host: %v", err)
	}
}

func TestBadReloadChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := Open(Options{Dir: dir, Hosts: []string{"a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	given, err := Open(Options{CertFile: filepath.Join(dir, "server.pem"), KeyFile: filepath.Join(dir, "server.key")})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := dial(t, k, dir, "a.example")
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if given.Reload() == nil || k.Reload() == nil {
		t.Error("rubbish was accepted")
	}
	if got, err := dial(t, given, dir, "a.example"); err != nil || got != want {
		t.Errorf("after a bad reload: %v", err)
	}
}
