package dhcpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

// loServer is a server on the loopback interface with a port of its own.
type loServer struct {
	t      *testing.T
	s      *Server
	conn   *net.UDPConn
	reg    *prometheus.Registry
	events chan phone.Event
	served chan error
}

func newLoServer(t *testing.T, mode Mode, change func(*Options)) *loServer {
	t.Helper()
	l := &loServer{t: t, reg: prometheus.NewRegistry(), events: make(chan phone.Event, 1000), served: make(chan error, 1)}
	o := Options{
		Mode: mode, Interfaces: []string{"lo"}, Facts: func() Facts { return testFacts }, PhonesOnly: true, Leases: &memLeases{},
		Range:    [2]netip.Addr{netip.MustParseAddr("127.9.0.1"), netip.MustParseAddr("127.9.3.255")},
		Recorder: func(ev phone.Event) { l.events <- ev }, Registerer: l.reg,
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.engine.opts.Port = 0 // any; replies go to the port asked from
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	l.s = s
	t.Cleanup(func() { _ = s.Close() })
	go func() { l.served <- s.Serve(context.Background()) }()
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.link(0).conn.LocalAddr().(*net.UDPAddr).Port}
	if l.conn, err = net.DialUDP("udp4", nil, to); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.conn.Close() })
	return l
}

func (l *loServer) send(b []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

func (l *loServer) receive() *dhcpv4.DHCPv4 {
	l.t.Helper()
	buf := make([]byte, maxDatagram)
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := l.conn.Read(buf)
	if err != nil {
		l.t.Fatal(err)
	}
	return mustParse(l.t, buf[:n])
}

// inform is a question whose answer comes to the asking socket.
func inform(mods ...dhcpv4.Modifier) []byte {
	return packet1(dhcpv4.MessageTypeInform, append([]dhcpv4.Modifier{withClass("yealink"), withAsked(66), withCiaddr("127.0.0.1")}, mods...)...)
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	l := newLoServer(t, Lease, nil)
	l.send([]byte("garbage"))
	l.send(inform())
	if got := l.receive(); got.TFTPServerName() != "http://10.9.0.1:8081/" {
		t.Errorf("reply %s", got.Summary())
	}
	if ev := <-l.events; ev.Kind != phone.EventDHCP || ev.MAC != testMAC || ev.Path != "INFORM" || ev.Outcome != "ok" || ev.Proto != "dhcp" {
		t.Errorf("event %+v", ev)
	}
	// A relay on the loopback network: the whole exchange.
	relay := withGiaddr("127.0.0.1")
	l.send(packet1(dhcpv4.MessageTypeDiscover, withClass("yealink"), relay))
	offer := l.receive()
	a := offer.YourIPAddr.String()
	if !strings.HasPrefix(a, "127.9.") {
		t.Fatalf("offer %s", offer.Summary())
	}
	l.send(packet1(dhcpv4.MessageTypeRequest, withClass("yealink"), relay, withAddr(50, a), withAddr(54, offer.ServerIdentifier().String())))
	if got := l.receive(); got.MessageType() != dhcpv4.MessageTypeAck || got.YourIPAddr.String() != a {
		t.Errorf("ack %s", got.Summary())
	}
	<-l.events // DISCOVER
	<-l.events // REQUEST, counted before
	if got := l.s.Addrs(); len(got) != 1 || !strings.HasSuffix(got[0], "%lo") {
		t.Errorf("addresses %q", got)
	}
	m := l.s.engine.metrics
	if got := testutil.ToFloat64(m.dropped.WithLabelValues(dropGarbage)); got != 1 {
		t.Errorf("%v garbage packets", got)
	}
	if got := testutil.ToFloat64(m.messages.WithLabelValues("REQUEST", "yealink", "ok")); got != 1 {
		t.Errorf("%v requests", got)
	}
	want := `
# HELP dialtone_dhcp_addresses Addresses of the range by state.
# TYPE dialtone_dhcp_addresses gauge
dialtone_dhcp_addresses{state="declined"} 0
dialtone_dhcp_addresses{state="free"} 1022
dialtone_dhcp_addresses{state="leased"} 1
dialtone_dhcp_addresses{state="offered"} 0
`
	if err := testutil.GatherAndCompare(l.reg, strings.NewReader(want), "dialtone_dhcp_addresses"); err != nil {
		t.Error(err)
	}
}

// TestPanic: a packet that makes the code panic costs that packet.
func TestPanic(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	l := newLoServer(t, Proxy, func(o *Options) {
		o.VendorOf = func(phone.MAC) (phone.Vendor, bool) {
			if bad.CompareAndSwap(true, false) {
				panic("planted")
			}
			return "", false
		}
	})
	bad.Store(true)
	l.send(packet1(dhcpv4.MessageTypeInform, withAsked(66), withCiaddr("127.0.0.1")))
	l.send(inform())
	l.receive()
	// Both were one worker's, in order.
	if got := testutil.ToFloat64(l.s.engine.metrics.panics); got != 1 {
		t.Errorf("%v panics", got)
	}
}

// TestDrain: Close answers what was read, and only after the store has it.
func TestDrain(t *testing.T) {
	t.Parallel()
	store := &memLeases{entered: make(chan struct{}), gate: make(chan struct{})}
	l := newLoServer(t, Lease, func(o *Options) { o.Leases = store })
	l.send(packet1(dhcpv4.MessageTypeRequest, withClass("yealink"), withCiaddr("127.9.0.9")))
	<-store.entered
	closed := make(chan error)
	go func() { closed <- l.s.Close() }()
	select {
	case <-closed:
		t.Fatal("closed while a lease was on its way to the store")
	case <-time.After(50 * time.Millisecond):
	}
	close(store.gate)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := <-l.served; err != nil {
		t.Fatal(err)
	}
	// The reply went to 127.9.0.9, which the kernel delivers to nobody here.
	if ev := <-l.events; ev.Outcome != "ok" || ev.Bytes == 0 {
		t.Errorf("event %+v", ev)
	}
	if _, ok := store.get(testMAC); !ok {
		t.Error("the lease is not stored")
	}
	if err := l.s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestOverload: when the workers are stuck packets are dropped, not queued without end.
func TestOverload(t *testing.T) {
	t.Parallel()
	store := &memLeases{entered: make(chan struct{}, 10), gate: make(chan struct{})}
	e := newEngine(t, Lease, func(o *Options) { o.Leases = store })
	c := newCrew(e)
	c.start(t.Context())
	lk := testLink()
	lk.conn = deafConn(t)
	b := packet1(dhcpv4.MessageTypeRequest, withClass("yealink"), withCiaddr("10.9.0.100"))
	read := func(b []byte) {
		p := packet{buf: c.buffers.Get().(*[maxDatagram]byte), peer: fromClient, link: lk}
		p.n = copy(p.buf[:], b)
		c.dispatch(p)
	}
	read(b)
	<-store.entered // the worker of this MAC waits for the store
	for range queueLen + 5 {
		read(b)
	}
	if got := testutil.ToFloat64(e.metrics.dropped.WithLabelValues(dropOverload)); got != 5 {
		t.Errorf("%v dropped, want 5", got)
	}
	go func() {
		for range queueLen {
			<-store.entered
		}
	}()
	close(store.gate)
	c.drain()
	if got := testutil.ToFloat64(e.metrics.messages.WithLabelValues("REQUEST", "yealink", "ok")); got != queueLen+1 {
		t.Errorf("%v answered", got)
	}
}

// deafConn is a socket whose datagrams go nowhere.
func deafConn(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestEvictedLeaseIsForgotten, unless its holder is back.
func TestEvictedLeaseIsForgotten(t *testing.T) {
	t.Parallel()
	store := &memLeases{}
	e := newEngine(t, Lease, func(o *Options) { o.Leases = store })
	for n := 1; n <= 2; n++ {
		if err := store.SaveLease(t.Context(), phone.Lease{MAC: macN(n), IP: "10.9.0.100"}); err != nil {
			t.Fatal(err)
		}
	}
	e.pool.offer(macN(2), netip.Addr{}, share{}, testNow)
	c := newCrew(e)
	c.start(t.Context())
	c.evict(macN(1))
	c.evict(macN(2))
	c.drain()
	if _, ok := store.get(macN(1)); ok {
		t.Error("the evicted lease is still stored")
	}
	if _, ok := store.get(macN(2)); !ok {
		t.Error("the lease of a client that is back was deleted")
	}
}

func TestEventLimit(t *testing.T) {
	t.Parallel()
	l := eventLimiter{}
	passed := 0
	for range 1000 {
		if l.allow(testMAC, testNow) {
			passed++
		}
	}
	if passed != eventsPhoneBurst {
		t.Errorf("%d events of one phone at once", passed)
	}
	if !l.allow(testMAC, testNow.Add(2*time.Second)) {
		t.Error("none two seconds later")
	}
	for n := range 3 * phonesPerWorker {
		l.allow(macN(n), testNow)
	}
	if len(l) > phonesPerWorker {
		t.Errorf("%d phones remembered", len(l))
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	o := Options{Mode: Proxy, Interfaces: []string{"lo"}, Facts: func() Facts { return testFacts }}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context()); err == nil {
		t.Error("Serve without Listen")
	}
	s.engine.opts.Port = 0
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context()); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
	o.Interfaces = []string{"no-such-if"}
	if s, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err == nil {
		t.Error("an interface that is not there")
	}
	// Without a name the interface is the one that has ServerIP.
	o.Interfaces, o.ServerIP = nil, netip.MustParseAddr("127.0.0.1")
	if s, err = New(o); err != nil {
		t.Fatal(err)
	}
	s.engine.opts.Port = 0
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
	if err := s.link(0).send([]byte("x"), fromClient); !errors.Is(err, net.ErrClosed) {
		t.Errorf("socket after Serve: %v", err)
	}
	o.ServerIP = netip.MustParseAddr("192.0.2.99")
	if s, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); !errors.Is(err, phone.ErrInvalid) {
		t.Errorf("an address of no interface: %v", err)
	}
}

// BenchmarkAnswer is a DISCOVER and its REQUEST without socket and store.
func BenchmarkAnswer(b *testing.B) {
	e := newEngine(b, Lease, nil)
	discover := packet1(dhcpv4.MessageTypeDiscover, withClass("yealink"), withAsked(1, 3, 6, 42, 43, 66, 120, 150))
	lk := testLink()
	res, err := e.answer(b.Context(), discover, fromClient, lk)
	if err != nil {
		b.Fatal(err)
	}
	request := packet1(dhcpv4.MessageTypeRequest, withClass("yealink"), withAsked(1, 3, 6, 42, 43, 66, 120, 150),
		withAddr(50, res.plan.yiaddr.String()), withAddr(54, "10.9.0.1"))
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range [][]byte{discover, request} {
			if res, err := e.answer(b.Context(), p, fromClient, lk); err != nil || res.reply == nil {
				b.Fatal(err, res.plan)
			}
		}
	}
}
