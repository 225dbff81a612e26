package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base32"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision/httpd"
)

// The phones' servers, as places in App.phones.
const (
	plainHTTP = iota
	modernTLS
	legacyTLS
)

// openHTTP makes the phones' HTTP and HTTPS servers.
func (a *App) openHTTP() error {
	nonceKey, err := subkey(a.master, "phone http nonces")
	if err != nil {
		return err
	}
	handler := httpd.Handler(httpd.Options{
		Files: a.files, Uploads: a.files, ClientMAC: certificateMAC, Logger: a.log, Registerer: a.registry,
		Auth: httpd.Auth{Scheme: httpd.Scheme(a.cfg.Provision.HTTPAuth), Credentials: a.phoneCredentials, Key: nonceKey, Denied: a.record},
	})
	failed := httpd.NewHandshakes(a.registry, a.log, a.recordSIP)
	refused := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "dialtone_phone_http_refused_connections_total", Help: "Connections of phones over the limit of one address.",
	})
	a.registry.MustRegister(refused)
	a.phones = make([]*http.Server, legacyTLS+1)
	for i, l := range []*net.Listener{plainHTTP: &a.sockets.http, modernTLS: &a.sockets.https, legacyTLS: &a.sockets.httpsOld} {
		a.phones[i] = httpd.NewServer(handler, a.log)
		if *l == nil {
			continue
		}
		*l = httpd.Limit(*l, httpd.Limits{Refused: refused})
		if i != plainHTTP {
			a.phones[i].TLSConfig = a.certs.Phones(i == legacyTLS)
			a.phones[i].ErrorLog = failed.Logger()
		}
	}
	return nil
}

// phoneCredentials are what a phone proves itself with over HTTP: its MAC address, and
// a password that is derived from the master key, so that nothing is stored and a
// phone nobody knows costs the same.
func (a *App) phoneCredentials(mac phone.MAC) (string, phone.Secret) {
	m := hmac.New(sha256.New, a.phoneKey)
	m.Write(mac[:])
	password := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.Sum(nil)[:15])
	return mac.Hex(), phone.NewSecret(strings.ToLower(password))
}

// credentialsFor is phoneCredentials where phones are asked for them, else nil.
func (a *App) credentialsFor() func(phone.MAC) (string, phone.Secret) {
	if a.cfg.Provision.HTTPAuth == config.Off {
		return nil
	}
	return a.phoneCredentials
}

// certificateMAC is the MAC address in a verified factory certificate: the subject's
// common name in plain hex (Yealink, phone-facts/request_sequence.md 2.4 [V1]; Polycom
// 1.3 [U], Grandstream 3.3 [U], Snom [U]). The serial number of the subject and a name
// of the host are looked at too; a certificate that names two phones names none.
func certificateMAC(state *tls.ConnectionState) (phone.MAC, bool) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return phone.MAC{}, false
	}
	leaf := state.VerifiedChains[0][0]
	var found phone.MAC
	for _, text := range append([]string{leaf.Subject.CommonName, leaf.Subject.SerialNumber}, leaf.DNSNames...) {
		mac, err := phone.ParseMAC(text)
		if err != nil || mac.IsZero() {
			continue
		}
		if !found.IsZero() && found != mac {
			return phone.MAC{}, false
		}
		found = mac
	}
	return found, !found.IsZero()
}

// openPhoneKey derives the key of phones' HTTP passwords.
func (a *App) openPhoneKey() (err error) {
	a.phoneKey, err = subkey(a.master, "phone http passwords")
	if err == nil && a.cfg.Provision.HTTPAuth != config.Off {
		a.log.Info("phones are asked for credentials over HTTP", slog.String("scheme", a.cfg.Provision.HTTPAuth))
	}
	return err
}
