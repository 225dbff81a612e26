// Package tlsalert reads why a client gave a TLS 1.3 handshake up. A client that
// refuses our certificate does so before it has begun to encrypt, and OpenSSL, which
// most phones are built on, then sends its alert in plain text, which crypto/tls takes
// for a record that was tampered with ("bad record MAC").
package tlsalert

import (
	"crypto/tls"
	"fmt"
	"net"
)

// An alert in plain text is a record by itself (RFC 8446 sections 5.1 and 6): type,
// version, length, level, description. One that is encrypted is longer.
const (
	alertLen  = 7
	typeAlert = 21
	fatal     = 2
)

// Conn is a connection that tls.Server is to speak over. A fatal alert in plain text
// ends it with an error that names the alert.
type Conn struct{ net.Conn }

// Read implements net.Conn.
func (c Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == alertLen && b[0] == typeAlert && b[3] == 0 && b[4] == 2 && b[5] == fatal {
		return 0, fmt.Errorf("remote error: %w", tls.AlertError(b[6]))
	}
	return n, err //nolint:wrapcheck // a Conn is a net.Conn, whose errors are compared
}

// Listener gives Conns.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // a Listener is a net.Listener
	}
	return Conn{c}, nil
}
