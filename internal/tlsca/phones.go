package tlsca

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
)

// phoneConfig is a configuration and what it was made of.
type phoneConfig struct {
	*tls.Config
	from *material
	day  int64 // of its newest ticket key
}

// ticketDays is how many days a session can be resumed, one key for each.
const ticketDays = 2

const daySeconds = 24 * 60 * 60

// Phones returns the configuration of a listener for phones. It follows Reload, also
// in the CAs of phones' certificates, and session tickets: their keys change every
// day and with those CAs, so that a session never outlives the trust in them. legacy
// is for phones of before 2012: TLS 1.0 and 1.1 too, ciphers without forward secrecy.
func (k *Keeper) Phones(legacy bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS10, // the version is checked in what follows
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return k.phones(legacy)
		},
	}
}

// phones returns the present configuration, made anew when something has changed.
func (k *Keeper) phones(legacy bool) (*tls.Config, error) {
	kept := &k.modern
	if legacy {
		kept = &k.legacy
	}
	m, day := k.current.Load(), k.opts.Now().Unix()/daySeconds
	if c := kept.Load(); c != nil && c.from == m && c.day == day {
		return c.Config, nil
	}
	c := &phoneConfig{from: m, day: day, Config: &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: k.choose, ClientCAs: m.clientCAs,
	}}
	if m.clientCAs != nil {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if legacy {
		c.MinVersion, c.MaxVersion, c.CipherSuites = tls.VersionTLS10, tls.VersionTLS12, legacySuites()
	}
	if k.opts.TicketKey != nil {
		keys, err := k.ticketKeys(m, day)
		if err != nil {
			return nil, err
		}
		c.SetSessionTicketKeys(keys)
	}
	kept.Store(c) // by two clients at a time, the same
	return c.Config, nil
}

// ticketKeys are the keys of tickets, the newest first.
func (k *Keeper) ticketKeys(m *material, day int64) ([][32]byte, error) {
	keys := make([][32]byte, ticketDays)
	for i := range keys {
		b, err := hkdf.Key(sha256.New, k.opts.TicketKey, m.clientSum[:], fmt.Sprintf("dialtone ticket %d", day-int64(i)), 32)
		if err != nil {
			return nil, fmt.Errorf("derive a ticket key: %w", err)
		}
		keys[i] = [32]byte(b)
	}
	return keys, nil
}

// legacySuites are the good ciphers and those that phones of before 2012 have: a key
// exchange by RSA, CBC, 3DES.
func legacySuites() []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
}
