// Package tlsca keeps the server's certificates: its own certificate authority
// and P-256 server certificate made on the first start, or files the
// administrator gives, both replaceable while the server runs. It does not judge
// the certificates of phones.
package tlsca

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	caLife     = 20 * 365 * 24 * time.Hour // phones keep a CA for their whole life
	serverLife = 397 * 24 * time.Hour      // the longest that browsers accept
	renewAhead = 30 * 24 * time.Hour
)

// Options say where the certificate comes from.
type Options struct {
	Dir      string   // own CA: ca.pem, ca.key, server.pem, server.key
	Hosts    []string // names and addresses the own server certificate is for
	CertFile string   // given certificate; Dir is then not used
	KeyFile  string
	// ClientCAFile is the PEM bundle of who issues phones' certificates; empty: phones
	// are not asked for one.
	ClientCAFile string
	// TicketKey is what the keys of session tickets are derived from, the same on all
	// nodes; nil: the library's own keys, which end with the process.
	TicketKey []byte
	Now       func() time.Time // nil: time.Now
}

// Keeper holds the current certificates. Its own come in two kinds: P-256, and RSA
// for phones that know nothing else, made when the first of those comes.
type Keeper struct {
	opts    Options
	current atomic.Pointer[material]
	modern  atomic.Pointer[phoneConfig]
	legacy  atomic.Pointer[phoneConfig]

	mu  sync.Mutex // one RSA key is made at a time
	rsa atomic.Pointer[tls.Certificate]
}

// material is what was read at one time.
type material struct {
	cert      tls.Certificate
	clientCAs *x509.CertPool // nil: phones are not asked
	clientSum [32]byte       // of the bundle
}

// Open loads the certificate, making CA and certificate where there are none.
func Open(o Options) (*Keeper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &Keeper{opts: o}
	return k, k.Reload()
}

// Reload reads the files again, and renews the own certificates when they are near
// their end or lack one of the hosts. On an error all that was read before stays.
func (k *Keeper) Reload() error {
	var m material
	var err error
	if k.opts.CertFile != "" {
		m.cert, err = tls.LoadX509KeyPair(k.opts.CertFile, k.opts.KeyFile)
	} else {
		m.cert, err = k.own(ecdsaKind)
	}
	if err != nil {
		return fmt.Errorf("load server certificate: %w", err)
	}
	if err := k.readClientCAs(&m); err != nil {
		return err
	}
	if k.rsa.Load() != nil {
		if err := k.makeRSA(true); err != nil {
			return err
		}
	}
	k.current.Store(&m)
	return nil
}

func (k *Keeper) readClientCAs(m *material) error {
	if k.opts.ClientCAFile == "" {
		return nil
	}
	text, err := os.ReadFile(k.opts.ClientCAFile)
	if err != nil {
		return fmt.Errorf("https.client_ca: %w", err)
	}
	m.clientCAs, m.clientSum = x509.NewCertPool(), sha256.Sum256(text)
	if !m.clientCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("https.client_ca: %s holds no certificate", k.opts.ClientCAFile)
	}
	return nil
}

// Config returns a server configuration that always presents the current
// certificate: the P-256 one, and the RSA one to clients that cannot use it. TLS 1.2
// is the least; session tickets stay on, since a full handshake costs four times a
// resumed one.
func (k *Keeper) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.choose}
}

// choose picks the certificate for a client.
func (k *Keeper) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert := &k.current.Load().cert
	if k.opts.CertFile != "" || hello.SupportsCertificate(cert) == nil {
		return cert, nil
	}
	if k.rsa.Load() == nil {
		if err := k.makeRSA(false); err != nil {
			return nil, err
		}
	}
	if old := k.rsa.Load(); hello.SupportsCertificate(old) == nil {
		return old, nil
	}
	return cert, nil // the handshake fails, and says why
}

// RSA makes the RSA certificate now, so that its CA can be put into phones before
// they come. It does nothing where certificates are given.
func (k *Keeper) RSA() error {
	if k.opts.CertFile != "" {
		return nil
	}
	return k.makeRSA(false)
}

// makeRSA loads the RSA certificate or makes it; with again also when there is one.
func (k *Keeper) makeRSA(again bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rsa.Load() != nil && !again {
		return nil
	}
	cert, err := k.own(rsaKind)
	if err != nil {
		return fmt.Errorf("load RSA certificate: %w", err)
	}
	k.rsa.Store(&cert)
	return nil
}
