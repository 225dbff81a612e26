package registrar

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

// spoofedConn is a UDP socket that receives datagrams from sources that nobody saw
// before, and whose answers go nowhere.
type spoofedConn struct {
	net.PacketConn // never used but for its address
	left           atomic.Int64
	sent           atomic.Int64
	drained        chan struct{} // closed when all have been read
	closed         chan struct{}
}

func (c *spoofedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n := c.left.Add(-1)
	if n < 0 {
		if n == -1 {
			close(c.drained)
		}
		<-c.closed
		return 0, nil, os.ErrDeadlineExceeded
	}
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + n>>24), byte(n >> 16), byte(n >> 8), byte(n)}), uint16(1024+n%60000))
	method := "REGISTER"
	if n%4 == 0 {
		method = "OPTIONS"
	}
	msg := fmt.Appendf(b[:0], "%s sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:101@pbx.dev>;tag=%d\r\nTo: <sip:101@pbx.dev>\r\nCall-ID: %d\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, n, n, n, method)
	return len(msg), net.UDPAddrFromAddrPort(from), nil
}

func (c *spoofedConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	c.sent.Add(1)
	return len(b), nil
}

func (c *spoofedConn) SetReadDeadline(time.Time) error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}

func (c *spoofedConn) Close() error { return nil }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestSpoofedSources: a million sources that ask once each are answered and leave
// nothing behind.
func TestSpoofedSources(t *testing.T) {
	if testing.Short() {
		t.Skip("a million messages")
	}
	const sources, most = 1_000_000, 8 << 20
	store, err := location.NewMemory(location.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := New(Options{Domain: "pbx.dev", Directory: directory{}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	real, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	c := &spoofedConn{PacketConn: real, drained: make(chan struct{}), closed: make(chan struct{})}
	c.left.Store(sources)
	before := heap()
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), []edge.Listener{{Transport: "udp", Packet: c}}) }()
	select {
	case <-c.drained:
	case <-time.After(5 * time.Minute):
		t.Fatal("not all are read")
	}
	after := heap()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	grown := int64(after) - int64(before)
	t.Logf("%d sources, %d answers, %d bytes more", sources, c.sent.Load(), grown)
	if grown > most {
		t.Errorf("%d bytes more after %d sources, want at most %d", grown, sources, most)
	}
	if got := c.sent.Load(); got < sources*9/10 {
		t.Errorf("%d answers", got)
	}
}
