package tlsca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
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
	"time"

	"pbx.dev/dialtone/internal/durable"
)

// kind is a family of own certificates, from the CA down: a phone that knows RSA only
// cannot check a signature of another kind either.
type kind struct {
	suffix string // of the names of its files
	name   string // of its CA
	usage  x509.KeyUsage
	newKey func() (crypto.Signer, error)
}

var (
	ecdsaKind = kind{
		"", "dialtone CA", x509.KeyUsageDigitalSignature,
		func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	}
	rsaKind = kind{
		"-rsa", "dialtone RSA CA", x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	}
)

func (k *Keeper) file(name, suffix, ending string) string {
	return filepath.Join(k.opts.Dir, name+suffix+ending)
}

func (k *Keeper) own(of kind) (tls.Certificate, error) {
	if err := os.MkdirAll(k.opts.Dir, 0o700); err != nil {
		return tls.Certificate{}, err
	}
	ca, caKey, err := k.authority(of)
	if err != nil {
		return tls.Certificate{}, err
	}
	certFile, keyFile := k.file("server", of.suffix, ".pem"), k.file("server", of.suffix, ".key")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && k.usable(cert.Leaf, ca) {
		return cert, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, err
	}
	if err := k.issue(of, ca, caKey); err != nil {
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
func (k *Keeper) authority(of kind) (*x509.Certificate, crypto.Signer, error) {
	certFile, keyFile := k.file("ca", of.suffix, ".pem"), k.file("ca", of.suffix, ".key")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := k.makeAuthority(of, certFile, keyFile); err != nil {
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

func (k *Keeper) makeAuthority(of kind, certFile, keyFile string) error {
	tmpl, err := k.template(of.name, caLife)
	if err != nil {
		return err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero = true, true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := of.newKey()
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return err
	}
	return writePair(certFile, keyFile, key, der)
}

func (k *Keeper) issue(of kind, ca *x509.Certificate, caKey crypto.Signer) error {
	certFile, keyFile := k.file("server", of.suffix, ".pem"), k.file("server", of.suffix, ".key")
	tmpl, err := k.template(k.opts.Hosts[0], serverLife)
	if err != nil {
		return err
	}
	tmpl.KeyUsage = of.usage
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range k.opts.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	key, err := of.newKey()
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
func writePair(certFile, keyFile string, key crypto.Signer, chain ...[]byte) error {
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
	return durable.WriteFile(name, text.Bytes(), mode)
}
