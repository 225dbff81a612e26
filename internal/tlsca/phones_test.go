package tlsca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// maker is a phone maker's CA.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newMaker(t *testing.T, dir, name string) maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m := maker{cert, key, filepath.Join(dir, name+".pem")}
	m.put(t, m.file)
	return m
}

// put writes the CA's certificate to a file.
func (m maker) put(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// phone is a phone with a certificate of this maker.
func (m maker) phone(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, m.cert, key.Public(), m.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: crypto.Signer(key)}
}

// connect makes one connection to k and returns what both sides agreed on.
func connect(t *testing.T, k *Keeper, legacy bool, c *tls.Config) (client, server tls.ConnectionState, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan tls.ConnectionState, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(served)
			return
		}
		defer conn.Close()
		s := tls.Server(conn, k.Phones(legacy))
		if s.Handshake() != nil {
			close(served)
			return
		}
		io.WriteString(s, "x")
		served <- s.ConnectionState()
	}()
	conf := c.Clone()
	conf.InsecureSkipVerify, conf.ServerName = true, "a.example"
	conn, err := tls.Dial("tcp", l.Addr().String(), conf)
	if err != nil {
		<-served
		return client, server, err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1)) // a TLS 1.3 server refuses after the client is done
	return conn.ConnectionState(), <-served, err
}

func open(t *testing.T, o Options) *Keeper {
	t.Helper()
	o.Hosts = []string{"a.example"}
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// P-256 is what phones get; those that know RSA only get that, from a CA that they can
// check.
func TestCertificateByClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := open(t, Options{Dir: dir})
	state, _, err := connect(t, k, false, &tls.Config{})
	if err != nil || state.PeerCertificates[0].PublicKeyAlgorithm != x509.ECDSA {
		t.Fatalf("%v, %v", err, state.PeerCertificates)
	}
	if _, err := os.Stat(filepath.Join(dir, "ca-rsa.pem")); err == nil {
		t.Error("an RSA certificate is made for nobody")
	}
	old := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	first, _, err := connect(t, k, false, old)
	if err != nil || first.PeerCertificates[0].PublicKeyAlgorithm != x509.RSA {
		t.Fatalf("RSA only: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca-rsa.pem"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	if _, err := first.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: "a.example"}); err != nil {
		t.Error(err)
	}
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: dir})
	second, _, err := connect(t, again, false, old)
	if err != nil || !second.PeerCertificates[0].Equal(first.PeerCertificates[0]) {
		t.Errorf("after a restart: %v", err)
	}
}

// Old versions and ciphers are for the listener of old phones only.
func TestLegacy(t *testing.T) {
	t.Parallel()
	k := open(t, Options{Dir: t.TempDir()})
	if err := k.RSA(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*tls.Config{
		"TLS 1.0":              {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1":              {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
		"RSA key exchange":     {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
		"TLS 1.0, RSA, 3DES":   {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
		"TLS 1.0, RSA, AES256": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
	} {
		if _, _, err := connect(t, k, false, c); err == nil {
			t.Errorf("%s is good for everybody", name)
		}
		if state, _, err := connect(t, k, true, c); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if state.CipherSuite == tls.TLS_RSA_WITH_AES_128_CBC_SHA && state.PeerCertificates[0].PublicKeyAlgorithm != x509.RSA {
			t.Errorf("%s: the certificate is %v", name, state.PeerCertificates[0].PublicKeyAlgorithm)
		}
	}
}

// Sessions are resumed, by another node too, for a day and no longer than two.
func TestResumption(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		dir, key := t.TempDir(), []byte("a key of all nodes")
		now := time.Unix(20_000*daySeconds, 0).Add(12 * time.Hour)
		if time.Now().After(now) {
			now = time.Now().Truncate(24 * time.Hour).Add(12 * time.Hour)
		}
		node := open(t, Options{Dir: dir, TicketKey: key})
		other := open(t, Options{Dir: dir, TicketKey: key})
		stranger := open(t, Options{Dir: dir, TicketKey: []byte("another")})
		for _, k := range []*Keeper{node, other, stranger} {
			k.opts.Now = func() time.Time { return now }
		}
		resumed := func(k *Keeper, cache tls.ClientSessionCache) bool {
			t.Helper()
			state, _, err := connect(t, k, false, &tls.Config{ClientSessionCache: cache, MinVersion: version, MaxVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			return state.DidResume
		}
		fresh := func() tls.ClientSessionCache {
			c := tls.NewLRUClientSessionCache(1)
			if resumed(node, c) {
				t.Errorf("%s: a first connection is resumed", name)
			}
			return c
		}
		c := fresh()
		if !resumed(node, c) || !resumed(other, c) {
			t.Errorf("%s: not resumed", name)
		}
		if resumed(stranger, fresh()) {
			t.Errorf("%s: resumed with another key", name)
		}
		c = fresh()
		now = now.Add(24 * time.Hour)
		if !resumed(node, c) {
			t.Errorf("%s: not resumed the next day", name)
		}
		c = fresh()
		now = now.Add(48 * time.Hour)
		if resumed(node, c) {
			t.Errorf("%s: resumed after two days", name)
		}
	}
}

// A phone's certificate counts when its maker is in the bundle, which a reload can
// change: what was agreed before does not last.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trusted, other := newMaker(t, dir, "trusted"), newMaker(t, dir, "other")
	bundle := filepath.Join(dir, "bundle.pem")
	trusted.put(t, bundle)
	k := open(t, Options{Dir: dir, ClientCAFile: bundle, TicketKey: []byte("key")})
	mine := &tls.Config{Certificates: []tls.Certificate{trusted.phone(t, "0004f2abcdef")}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	theirs := other.phone(t, "0004f2abcdef") // sent whoever is asked for
	foreign := &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &theirs, nil }}
	for _, again := range []bool{false, true} {
		client, server, err := connect(t, k, false, mine)
		if err != nil || len(server.VerifiedChains) == 0 || server.VerifiedChains[0][0].Subject.CommonName != "0004f2abcdef" || client.DidResume != again {
			t.Errorf("resumed %v: %v, %d chains", client.DidResume, err, len(server.VerifiedChains))
		}
	}
	if _, server, err := connect(t, k, false, &tls.Config{}); err != nil || len(server.VerifiedChains) != 0 {
		t.Errorf("without a certificate: %v", err)
	}
	if _, _, err := connect(t, k, false, foreign); err == nil {
		t.Error("a certificate of another maker is good")
	}
	// A bundle that cannot be read changes nothing; a new one counts at once.
	if err := os.WriteFile(bundle, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k.Reload() == nil {
		t.Error("rubbish was accepted")
	}
	if _, server, err := connect(t, k, false, mine); err != nil || len(server.VerifiedChains) == 0 {
		t.Errorf("after a bad reload: %v", err)
	}
	other.put(t, bundle)
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	if client, server, err := connect(t, k, false, mine); client.DidResume || len(server.VerifiedChains) != 0 {
		t.Errorf("a session outlives the trust in its maker: %v, resumed %v", err, client.DidResume)
	}
	if _, server, err := connect(t, k, false, foreign); err != nil || len(server.VerifiedChains) == 0 {
		t.Errorf("after the reload: %v", err)
	}
}
