package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pbx.dev/dialtone/registrar/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests for something that has to come.
const patience = 10 * time.Second

// echo answers every REGISTER 200, at once or as one that had to wait, and vouches
// for it when the user is "trusted".
type echo struct {
	slow  bool
	hold  chan struct{} // not nil: Register waits for it
	panic atomic.Bool
	seen  atomic.Int64
}

func (e *echo) Quick(r *Request) bool {
	if e.panic.CompareAndSwap(true, false) {
		panic("test")
	}
	if e.slow {
		return false
	}
	e.answer(r)
	return true
}

func (e *echo) Register(_ context.Context, r *Request) {
	if e.hold != nil {
		<-e.hold
	}
	e.answer(r)
}

func (e *echo) answer(r *Request) {
	e.seen.Add(1)
	if strings.Contains(r.Msg.Get(wire.From), "trusted") {
		r.Vouch(time.Hour)
	}
	r.Reply(200, "OK")
}

func (e *echo) Other(r *Request) { r.Reply(405, "Method Not Allowed") }

// rest records what it is given and answers each request 486 itself.
type rest struct {
	packets chan string
	conns   chan net.Conn
}

func newRest() *rest { return &rest{packets: make(chan string, 100), conns: make(chan net.Conn, 100)} }

func (r *rest) ServePacket(_ string, c net.PacketConn) error {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		r.packets <- string(buf[:n])
		if _, err := c.WriteTo([]byte("SIP/2.0 486 Busy Here\r\n\r\n"), from); err != nil {
			return err
		}
	}
}

func (r *rest) ServeStream(_ string, l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		r.conns <- c
	}
}

// world is a Server on loopback.
type world struct {
	*Server
	udp, tcp string
	wait     func() error // for Serve
}

func start(t testing.TB, opts Options) *world {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Server: s, udp: packet.LocalAddr().String(), tcp: stream.Addr().String()}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(context.Background(), []Listener{{Transport: "udp", Packet: packet}, {Transport: "tcp", Stream: stream}})
	}()
	w.wait = sync.OnceValue(func() error { return <-served })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := w.wait(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func request(method, user string, cseq int) string {
	return fmt.Sprintf("%s sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/UDP phone.invalid;rport;branch=z9hG4bK%d\r\n"+
		"From: <sip:%s@pbx.dev>;tag=a\r\nTo: <sip:%s@pbx.dev>\r\nCall-ID: c-%s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
		method, cseq, user, user, user, cseq, method)
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// read returns the next datagram, or as much as a stream has.
func read(t testing.TB, c net.Conn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(buf[:n])
}

// readMessages reads n messages without bodies from a stream.
func readMessages(t testing.TB, c net.Conn, n int) []string {
	t.Helper()
	var text string
	for strings.Count(text, "\r\n\r\n") < n {
		text += read(t, c)
	}
	return strings.SplitAfterN(text, "\r\n\r\n", n)
}

func expect(t testing.TB, got, prefix string) {
	t.Helper()
	if !strings.HasPrefix(got, prefix) {
		t.Errorf("got %q, want %q", got, prefix)
	}
}

// closed waits for the peer to close c.
func closed(t testing.TB, c net.Conn) {
	t.Helper()
	for buf := make([]byte, 4096); ; {
		_, err := c.Read(buf)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the connection stays open")
		}
		if err != nil {
			return
		}
	}
}

func receive[T any](t testing.TB, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
