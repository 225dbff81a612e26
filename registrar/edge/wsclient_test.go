package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// certificate is a server certificate for 127.0.0.1 that nobody trusts.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// secureWorld is a Server with every stream transport on loopback.
type secureWorld struct {
	*Server
	addr map[string]string // by transport
}

func startSecure(t testing.TB, opts Options) *secureWorld {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w := &secureWorld{Server: s, addr: map[string]string{}}
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS12}
	var listeners []Listener
	for transport, c := range map[string]*tls.Config{"tcp": nil, "tls": config, "ws": nil, "wss": config} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.addr[transport] = l.Addr().String()
		listeners = append(listeners, Listener{Transport: transport, Stream: l, TLS: c})
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), listeners) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return w
}

// connect dials a transport, with TLS where it belongs, and without WebSocket.
func (w *secureWorld) connect(t testing.TB, transport string) net.Conn {
	t.Helper()
	c := dial(t, "tcp", w.addr[transport])
	if transport == "tls" || transport == "wss" {
		secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		return secure
	}
	return c
}

// wsClient is a WebSocket client of a test. It masks, and says exactly what it is
// told to.
type wsClient struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, sip\r\n\r\n"

func (w *secureWorld) websocket(t testing.TB, transport string) *wsClient {
	t.Helper()
	c := &wsClient{t: t, Conn: w.connect(t, transport)}
	c.in = bufio.NewReader(c.Conn)
	send(t, c, upgradeRequest)
	res := c.response()
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Protocol") != "sip" ||
		res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 section 1.3
		t.Fatalf("upgrade answered %v", res)
	}
	return c
}

func (c *wsClient) response() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	return res
}

// masked is a frame as a client sends it; first is FIN, RSV and opcode.
func masked(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 0x5a, 0xff, 0}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func (c *wsClient) frame(first byte, payload string) {
	c.t.Helper()
	send(c.t, c, string(masked(first, payload)))
}

// text sends one message in one frame.
func (c *wsClient) text(payload string) { c.t.Helper(); c.frame(0x81, payload) }

// next returns the next frame, which has to be whole and not masked.
func (c *wsClient) next() (op byte, payload string) {
	c.t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		c.t.Fatalf("read frame: %v", err)
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		c.t.Fatalf("frame begins with % x", head)
	}
	n := uint64(head[1])
	switch n {
	case 126, 127:
		size := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
		if _, err := io.ReadFull(c.in, size); err != nil {
			c.t.Fatal(err)
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(size)), size...))
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil {
		c.t.Fatal(err)
	}
	return head[0] & 0x0f, string(body)
}

func (c *wsClient) expect(op byte, prefix string) {
	c.t.Helper()
	if got, text := c.next(); got != op || !strings.HasPrefix(text, prefix) {
		c.t.Errorf("got frame %x %q, want %x %q", got, text, op, prefix)
	}
}

// expectClose waits for a close frame with that status and the end.
func (c *wsClient) expectClose(status int) {
	c.t.Helper()
	if op, body := c.next(); op != opClose || !bytes.Equal([]byte(body), closePayload(status)) {
		c.t.Errorf("got frame %x %q, want a close with %d", op, body, status)
	}
	c.Close()
}

// viaWS is a request as a browser sends it: no Content-Length.
func viaWS(method, user string, cseq int) string {
	text := request(method, user, cseq)
	return strings.Replace(strings.Replace(text, "SIP/2.0/UDP", "SIP/2.0/WS", 1), "Content-Length: 0\r\n", "", 1)
}

func longUser(n int) string { return fmt.Sprintf("101%s", strings.Repeat("x", n)) }
