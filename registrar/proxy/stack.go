package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// methodCancel is the name CANCEL has inside this package. sipgo answers a CANCEL
// on its own and forces the INVITE to 487, so that a 2xx that crosses it could
// not be passed on any more; renamed before the transaction layer sees it, it is
// an ordinary request that we answer, and the INVITE stays ours.
const methodCancel sip.RequestMethod = "X-CANCEL"

// readGrace is the time a message that was read may take until sipgo has looked
// up its connection. A UDP source that the reader has forgotten by then would be
// answered from a socket of its own, which stays open.
const readGrace = 50 * time.Millisecond

// closedTransport is what messages are marked with that come in while we close;
// sipgo finds no connection for it and drops them.
const closedTransport = "closed"

// maxSources is how many UDP sources sipgo may remember before its reader is
// restarted: it never forgets one (157 bytes each).
const maxSources = 50_000

var library sync.Once

// settleLibrary sets the globals of sipgo that it offers no option for:
//   - UDPMTUSize: stock sipgo refuses to send more than 1300 bytes over UDP, so an
//     INVITE with a video SDP would never reach a UDP phone. Fragments do.
//   - TransportBufferReadSize: 8 kB instead of 32 kB per connection. It bounds a
//     UDP datagram too; phones send what is larger over TCP.
//   - the default logger, which some layers use in place of ours: it would print
//     whole messages, digests included.
func settleLibrary() {
	library.Do(func() {
		sip.UDPMTUSize = 65535
		sip.TransportBufferReadSize = 8192
		sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	})
}

// noDial is a context that has ended: sipgo gets it with every request, so that
// it uses a connection it has and never dials or asks the DNS.
func noDial() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// stack is sipgo's transport and transaction layer for one of our transports.
// Each transport has its own, so that TLS and WebSocket, whose framing is done
// before us, are plain streams ("TCP") to sipgo, and yet no message can leave
// over the wrong transport.
type stack struct {
	transport string // as in location.Binding
	lower     string // what sipgo takes it for: "UDP" or "TCP"
	tpl       *sip.TransportLayer
	txl       *sip.TransactionLayer
	closing   atomic.Bool
	read      func(*sip.Request) // is shown every request, in order
}

func newStack(transport string, log *slog.Logger, read func(*sip.Request), handle func(*stack, *sip.Request, *sip.ServerTx)) *stack {
	settleLibrary()
	s := &stack{transport: transport, lower: "TCP", read: read}
	if transport == "udp" || transport == Link {
		s.lower = "UDP"
	}
	quiet := slog.New(newQuietHandler(log.Handler()))
	s.tpl = sip.NewTransportLayer(net.DefaultResolver, newParser(), nil, sip.WithTransportLayerLogger(quiet))
	s.tpl.OnMessage(s.received) // before the transaction layer's own
	s.txl = sip.NewTransactionLayer(s.tpl,
		sip.WithTransactionLayerLogger(quiet),
		sip.WithTransactionLayerTerminateOnConnClose(),
		// RFC 6026 section 7.3: responses without a transaction are dropped.
		sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}))
	s.txl.OnRequest(func(req *sip.Request, tx *sip.ServerTx) { handle(s, req, tx) })
	return s
}

// received sees every message before the transaction layer does.
func (s *stack) received(m sip.Message) {
	req, ok := m.(*sip.Request)
	if !ok {
		return
	}
	if req.Method == sip.CANCEL {
		req.Method = methodCancel
	}
	s.read(req)
	if s.closing.Load() {
		req.SetTransport(closedTransport)
	}
}

func (s *stack) reliable() bool { return s.lower != "UDP" }

func (s *stack) serveStream(l net.Listener) error {
	if err := s.tpl.ServeTCP(l); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve %s: %w", s.transport, err)
	}
	return nil
}

// servePacket runs sipgo's reader again whenever it was made to forget its
// sources.
func (s *stack) servePacket(c net.PacketConn) error {
	conn := &forgettingConn{PacketConn: c, pool: s.tpl.Pool("udp")}
	for {
		if err := s.tpl.ServeUDP(conn); err != nil {
			return fmt.Errorf("serve %s: %w", s.transport, err)
		}
		err := conn.err
		switch {
		case err == nil:
			conn.restarted()
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			return fmt.Errorf("serve %s: %w", s.transport, err)
		}
	}
}

func (s *stack) close() {
	s.txl.Close()
	_ = s.tpl.Close() // connections that are closed already complain
}

// connection returns the connection of a flow, or an error when there is none.
// The caller gives it back with TryClose.
func (s *stack) connection(addr string) (sip.Connection, error) {
	c, err := s.tpl.GetConnection(s.lower, addr)
	if err != nil || c == nil {
		return nil, fmt.Errorf("no %s connection with %s", s.transport, addr)
	}
	return c, nil
}

// forgettingConn ends sipgo's reader when it remembers too many sources; the
// socket stays open. All methods but ReadFrom are those of the socket.
type forgettingConn struct {
	net.PacketConn
	pool  *sip.ConnectionPool
	reads int
	err   error // of the last read; only touched by the reading goroutine
}

// ReadFrom implements net.PacketConn.
func (c *forgettingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.reads++
	if c.reads%1024 == 0 && c.pool.Size() > maxSources {
		<-time.After(readGrace)
		return 0, nil, net.ErrClosed
	}
	n, addr, err := c.PacketConn.ReadFrom(b)
	c.err = err
	return n, addr, err
}

func (c *forgettingConn) restarted() { c.reads = 0 }

// addrPort reads "ip:port"; IPv4 in IPv6 is IPv4.
func addrPort(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", s, err)
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), nil
}
