package edge

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWebSocketMessages(t *testing.T) {
	t.Parallel()
	w := startSecure(t, Options{Handler: &echo{slow: true}})
	for _, transport := range []string{"ws", "wss"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c := w.websocket(t, transport)
			c.text(viaWS("REGISTER", "101", 1))
			c.expect(opText, "SIP/2.0 200")
			c.frame(0x82, viaWS("REGISTER", "101", 2)) // binary
			c.expect(opText, "SIP/2.0 200")

			// A message in three fragments, with a ping in between.
			text := viaWS("REGISTER", "101", 3)
			c.frame(0x01, text[:5])
			c.frame(0x00, text[5:50])
			c.frame(0x89, "are you there")
			c.expect(opPong, "are you there")
			c.frame(0x80, text[50:])
			c.expect(opText, "SIP/2.0 200")

			c.text("\r\n\r\n")
			c.expect(opText, "\r\n")
			c.text("\r\n") // a pong of the client asks for nothing
			c.frame(0x8a, "")
			for _, b := range masked(0x81, viaWS("REGISTER", longUser(300), 4)) {
				send(t, c, string([]byte{b}))
			}
			c.expect(opText, "SIP/2.0 200")
			c.frame(0x88, "\x03\xe8bye")
			c.expectClose(closeNormal)
		})
	}
}

func TestWebSocketMalformed(t *testing.T) {
	t.Parallel()
	w := startSecure(t, Options{Handler: &echo{}, MaxPerIP: 100})
	c := w.websocket(t, "ws")
	c.text(strings.Replace(viaWS("REGISTER", "101", 1), "To: <sip:101@pbx.dev>\r\n", "", 1))
	c.expect(opText, "SIP/2.0 400 Missing To Header")
	c.text(viaWS("REGISTER", "101", 2))
	c.expect(opText, "SIP/2.0 200")

	tooBig := func(first byte) string { return string(masked(first, strings.Repeat("x", maxMessage+1)))[:100] }
	unmasked := masked(0x81, "x")
	unmasked[1] &^= 0x80
	for name, c := range map[string]struct {
		in     string
		status int
	}{
		"not sip":                  {string(masked(0x81, "hello")), closeProtocol},
		"not masked":               {string(unmasked), closeProtocol},
		"reserved bit":             {string(masked(0xc1, "x")), closeProtocol},
		"reserved opcode":          {string(masked(0x83, "x")), closeProtocol},
		"long ping":                {string(masked(0x89, strings.Repeat("x", 126))), closeProtocol},
		"ping in fragments":        {string(masked(0x09, "x")), closeProtocol},
		"continues nothing":        {string(masked(0x80, "x")), closeProtocol},
		"begins twice":             {string(masked(0x01, "x")) + string(masked(0x81, "x")), closeProtocol},
		"too big":                  {tooBig(0x81), closeTooBig},
		"length of 2^63":           {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff1234", closeTooBig},
		"fragments get too big":    {string(masked(0x01, strings.Repeat("x", maxMessage))) + string(masked(0x80, "x")), closeTooBig},
		"message of 64 KiB is not": {string(masked(0x81, strings.Repeat("x", maxMessage))), closeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := w.websocket(t, "ws")
			send(t, conn, c.in)
			conn.expectClose(c.status)
		})
	}
}

func TestWebSocketUpgradeRefused(t *testing.T) {
	t.Parallel()
	reg, failed := prometheus.NewRegistry(), make(chan Failure, 100)
	w := startSecure(t, Options{
		Handler: &echo{}, MaxPerIP: 100, Registerer: reg, Origins: []string{"https://phone.example"},
		Failed: func(f Failure) { failed <- f },
	})
	with := func(old, change string) string { return strings.Replace(upgradeRequest, old, change, 1) }
	cases := map[string]struct {
		in     string
		status int
		reason string
	}{
		"other subprotocol": {with("chat, sip", "chat"), http.StatusBadRequest, FailedSubprotocol},
		"no subprotocol":    {with("Sec-WebSocket-Protocol: chat, sip\r\n", ""), http.StatusBadRequest, FailedSubprotocol},
		"plain http":        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusUpgradeRequired, FailedProtocol},
		"old version":       {with("Version: 13", "Version: 8"), http.StatusUpgradeRequired, FailedProtocol},
		"short key":         {with("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), http.StatusBadRequest, FailedProtocol},
		"post":              {with("GET", "POST"), http.StatusUpgradeRequired, FailedProtocol},
		"sip":               {request("REGISTER", "101", 1), http.StatusBadRequest, FailedProtocol},
		"foreign page":      {with("Host: x\r\n", "Host: x\r\nOrigin: https://evil.example\r\n"), http.StatusForbidden, FailedOrigin},
		"own page":          {with("Host: x\r\n", "Host: x\r\nOrigin: https://phone.example\r\n"), http.StatusSwitchingProtocols, ""},
		"endless headers": {
			with("Host: x\r\n", strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20)),
			http.StatusRequestHeaderFieldsTooLarge, FailedTooLarge,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn := &wsClient{t: t, Conn: w.connect(t, "ws")}
			conn.in = newReader(conn.Conn)
			send(t, conn, c.in)
			if got := conn.response().StatusCode; got != c.status {
				t.Errorf("answered %d, want %d", got, c.status)
			}
			if c.reason == "" {
				return
			}
			if f := receive(t, failed); f.Reason != c.reason || f.Transport != "ws" || f.Remote.String() != conn.LocalAddr().String() || f.Err == nil {
				t.Errorf("reported %+v, want reason %s", f, c.reason)
			}
			closed(t, conn)
		})
	}
	if n := testutil.ToFloat64(w.metrics.handshakes.WithLabelValues("ws", FailedSubprotocol)); n != 2 {
		t.Errorf("%v failures counted, want 2", n)
	}
}

// A thousand clients that say nothing keep nobody out, and go.
func TestSilentClientsDoNotBlockUpgrades(t *testing.T) {
	t.Parallel()
	w := startSecure(t, Options{Handler: &echo{}})
	for _, transport := range []string{"ws", "wss", "tls"} {
		for range 200 {
			dial(t, "tcp", w.addr[transport])
		}
	}
	for range 20 {
		c := w.websocket(t, "wss")
		c.text(viaWS("REGISTER", "101", 1))
		c.expect(opText, "SIP/2.0 200")
	}
}

func TestSlowHandshakesAreClosed(t *testing.T) {
	t.Parallel()
	failed := make(chan Failure, 10)
	w := startSecure(t, Options{Handler: &echo{}, HandshakeTimeout: 100 * time.Millisecond, Failed: func(f Failure) { failed <- f }})
	for _, transport := range []string{"tls", "ws", "wss"} {
		c := dial(t, "tcp", w.addr[transport])
		if transport == "ws" {
			send(t, c, "GET / HTTP/1.1\r\nHost: ")
		}
		closed(t, c)
		if f := receive(t, failed); f.Reason != FailedTimeout || f.Transport != transport {
			t.Errorf("reported %+v", f)
		}
	}
}

func TestWebSocketRest(t *testing.T) {
	t.Parallel()
	r, gone := newRest(), make(chan Flow, 1)
	w := startSecure(t, Options{Handler: &echo{}, Rest: r, Closed: func(f Flow) { gone <- f }})
	c := w.websocket(t, "wss")
	c.text(viaWS("INVITE", "101", 1) + "v=0")
	v := receive(t, r.conns)
	if got := read(t, v); !strings.Contains(got, "Content-Length: 3\r\n\r\nv=0") || !strings.HasPrefix(got, "INVITE ") {
		t.Errorf("rest got %q", got)
	}
	// Many write at once: each message is a frame of its own.
	var writers sync.WaitGroup
	message := "SIP/2.0 180 Ringing\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n"
	for range 8 {
		writers.Go(func() {
			for range 20 {
				if _, err := v.Write([]byte(message)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 160 {
		if op, got := c.next(); op != opText || got != message {
			t.Fatalf("frame %x of %d bytes", op, len(got))
		}
	}
	writers.Wait()
	send(t, v, "SIP/2.0 200 OK\r\n\r\n\xff\x00")
	c.expect(opBinary, "SIP/2.0 200 OK\r\n\r\n\xff\x00")
	c.Close()
	closed(t, v)
	if f := receive(t, gone); f.Transport != "wss" || w.Alive(f.ID) {
		t.Errorf("closed %+v", f)
	}
}

func TestShutdownSaysSo(t *testing.T) {
	t.Parallel()
	w := startSecure(t, Options{Handler: &echo{}})
	c := w.websocket(t, "wss")
	c.text(viaWS("REGISTER", "101", 1))
	c.expect(opText, "SIP/2.0 200")
	plain := dial(t, "tcp", w.addr["wss"]) // still in its handshake
	done := make(chan error, 1)
	go func() { done <- w.Shutdown(t.Context()) }()
	c.expectClose(closeGoingAway)
	closed(t, plain)
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}

var _ net.Conn = (*wsClient)(nil)
