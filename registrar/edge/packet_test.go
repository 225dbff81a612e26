package edge

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestUDP(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*echo{"quick": {}, "slow": {slow: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, Options{Handler: h})
			c := dial(t, "udp", w.udp)
			for i := range 100 {
				send(t, c, request("REGISTER", "101", i))
				got := read(t, c)
				expect(t, got, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP phone.invalid;branch=z9hG4bK")
				if want := fmt.Sprintf(";rport=%d;received=127.0.0.1", c.LocalAddr().(*net.UDPAddr).Port); !strings.Contains(got, want) {
					t.Fatalf("%q lacks %s", got, want)
				}
			}
		})
	}
}

func TestUDPRetransmissionGetsTheSameTag(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	c := dial(t, "udp", w.udp)
	var answers [2]string
	for i := range answers {
		send(t, c, request("REGISTER", "101", 1))
		answers[i] = read(t, c)
	}
	if answers[0] != answers[1] || !strings.Contains(answers[0], ";tag=") {
		t.Errorf("answers %q", answers)
	}
}

func TestUDPManyPhones(t *testing.T) {
	t.Parallel()
	h := &echo{slow: true}
	w := start(t, Options{Handler: h})
	const phones, each = 20, 50
	conns := make([]net.Conn, phones)
	for i := range conns {
		conns[i] = dial(t, "udp", w.udp)
	}
	for n := range each {
		for i, c := range conns {
			send(t, c, request("REGISTER", fmt.Sprint(100+i), n))
		}
		for i, c := range conns {
			if got := read(t, c); !strings.Contains(got, fmt.Sprintf("<sip:%d@", 100+i)) {
				t.Fatalf("phone %d got %q", i, got)
			}
		}
	}
	if n := h.seen.Load(); n != phones*each {
		t.Errorf("%d requests handled, want %d", n, phones*each)
	}
}

// TestUDPRefusals sends one datagram and then an OPTIONS: its answer comes first
// if the datagram is answered at all.
func TestUDPRefusals(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	good := request("REGISTER", "101", 1)
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, c := range map[string]struct{ in, want string }{
		"no Via":            {edit("Via", "Vio"), ""},
		"unreadable Via":    {edit("SIP/2.0/UDP", "nonsense"), ""},
		"garbage":           {"\x80\x00\xff garbage", ""},
		"http":              {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		"crlf":              {"\r\n\r\n", ""},
		"zeros":             {"\x00\x00\x00\x00", ""},
		"jaK":               {"jaK", ""},
		"response":          {"SIP/2.0 200 OK\r\n\r\n", ""},
		"ack":               {request("ACK", "101", 1), ""},
		"malformed ack":     {strings.Replace(request("ACK", "101", 1), "Call-ID: c-101\r\n", "", 1), ""},
		"no Call-ID":        {edit("Call-ID: c-101\r\n", ""), "SIP/2.0 400 Missing Call-ID Header"},
		"no To":             {edit("To: <sip:101@pbx.dev>\r\n", ""), "SIP/2.0 400 Missing To Header"},
		"method differs":    {edit("1 REGISTER", "1 INVITE"), "SIP/2.0 400 CSeq Method Does Not Match"},
		"version":           {edit("SIP/2.0\r", "SIP/3.0\r"), "SIP/2.0 505 Version Not Supported"},
		"lower-case method": {strings.ReplaceAll(good, "REGISTER", "rEgIsTeR"), "SIP/2.0 501 Not Implemented"},
		"4 GB":              {edit("Length: 0", "Length: 4294967295"), "SIP/2.0 400 Bad Content-Length Header"},
		"other method":      {request("INVITE", "101", 1), "SIP/2.0 405 Method Not Allowed"},
		"leading crlf":      {"\r\n\r\n" + good, "SIP/2.0 200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, "udp", w.udp)
			send(t, conn, c.in)
			send(t, conn, request("MARKER", "101", 2))
			if c.want != "" {
				expect(t, read(t, conn), c.want)
			}
			if got := read(t, conn); !strings.Contains(got, "CSeq: 2 MARKER") {
				t.Errorf("answered with %q", got)
			}
		})
	}
}

func TestUDPWithoutRport(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}})
	other := dial(t, "udp", w.udp) // only to send from another port
	phone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	port := phone.LocalAddr().(*net.UDPAddr).Port
	send(t, other, strings.Replace(request("REGISTER", "101", 1), "phone.invalid;rport", fmt.Sprintf("10.1.1.1:%d", port), 1))
	buf := make([]byte, 2000)
	n, _, err := phone.ReadFrom(buf)
	if err != nil || !strings.Contains(string(buf[:n]), fmt.Sprintf("10.1.1.1:%d;branch=z9hG4bK1;received=127.0.0.1\r\n", port)) {
		t.Errorf("the port of the Via got %q (%v)", buf[:n], err)
	}
}

// TestForceRport: the answer goes where the request came from, and the Via has what was
// asked for.
func TestForceRport(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, ForceRport: true})
	c := dial(t, "udp", w.udp)
	send(t, c, strings.Replace(request("REGISTER", "101", 1), "phone.invalid;rport", "10.1.1.1:5060", 1))
	if got := read(t, c); !strings.Contains(got, "10.1.1.1:5060;branch=z9hG4bK1;received=127.0.0.1\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestSTUN(t *testing.T) {
	t.Parallel()
	// The request and the addresses of RFC 5769 section 2, without its attributes.
	head, _ := hex.DecodeString("000100002112a442b7e7a701bc34d686fa87dfae")
	for from, want := range map[string]string{
		"192.0.2.1:32853": "0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643",
		"[2001:db8:1234:5678:11:2233:4455:6677]:32853": "010100182112a442b7e7a701bc34d686fa87dfae002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
	} {
		got, ok := appendSTUN(nil, head, netip.MustParseAddrPort(from))
		if hex.EncodeToString(got) != want || !ok {
			t.Errorf("%s: %x", from, got)
		}
	}
	w := start(t, Options{Handler: &echo{}})
	c := dial(t, "udp", w.udp)
	send(t, c, string(head))
	if got := read(t, c); len(got) != 32 || got[8:20] != string(head[8:20]) {
		t.Errorf("answer %x", got)
	}
	if _, ok := appendSTUN(nil, append(head[:2:2], 0, 9), netip.AddrPort{}); ok {
		t.Error("a request with a wrong length was answered")
	}
}

func TestPanicCostsOneMessage(t *testing.T) {
	t.Parallel()
	h := &echo{}
	h.panic.Store(true)
	w := start(t, Options{Handler: h})
	c := dial(t, "udp", w.udp)
	send(t, c, request("REGISTER", "101", 1))
	send(t, c, request("REGISTER", "101", 2))
	if got := read(t, c); !strings.Contains(got, "CSeq: 2 ") {
		t.Errorf("got %q", got)
	}
}

func TestBudgetOfASource(t *testing.T) {
	t.Parallel()
	w := start(t, Options{Handler: &echo{}, SourceRate: 1e-9, SourceBurst: 5})
	c := dial(t, "udp", w.udp)
	for i := range 20 {
		send(t, c, request("REGISTER", "trusted", i))
		expect(t, read(t, c), "SIP/2.0 200")
	}
	for i := range 20 {
		send(t, c, request("REGISTER", "101", i))
	}
	for range 5 {
		expect(t, read(t, c), "SIP/2.0 200")
	}
	if err := w.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.opts.Handler.(*echo).seen.Load(); n != 25 {
		t.Errorf("%d requests handled, want 20 trusted ones and 5", n)
	}
}

func TestFullQueueSays503(t *testing.T) {
	t.Parallel()
	h := &echo{slow: true, hold: make(chan struct{})}
	w := start(t, Options{Handler: h, Workers: 1, Queue: 1})
	c := dial(t, "udp", w.udp)
	for i := range 4 {
		send(t, c, request("REGISTER", "101", i))
	}
	got := read(t, c)
	expect(t, got, "SIP/2.0 503 Service Unavailable")
	if !strings.Contains(got, "\r\nRetry-After: ") {
		t.Errorf("%q has no Retry-After", got)
	}
	close(h.hold)
	for !strings.HasPrefix(read(t, c), "SIP/2.0 200") {
		// the other one that was refused
	}
}

func TestRestGetsTheOtherMessages(t *testing.T) {
	t.Parallel()
	r := newRest()
	w := start(t, Options{Handler: &echo{}, Rest: r})
	c := dial(t, "udp", w.udp)
	invite := request("INVITE", "101", 1)
	send(t, c, invite+"rest of the datagram")
	if got := receive(t, r.packets); got != invite {
		t.Errorf("rest got %q", got)
	}
	expect(t, read(t, c), "SIP/2.0 486")
	// What is behind us reads no Via with white space in it (RFC 4475 section 3.1.1.1).
	send(t, c, strings.Replace(invite, "Via: SIP/2.0/UDP phone.invalid;", "Via: SIP / 2.0 /UDP\r\n phone.invalid ; ", 1))
	if got := receive(t, r.packets); !strings.Contains(got, "Via: SIP/2.0/UDP phone.invalid;") {
		t.Errorf("rest got %q", got)
	}
	expect(t, read(t, c), "SIP/2.0 486")
	response := strings.Replace(invite, "INVITE sip:pbx.dev SIP/2.0", "SIP/2.0 180 Ringing", 1)
	send(t, c, response)
	if got := receive(t, r.packets); got != response {
		t.Errorf("rest got %q", got)
	}
}

// TestLargeDatagrams: what Rest could not read whole is refused and not lost, at any
// size; a REGISTER may have the size of a datagram.
func TestLargeDatagrams(t *testing.T) {
	t.Parallel()
	r := newRest()
	w := start(t, Options{Handler: &echo{}, Rest: r})
	c := dial(t, "udp", w.udp)
	sized := func(method string, size int) string {
		m := request(method, "101", 1)
		body := strings.Repeat("x", size-len(m)-len(strconv.Itoa(size))+1)
		return strings.Replace(m, "Length: 0", "Length: "+strconv.Itoa(len(body)), 1) + body
	}
	largest := sized("MESSAGE", MaxPacket-1)
	send(t, c, largest)
	if got := receive(t, r.packets); got != largest {
		t.Errorf("rest got %d bytes of %d", len(got), len(largest))
	}
	expect(t, read(t, c), "SIP/2.0 486")
	for _, size := range []int{MaxPacket + 1, 20_000, 65_000} {
		send(t, c, sized("MESSAGE", size))
		expect(t, read(t, c), "SIP/2.0 513 Message Too Large")
		send(t, c, sized("REGISTER", size))
		expect(t, read(t, c), "SIP/2.0 200")
		send(t, c, strings.Replace(sized("MESSAGE", size+100), "MESSAGE sip:pbx.dev SIP/2.0", "SIP/2.0 200 OK", 1))
		send(t, c, sized("ACK", size)) // neither is answered
	}
	send(t, c, request("INVITE", "101", 1))
	expect(t, read(t, c), "SIP/2.0 486")
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handler: &echo{}})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packet.Close()
	if err := s.Serve(t.Context(), []Listener{{Transport: "udp", Packet: packet}}); err == nil {
		t.Error("a closed socket was served")
	}
}

// wrapped hides the type of a socket, as a wrapper in a test would.
type wrapped struct{ net.PacketConn }

func TestSocketsOfOtherTypes(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handler: &echo{slow: true}})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := net.ListenPacket("udp", "[::]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), []Listener{{Transport: "udp", Packet: wrapped{packet}}}) }()
	c := dial(t, "udp", fmt.Sprintf("127.0.0.1:%d", packet.LocalAddr().(*net.UDPAddr).Port))
	send(t, c, request("REGISTER", "101", 1))
	if got := read(t, c); !strings.Contains(got, "received=127.0.0.1\r\n") {
		t.Errorf("got %q", got)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}

func TestDualStack(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Handler: &echo{}})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := net.ListenPacket("udp", "[::]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), []Listener{{Transport: "udp", Packet: packet}}) }()
	port := packet.LocalAddr().(*net.UDPAddr).Port
	for host, received := range map[string]string{"127.0.0.1": "127.0.0.1", "[::1]": "::1"} {
		c := dial(t, "udp", fmt.Sprintf("%s:%d", host, port))
		send(t, c, request("REGISTER", "101", 1))
		if got := read(t, c); !strings.Contains(got, ";received="+received+"\r\n") {
			t.Errorf("from %s: %q", host, got)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}
