package edge

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxUpgrade bounds the request that asks for a WebSocket, in bytes: browsers
// send the cookies of the host with it.
const maxUpgrade = 16 << 10

// subprotocol is what both ends have to speak (RFC 7118 section 4.1).
const subprotocol = "sip"

// upgrade reads the HTTP request and answers it (RFC 6455 section 4.2). What the
// client has sent after it is left in the reader.
func (c *conn) upgrade() error {
	head, rest, err := c.readUpgrade()
	if err != nil {
		return err
	}
	answer, refused := acceptUpgrade(head, c.server.opts.Origins)
	if _, err := c.stream.Write(answer); err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	ws := &wsReader{}
	ws.fill(copy(ws.space(), rest)) // fits: it was read into no more
	c.ws = ws
	return nil
}

// readUpgrade reads up to the empty line after the headers.
func (c *conn) readUpgrade() (head, rest []byte, err error) {
	buf, scanned := make([]byte, 0, firstRead), 0
	for {
		n, err := c.stream.Read(buf[len(buf):min(cap(buf), len(buf)+firstRead)])
		buf = buf[:len(buf)+n]
		if end := bytes.Index(buf[scanned:], []byte("\r\n\r\n")); end >= 0 {
			head = buf[:scanned+end+4]
			return head, buf[len(head):], nil
		}
		scanned = max(0, len(buf)-3)
		switch {
		case err != nil:
			return nil, nil, err
		case len(buf) >= maxUpgrade:
			_, _ = c.stream.Write(httpAnswer("431 Request Header Fields Too Large", "")) // it is closed anyway
			return nil, nil, &handshakeError{FailedTooLarge, errors.New("the upgrade request is too large")}
		case len(buf) == cap(buf):
			buf = slices.Grow(buf, cap(buf))
		}
	}
}

// acceptUpgrade answers a request for a WebSocket. The error says why it is
// refused; then, too, there is an answer.
func acceptUpgrade(head []byte, origins []string) ([]byte, error) {
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return refuseUpgrade("400 Bad Request", FailedProtocol, "the request is not HTTP")
	}
	h := req.Header
	key, keyErr := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key"))
	switch {
	case req.Method != http.MethodGet || !req.ProtoAtLeast(1, 1) || !listed(h, "Upgrade", "websocket", true) ||
		!listed(h, "Connection", "upgrade", true):
		return refuseUpgrade("426 Upgrade Required", FailedProtocol, "the request does not ask for a WebSocket")
	case h.Get("Sec-WebSocket-Version") != "13":
		return refuseUpgrade("426 Upgrade Required", FailedProtocol, "the WebSocket version is not 13")
	case keyErr != nil || len(key) != 16 || len(h.Values("Sec-WebSocket-Key")) != 1:
		return refuseUpgrade("400 Bad Request", FailedProtocol, "the Sec-WebSocket-Key is malformed")
	case !allowedOrigin(h.Get("Origin"), origins):
		return refuseUpgrade("403 Forbidden", FailedOrigin, fmt.Sprintf("the origin %.100q is not allowed", h.Get("Origin")))
	case !listed(h, "Sec-WebSocket-Protocol", subprotocol, false):
		return refuseUpgrade("400 Bad Request", FailedSubprotocol, "the subprotocol sip is not offered")
	}
	sum := sha1.Sum([]byte(h.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n" +
		"Sec-WebSocket-Protocol: " + subprotocol + "\r\n\r\n"), nil
}

// listed reports whether a header of tokens has one of them.
func listed(h http.Header, name, token string, fold bool) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.TrimSpace(t); t == token || fold && strings.EqualFold(t, token) {
				return true
			}
		}
	}
	return false
}

// allowedOrigin reports whether pages from there may connect. No list allows all;
// a client that names no origin is no browser, and could name any.
func allowedOrigin(origin string, origins []string) bool {
	if len(origins) == 0 || origin == "" {
		return true
	}
	return slices.ContainsFunc(origins, func(o string) bool { return strings.EqualFold(o, origin) })
}

func refuseUpgrade(status, reason, detail string) ([]byte, error) {
	return httpAnswer(status, detail), &handshakeError{reason, errors.New(detail)}
}

// httpAnswer is a response that ends the connection.
func httpAnswer(status, detail string) []byte {
	upgrade := ""
	if strings.HasPrefix(status, "426") { // RFC 9110 section 15.5.22
		upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	if detail != "" {
		detail += "\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, upgrade, len(detail), detail)
}
