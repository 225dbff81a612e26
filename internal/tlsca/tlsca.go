// Package tlsca keeps the server's certificates: its own certificate authority
// and P-256 server certificate made on the first start, or files the
// administrator gives, both replaceable while the server runs. It does not judge
// the certificates of phones.
package tlsca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	Now      func() time.Time // nil: time.Now
}

// Keeper holds the current certificate.
type Keeper struct {
	opts    Options
	current atomic.Pointer[tls.Certificate]
}

// Open loads the certificate, making CA and certificate where there are none.
func Open(o Options) (*Keeper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &Keeper{opts: o}
	return k, k.Reload()
}

// Reload reads the files again, and renews the own certificate when it is near
// its end or lacks one of the hosts. On an error the old certificate stays.
func (k *Keeper) Reload() error {
	var cert tls.Certificate
	var err error
	if k.opts.CertFile != "" {
		cert, err = tls.LoadX509KeyPair(k.opts.CertFile, k.opts.KeyFile)
	} else {
		cert, err = k.own()
	}
	if err != nil {
		return fmt.Errorf("load server certificate: %w", err)
	}
	k.current.Store(&cert)
	return nil
}

// Config returns a server configuration that always presents the current
// certificate. TLS 1.2 is the least; session tickets stay on, since a full
// handshake costs four times a resumed one.
func (k *Keeper) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil },
	}
}

func (k *Keeper) own() (tls.Certificate, error) {
	if err := os.MkdirAll(k.opts.Dir, 0o700); err != nil {
		return tls.Certificate{}, err
	}
	ca, caKey, err := k.authority()
	if err != nil {
		return tls.Certificate{}, err
	}
	certFile, keyFile := filepath.Join(k.opts.Dir, "server.pem"), filepath.Join(k.opts.Dir, "server.key")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && k.usable(cert.Leaf, ca) {
		return cert, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, err
	}
	if err := k.issue(ca, caKey, certFile, keyFile); err != nil {
		return tls.Certificate{}, err
	}
	return tls.LoadX509KeyPair(certFile, keyFile)
}

// usable reports whether leaf is ours, not about to end, and for all hosts.
func (k *Keeper) usable(leaf, ca *x509.Certificate) bool {
	if leaf.CheckSignatureFrom(ca) != nil || k.opts.Now().Add(renewAhead).After(leaf.NotAfter) {
		return false
	}
	return !slices.ContainsFunc(k.opts.Hosts, func(h string) bool { return leaf.VerifyHostname(h) != nil })
}

// authority loads the CA or makes it.
func (k *Keeper) authority() (*x509.Certificate, crypto.Signer, error) {
	certFile, keyFile := filepath.Join(k.opts.Dir, "ca.pem"), filepath.Join(k.opts.Dir, "ca.key")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := k.makeAuthority(certFile, keyFile); err != nil {
			return nil, nil, err
		}
		pair, err = tls.LoadX509KeyPair(certFile, keyFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("certificate authority: %w", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("certificate authority: the key cannot sign")
	}
	return pair.Leaf, signer, nil
}

func (k *Keeper) makeAuthority(certFile, keyFile string) error {
	tmpl, err := k.template("dialtone CA", caLife)
	if err != nil {
		return err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero = true, true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return err
	}
	return writePair(certFile, keyFile, key, der)
}

func (k *Keeper) issue(ca *x509.Certificate, caKey crypto.Signer, certFile, keyFile string) error {
	tmpl, err := k.template(k.opts.Hosts[0], serverLife)
	if err != nil {
		return err
	}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range k.opts.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return writePair(certFile, keyFile, key, der, ca.Raw)
}

func (k *Keeper) template(name string, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := k.opts.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"dialtone"}},
		NotBefore:    now.Add(-24 * time.Hour), // phones boot with a wrong clock
		NotAfter:     now.Add(life),
	}, nil
}

// writePair writes the key first: a certificate without its key would look
// complete to nobody, a key without a certificate is made again.
func writePair(certFile, keyFile string, key *ecdsa.PrivateKey, chain ...[]byte) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(keyFile, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return err
	}
	blocks := make([]*pem.Block, 0, len(chain))
	for _, c := range chain {
		blocks = append(blocks, &pem.Block{Type: "CERTIFICATE", Bytes: c})
	}
	return writeFile(certFile, 0o644, blocks...)
}

func writeFile(name string, mode os.FileMode, blocks ...*pem.Block) error {
	var text bytes.Buffer
	for _, b := range blocks {
		if err := pem.Encode(&text, b); err != nil {
			return err
		}
	}
	tmp := name + ".new"
	if err := os.WriteFile(tmp, text.Bytes(), mode); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
