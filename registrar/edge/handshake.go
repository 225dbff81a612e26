package edge

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/tlsalert"
)

// Failure is a connection that ended before it could carry SIP: its TLS handshake
// or its WebSocket upgrade failed.
type Failure struct {
	Transport string // "tls", "ws", "wss"
	Remote    netip.AddrPort
	Reason    string // one of the constants
	Err       error
}

// The reasons of a Failure.
const (
	FailedTimeout     = "timeout"     // nothing, or not all of it, came in time
	FailedClosed      = "closed"      // the peer closed without a reason
	FailedNotTLS      = "not-tls"     // it speaks something else, such as plain SIP
	FailedVersion     = "version"     // no TLS version in common
	FailedCipher      = "cipher"      // no cipher, curve or signature in common
	FailedAuthority   = "authority"   // it does not trust who signed our certificate
	FailedClock       = "clock"       // our certificate has ended, by its clock
	FailedCertificate = "certificate" // it does not accept our certificate for another reason
	FailedTLS         = "tls"         // anything else about TLS
	FailedProtocol    = "protocol"    // no proper request for a WebSocket
	FailedSubprotocol = "subprotocol" // it does not offer "sip"
	FailedOrigin      = "origin"      // the page's origin is not allowed
	FailedTooLarge    = "too-large"   // endless request headers
	FailedCrowded     = "crowded"     // too many handshakes at once, and it was the slowest
)

// handshakeError is an error whose reason is known.
type handshakeError struct {
	reason string
	err    error
}

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

var errCrowded = &handshakeError{FailedCrowded, errors.New("too many handshakes at once")}

// open makes the connection ready to carry SIP; false when it cannot. It has
// HandshakeTimeout for all of it, however slowly bytes drip.
func (c *conn) open() bool {
	if c.socket.plain() {
		return true
	}
	s := c.server
	if !s.handshakes.begin(c) {
		c.failed(errCrowded)
		return false
	}
	err := c.handshake()
	if crowdedOut := !s.handshakes.end(c); err != nil {
		if crowdedOut {
			err = errCrowded
		}
		c.failed(err)
		return false
	}
	c.since = time.Now()
	return true
}

func (c *conn) handshake() error {
	until := c.since.Add(c.server.opts.HandshakeTimeout)
	if !c.deadline(until) {
		return os.ErrClosed
	}
	if err := c.real.SetWriteDeadline(until); err != nil {
		return err
	}
	if c.socket.tls != nil {
		t := tls.Server(tlsalert.Conn{Conn: c.real}, c.socket.tls)
		if err := t.Handshake(); err != nil { //nolint:noctx // the deadline of the connection bounds it
			return &handshakeError{tlsReason(err), err}
		}
		c.stream = t
	}
	if c.socket.websocket() {
		return c.upgrade()
	}
	return nil
}

// failed counts and reports a failure, unless it was our own stopping.
func (c *conn) failed(err error) {
	c.mu.Lock()
	ours := c.draining
	c.mu.Unlock()
	if ours {
		return
	}
	f := Failure{Transport: c.flow.Transport, Remote: c.flow.Remote, Reason: reasonOf(err), Err: err}
	s := c.server
	s.metrics.handshake(f)
	s.noise("sip connection not set up", "transport", f.Transport, "client", f.Remote, "reason", f.Reason, "error", err)
	s.opts.Failed(f)
}

func reasonOf(err error) string {
	var known *handshakeError
	switch {
	case errors.As(err, &known):
		return known.reason
	case errors.Is(err, os.ErrDeadlineExceeded):
		return FailedTimeout
	}
	return FailedClosed
}

// tlsReason sorts the errors of crypto/tls, most of which have no type of their
// own, by their text.
func tlsReason(err error) string {
	var record tls.RecordHeaderError
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return FailedTimeout
	case errors.As(err, &record):
		return FailedNotTLS
	case has("unsupported versions", "protocol version", "SSLv2"):
		return FailedVersion
	case has("cipher suite", "signature algorithms", "curve", "handshake failure", "insufficient security"):
		return FailedCipher
	case has("unknown certificate authority"):
		return FailedAuthority
	case has("expired certificate"):
		return FailedClock
	case has("certificate"):
		return FailedCertificate
	case has("tls:"):
		return FailedTLS
	}
	return FailedClosed
}

// handshakes bounds those under way. When there are too many the oldest gives
// way, if it had a fair time; so silent connections cannot keep others out, and a
// storm of honest ones is not cut off half way.
type handshakes struct {
	max int

	mu      sync.Mutex
	pending map[*conn]struct{}
}

// fairTime is what a handshake gets however many others there are.
const fairTime = time.Second

func (h *handshakes) begin(c *conn) bool {
	h.mu.Lock()
	var victim *conn
	if len(h.pending) >= h.max {
		for o := range h.pending {
			if victim == nil || o.opened.Before(victim.opened) {
				victim = o
			}
		}
		if victim == nil || c.opened.Sub(victim.opened) < fairTime {
			h.mu.Unlock()
			return false
		}
		delete(h.pending, victim)
	}
	h.pending[c] = struct{}{}
	h.mu.Unlock()
	if victim != nil {
		victim.close()
	}
	return true
}

// end reports whether c was still let go on.
func (h *handshakes) end(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, there := h.pending[c]
	delete(h.pending, c)
	return there
}
