package httpd

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

// Handshakes counts TLS handshakes that failed, and tells of them. net/http says so
// only in its log, so that this reads the log.
type Handshakes struct {
	failed *prometheus.CounterVec
	tell   func(phone.Event)
	limit  *rate.Limiter // of what is told: anybody on the network can cause it
	log    *slog.Logger
}

// handshakeReasons are what TLS says of a failure, the label that it has, and what can
// be done about it. The first that fits counts.
var handshakeReasons = []struct{ text, label, advice string }{
	{"HTTP request to an HTTPS server", "not-tls", "it speaks HTTP on the HTTPS port"},
	{"does not look like a TLS handshake", "not-tls", "it speaks something else than TLS on the HTTPS port"},
	{"unsupported version", "version", "it has no TLS version that is allowed here; see https.legacy_listen"},
	{"protocol version", "version", "it has no TLS version that is allowed here; see https.legacy_listen"},
	{"no cipher suite", "cipher", "it has no TLS cipher in common with this server; see https.legacy_listen"},
	{"handshake failure", "cipher", "it has no TLS cipher in common with this server; see https.legacy_listen"},
	{"failed to verify certificate", "client-certificate", "its certificate is not from one of https.client_ca, or has ended"},
	{"invalid signature by the client", "client-certificate", "it does not hold the key of its certificate"},
	{"unknown certificate authority", "authority", "it does not accept the certificate of this server, since it does not trust its CA; give it the CA certificate"},
	{"expired certificate", "clock", "it does not accept the certificate of this server, which has ended by its clock; give it the right time"},
	{"certificate", "certificate", "it does not accept the certificate of this server; give it the CA certificate, and the right time"},
	{"timeout", "timeout", "it did not complete the TLS handshake in time"},
	{"EOF", "closed", ""},
	{"reset by peer", "closed", ""},
	{"broken pipe", "closed", ""},
	{"", "other", "the TLS handshake failed"},
}

// NewHandshakes returns a counter of failures. tell takes an event without a device
// for each, as long as there are not too many; nil: nobody listens.
func NewHandshakes(reg prometheus.Registerer, logger *slog.Logger, tell func(phone.Event)) *Handshakes {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	h := &Handshakes{tell: tell, limit: rate.NewLimiter(20, 100), log: logger, failed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_phone_tls_failures_total", Help: "TLS handshakes with phones that failed, by reason.",
	}, []string{"reason"})}
	if reg != nil {
		reg.MustRegister(h.failed)
	}
	return h
}

// Logger is for http.Server.ErrorLog.
func (h *Handshakes) Logger() *log.Logger { return log.New(h, "", 0) }

// Write takes one line of the log.
func (h *Handshakes) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	h.log.Debug("http: server", "message", text)
	if rest, ok := strings.CutPrefix(text, "http: TLS handshake error from "); ok {
		source, why, _ := strings.Cut(rest, ": ")
		h.note(source, why)
	}
	return len(line), nil
}

func (h *Handshakes) note(source, why string) {
	for _, r := range handshakeReasons {
		if !strings.Contains(why, r.text) {
			continue
		}
		h.failed.WithLabelValues(r.label).Inc()
		if r.advice != "" && h.tell != nil && h.limit.Allow() {
			h.log.InfoContext(context.Background(), "http: TLS handshake failed", "client", source, "reason", r.label, "error", why)
			h.tell(phone.Event{
				At: time.Now(), Kind: phone.EventConnect, Proto: "https", Outcome: r.label, Source: source, Detail: r.advice,
			})
		}
		return
	}
}
