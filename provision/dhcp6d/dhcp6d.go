// Package dhcp6d tells phones by DHCPv6 where to fetch their configuration: it answers
// Information-requests (RFC 8415 section 18.3.6) with option 59, a boot file URL (RFC
// 5970), when they ask for it. It never gives an address: a SOLICIT is left to the
// site's server, and so is whatever comes through a relay.
package dhcp6d

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

const (
	serverPort = 547
	group      = "ff02::1:2" // all servers and relays of a link
	poll       = 5 * time.Second
	maxURL     = 512
)

// Options configure a Server. Interfaces and Answer are required.
type Options struct {
	Interfaces []string
	// Answer is the URL for a phone, known by the MAC address in its DUID (zero: none)
	// and its vendor class; false: no phone. It must be quick.
	Answer func(mac phone.MAC, class string) (url string, ok bool)

	Recorder   func(phone.Event)     // must not block; nil: none
	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Server answers on its interfaces.
type Server struct {
	opts    Options
	limit   *rate.Limiter
	replies *prometheus.CounterVec // outcome

	mu     sync.Mutex
	links  []*link
	closed bool
}

// link is one interface and its socket.
type link struct {
	name  string
	index int
	duid  []byte
	conn  *net.UDPConn
}

// New checks the options. It opens nothing.
func New(o Options) (*Server, error) {
	if len(o.Interfaces) == 0 {
		return nil, phone.Invalid("dhcp.interface", "is needed")
	}
	if o.Answer == nil {
		return nil, fmt.Errorf("dhcp6d: Answer is nil: %w", phone.ErrInvalid)
	}
	if o.Recorder == nil {
		o.Recorder = func(phone.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		opts: o, limit: rate.NewLimiter(500, 1000),
		replies: promauto.With(o.Registerer).NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_dhcp6_requests_total", Help: "DHCPv6 messages by what became of them; all but answered got silence.",
		}, []string{"outcome"}),
	}, nil
}

// Listen opens a socket per interface. After an error nothing is left open.
func (s *Server) Listen(ctx context.Context) error {
	for _, name := range s.opts.Interfaces {
		l, err := openLink(ctx, name)
		if err != nil {
			return errors.Join(fmt.Errorf("dhcp6: %w", err), s.Close())
		}
		s.links = append(s.links, l)
	}
	return nil
}

func openLink(ctx context.Context, name string) (*link, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) { serr = unix.BindToDevice(int(fd), name) })
		return errors.Join(err, serr)
	}}
	pc, err := lc.ListenPacket(ctx, "udp6", fmt.Sprintf("[::]:%d", serverPort))
	if err != nil {
		return nil, fmt.Errorf("listen for DHCPv6 on %s (is another DHCP server running?): %w", name, err)
	}
	l := &link{name: name, index: ifi.Index, conn: pc.(*net.UDPConn)} // what ListenPacket makes of "udp6"
	if err := ipv6.NewPacketConn(l.conn).JoinGroup(ifi, &net.UDPAddr{IP: net.ParseIP(group)}); err != nil {
		_ = l.conn.Close()
		return nil, fmt.Errorf("join %s on %s: %w", group, name, err)
	}
	l.duid = append([]byte{0, 3, 0, 1}, ifi.HardwareAddr...) // DUID-LL, RFC 8415 section 11.4
	return l, nil
}

// Addrs lists where it listens, for the listener table.
func (s *Server) Addrs() []string {
	var out []string
	for _, l := range s.links {
		out = append(out, fmt.Sprintf("[%s]:%d%%%s", group, serverPort, l.name))
	}
	return out
}

// Serve answers until ctx is done or Close is called, and then returns nil.
func (s *Server) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	for i := range s.links {
		wg.Go(func() { s.serveLink(ctx, i) })
	}
	wg.Wait()
	return nil
}

// serveLink reads one interface, and opens it anew when it failed or is another.
func (s *Server) serveLink(ctx context.Context, i int) {
	for {
		s.mu.Lock()
		l := s.links[i]
		s.mu.Unlock()
		stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
		s.readAll(ctx, l)
		stop()
		_ = l.conn.Close()
		for opened := false; !opened; {
			if ctx.Err() != nil || s.isClosed() {
				return
			}
			if fresh, err := openLink(ctx, l.name); err == nil {
				s.mu.Lock()
				s.links[i], opened = fresh, true
				if s.closed {
					_ = fresh.conn.Close()
				}
				s.mu.Unlock()
				continue
			}
			select {
			case <-ctx.Done():
			case <-time.After(poll):
			}
		}
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Server) readAll(ctx context.Context, l *link) {
	buf := make([]byte, 2048)
	for {
		_ = l.conn.SetReadDeadline(time.Now().Add(poll))
		n, from, err := l.conn.ReadFromUDPAddrPort(buf)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			if ifi, err := net.InterfaceByName(l.name); err != nil || ifi.Index != l.index {
				return
			}
		case err != nil:
			return
		default:
			s.replies.WithLabelValues(s.handle(ctx, l, buf[:n], from)).Inc()
		}
	}
}

// handle answers one datagram and says what became of it.
func (s *Server) handle(ctx context.Context, l *link, b []byte, from netip.AddrPort) (outcome string) {
	defer func() {
		if v := recover(); v != nil {
			outcome = "panic"
			s.opts.Logger.ErrorContext(ctx, "panic while handling a DHCPv6 message", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	r, err := parse(b)
	switch {
	case err != nil:
		return "other"
	case r.serverID != nil && !bytes.Equal(r.serverID, l.duid), !slices.Contains(r.asked, optBootfileURL):
		return "not-for-us"
	case !from.Addr().IsLinkLocalUnicast():
		return "off-link"
	case !s.limit.AllowN(s.opts.Now(), 1):
		return "limited"
	}
	url, ok := s.opts.Answer(r.mac, r.class)
	if !ok || url == "" || len(url) > maxURL {
		return "unknown"
	}
	answer := r.reply(l.duid, url)
	if _, err := l.conn.WriteToUDPAddrPort(answer, from); err != nil {
		return "send"
	}
	if !r.mac.IsZero() {
		s.opts.Recorder(phone.Event{
			At: s.opts.Now(), Kind: phone.EventDHCP, MAC: r.mac, Proto: "dhcp6", Path: "INFORMATION-REQUEST", Outcome: "ok", Bytes: int64(len(answer)),
			UserAgent: r.class, Source: from.Addr().WithZone("").String(), Detail: "gave options; was given 59",
		})
	}
	return "answered"
}

// Close closes the sockets, which ends Serve. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.links {
		_ = l.conn.Close() // a second close reports only that
	}
	return nil
}
