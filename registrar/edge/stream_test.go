package edge

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestTCPPipelinedAndByteByByte(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{slow: true}})
	all := ""
	for i := range 50 {
		all += request("REGISTER", "101", i)
	}
	pipelined := dial(t, "tcp", w.tcp)
	send(t, pipelined, all)
	bytewise := dial(t, "tcp", w.tcp)
	for _, b := range []byte(request("REGISTER", "101", 0) + request("REGISTER", "101", 1)) {
		send(t, bytewise, string(b))
	}
	for c, n := range map[net.Conn]int{pipelined: 50, bytewise: 2} {
		for i, got := range readMessages(t, c, n) {
			if !strings.Contains(got, fmt.Sprintf("CSeq: %d ", i)) {
				t.Fatalf("answer %d is %q", i, got)
			}
		}
	}
}

func TestTCPBody(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	c := dial(t, "tcp", w.tcp)
	withBody := strings.Replace(request("REGISTER", "101", 1), "Length: 0\r\n\r\n", "Length: 6\r\n\r\n\r\n\r\nab", 1)
	cut := len(withBody) - 5
	send(t, c, withBody[:cut])
	send(t, c, withBody[cut:]+request("REGISTER", "101", 2))
	if got := readMessages(t, c, 2); !strings.Contains(got[1], "CSeq: 2 ") {
		t.Errorf("got %q", got)
	}
}

func TestTCPPing(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	c := dial(t, "tcp", w.tcp)
	for _, part := range []string{"\r\n\r\n", "\r", "\n\r", "\n"} {
		send(t, c, part)
	}
	got := ""
	for len(got) < 4 {
		got += read(t, c)
	}
	send(t, c, "\r\n"+request("REGISTER", "101", 1))
	if got += read(t, c); !strings.HasPrefix(got, "\r\n\r\nSIP/2.0 200") {
		t.Errorf("got %q, want two pongs and the answer", got)
	}
}

func TestTCPBrokenFraming(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, MaxPerIP: 100})
	good := request("REGISTER", "101", 1)
	for name, c := range map[string]struct{ in, want string }{
		"no length":         {strings.Replace(good, "Content-Length: 0\r\n", "", 1), "SIP/2.0 400 Missing Content-Length Header"},
		"two lengths":       {strings.Replace(good, "Content-Length: 0", "Content-Length: 0\r\nl: 5", 1), "SIP/2.0 400 Bad Content-Length Header"},
		"negative length":   {strings.Replace(good, "Length: 0", "Length: -1", 1), "SIP/2.0 400 Bad Content-Length Header"},
		"length of 4 GB":    {strings.Replace(good, "Length: 0", "Length: 4294967295", 1), "SIP/2.0 400 Bad Content-Length Header"},
		"length of 65 kB":   {strings.Replace(good, "Length: 0", "Length: 65536", 1), "SIP/2.0 513 Message Too Large"},
		"many headers":      {strings.Replace(good, "Content-Length", strings.Repeat("X: y\r\n", 300)+"Content-Length", 1), "SIP/2.0 400 Bad Header Line"},
		"256 kB on its way": {strings.Replace(good, "Length: 0", "Length: 262144", 1) + strings.Repeat("x", 256<<10), "SIP/2.0 513 Message Too Large"},
		"http":              {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
		"tls":               {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", ""},
		"endless line":      {"REGISTER sip:pbx.dev SIP/2.0\r\nX: " + strings.Repeat("a", 40<<10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, "tcp", w.tcp)
			send(t, conn, c.in)
			if c.want != "" {
				expect(t, read(t, conn), c.want)
			}
			closed(t, conn)
		})
	}
}

func TestTCPMalformedKeepsTheConnection(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	c := dial(t, "tcp", w.tcp)
	send(t, c, strings.Replace(request("REGISTER", "101", 1), "To: <sip:101@pbx.dev>\r\n", "", 1)+request("REGISTER", "101", 2))
	got := readMessages(t, c, 2)
	expect(t, got[0], "SIP/2.0 400 Missing To Header")
	expect(t, got[1], "SIP/2.0 200 OK")
}

func TestSlowSendersAndSilentOnesAreClosed(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, MessageTimeout: 100 * time.Millisecond, IdleTimeout: time.Hour})
	silent, slow, good := dial(t, "tcp", w.tcp), dial(t, "tcp", w.tcp), dial(t, "tcp", w.tcp)
	send(t, good, request("REGISTER", "101", 1))
	read(t, good)
	send(t, slow, request("REGISTER", "101", 1)+"REGISTER")
	read(t, slow)
	closed(t, silent)
	closed(t, slow)
	send(t, good, request("REGISTER", "101", 2))
	expect(t, read(t, good), "SIP/2.0 200")
}

// TestBusyConnectionStays: on a connection that carries many phones a message has
// nearly always begun. Each has its own time, not all of them together.
func TestBusyConnectionStays(t *testing.T) {
	t.Parallel()
	w := startSecure(t, Options{Handler: &echo{}, MessageTimeout: 2 * time.Second})
	for name, c := range map[string]net.Conn{"tcp": w.connect(t, "tcp"), "ws": w.websocket(t, "ws")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message := []byte(request("REGISTER", "trusted", 1))
			if name == "ws" {
				message = masked(0x81, string(message))
			}
			send(t, c, string(message[:10]))
			for begun := time.Now(); time.Since(begun) < 3*time.Second; {
				send(t, c, string(message[10:])+string(message[:10]))
				if got := read(t, c); !strings.Contains(got, "SIP/2.0 200 OK") {
					t.Fatalf("got %q", got)
				}
			}
		})
	}
}

func TestIdleConnectionsAreClosedUnlessHeld(t *testing.T) {
	t.Parallel()
	gone := make(chan Flow, 10)
	w := start(t, Options{Handler: &echo{}, IdleTimeout: 50 * time.Millisecond, Closed: func(f Flow) { gone <- f }})
	held, idle := dial(t, "tcp", w.tcp), dial(t, "tcp", w.tcp)
	send(t, held, request("REGISTER", "trusted", 1))
	read(t, held)
	send(t, idle, request("REGISTER", "101", 1))
	read(t, idle)
	closed(t, idle)
	flow := receive(t, gone)
	if flow.Remote.String() != idle.LocalAddr().String() || flow.Transport != "tcp" || w.Alive(flow.ID) {
		t.Errorf("closed flow %+v (alive %v)", flow, w.Alive(flow.ID))
	}
	send(t, held, request("REGISTER", "trusted", 2))
	expect(t, read(t, held), "SIP/2.0 200")
}

func TestSilentConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, MaxPerIP: 3})
	registered := make([]net.Conn, 5) // more than MaxPerIP: they do not count
	for i := range registered {
		registered[i] = dial(t, "tcp", w.tcp)
		send(t, registered[i], request("REGISTER", "trusted", 1))
		read(t, registered[i])
	}
	var silent []net.Conn
	for range 10 {
		silent = append(silent, dial(t, "tcp", w.tcp))
	}
	late := dial(t, "tcp", w.tcp)
	send(t, late, request("REGISTER", "101", 1))
	expect(t, read(t, late), "SIP/2.0 200")
	closed(t, silent[0])
	for _, c := range registered {
		send(t, c, request("REGISTER", "trusted", 2))
		expect(t, read(t, c), "SIP/2.0 200")
	}
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, MaxConnections: 2})
	for range 2 {
		c := dial(t, "tcp", w.tcp)
		send(t, c, request("REGISTER", "trusted", 1))
		read(t, c)
	}
	closed(t, dial(t, "tcp", w.tcp))
}

// exhausted is a listener that fails a few times for want of descriptors.
type exhausted struct {
	net.Listener
	mu   sync.Mutex
	left int
}

func (e *exhausted) Accept() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.left--; e.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return e.Listener.Accept()
}

func TestAcceptSurvivesWantOfDescriptors(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handler: &echo{}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	group.Go(func() error {
		return s.Serve(t.Context(), []Listener{{Transport: "tcp", Stream: &exhausted{Listener: l, left: 3}}})
	})
	c := dial(t, "tcp", l.Addr().String())
	send(t, c, request("REGISTER", "101", 1))
	expect(t, read(t, c), "SIP/2.0 200")
	if err := errors.Join(s.Shutdown(t.Context()), group.Wait()); err != nil {
		t.Error(err)
	}
}

func TestRestGetsConnections(t *testing.T) {
	t.Parallel()
	r := newRest()
	w := start(t, Options{Handler: &echo{}, Rest: r})
	c := dial(t, "tcp", w.tcp)
	invite, bye := request("INVITE", "101", 1), request("BYE", "101", 2)
	send(t, c, invite+request("REGISTER", "101", 3)+bye)
	expect(t, read(t, c), "SIP/2.0 200")
	v := receive(t, r.conns)
	for _, want := range []string{invite, bye} {
		if got := read(t, v); got != want {
			t.Errorf("rest got %q, want %q", got, want)
		}
	}
	if v.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("remote address %s", v.RemoteAddr())
	}
	send(t, v, "SIP/2.0 100 Trying\r\n\r\n")
	expect(t, read(t, c), "SIP/2.0 100")

	// Rest lets go: the phone keeps its connection, and Rest gets it anew.
	v.Close()
	if _, err := v.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	send(t, c, invite)
	v = receive(t, r.conns)
	buf := make([]byte, len(invite)-10)
	if n, err := v.Read(buf); err != nil || string(buf[:n])+read(t, v) != invite {
		t.Errorf("a message longer than the buffer was read as %q (%v)", buf[:n], err)
	}
	// The phone goes: Rest notices.
	c.Close()
	closed(t, v)
}

func TestVouchedConnectionsBelongToRest(t *testing.T) {
	t.Parallel()
	r := newRest()
	w := start(t, Options{Handler: &echo{}, Rest: r})
	c := dial(t, "tcp", w.tcp)
	send(t, c, request("REGISTER", "trusted", 1))
	read(t, c)
	v := receive(t, r.conns)
	send(t, v, request("INVITE", "101", 1))
	expect(t, read(t, c), "INVITE")
}

func TestShutdownAnswersWhatHasCome(t *testing.T) {
	t.Parallel()
	h := &echo{slow: true, hold: make(chan struct{})}
	w := start(t, Options{Handler: h})
	udp, tcp := dial(t, "udp", w.udp), dial(t, "tcp", w.tcp)
	send(t, udp, request("REGISTER", "101", 1))
	send(t, tcp, request("REGISTER", "101", 2))
	send(t, udp, request("MARKER", "101", 3)) // its answer says that the one before is queued
	expect(t, read(t, udp), "SIP/2.0 405")
	var group errgroup.Group
	group.Go(func() error { return w.Shutdown(t.Context()) })
	close(h.hold)
	expect(t, read(t, udp), "SIP/2.0 200")
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	closed(t, tcp)
}
