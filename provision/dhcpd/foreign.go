package dhcpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What other servers tell phones is heard on the clients' port: their OFFERs and
// ACKs, as far as they are broadcast. In lease mode no other server should be there;
// in proxy mode one is, and only what it says about files matters.

const (
	clientPort = 68
	// foreignAgain is how often one finding is reported while it lasts.
	foreignAgain = time.Hour
	maxForeign   = 64 // findings that are remembered; anybody can invent servers
)

// Foreign is what another DHCP server said in an OFFER or an ACK.
type Foreign struct {
	Server netip.Addr       // option 54, else the sender
	Type   string           // "OFFER" or "ACK"
	Addr   netip.Addr       // the address it gives; zero: none
	Values map[uint8]string // options 66, 67, 150 and 160, as far as they are there
	From   netip.AddrPort   // who sent the datagram: the server or a relay
	XID    [4]byte          // of the client's exchange
}

// foreignOptions are the options that tell phones where their files are.
var foreignOptions = []uint8{optTFTPServer, optBootfile, optTFTPAddrs, optProvisioningURL}

// parseForeign reads an OFFER or an ACK; false: it is neither.
func parseForeign(b []byte, from netip.AddrPort) (Foreign, bool) {
	if len(b) < headerLen || b[0] != bootReply || string(b[fileEnd:headerLen]) != "\x63\x82\x53\x63" {
		return Foreign{}, false
	}
	var opts options
	if opts.read(b[headerLen:]) != nil {
		return Foreign{}, false
	}
	f := Foreign{From: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), XID: [4]byte(b[xidAt:]), Addr: fromBytes(b[yiaddrAt:siaddrAt]), Values: map[uint8]string{}}
	switch v := opts.get(optType); {
	case len(v) == 1 && v[0] == 2:
		f.Type = "OFFER"
	case len(v) == 1 && v[0] == 5:
		f.Type = "ACK"
	default:
		return Foreign{}, false
	}
	if f.Server = fromBytes(opts.get(optServerID)); !f.Server.IsValid() {
		f.Server = f.From.Addr()
	}
	for _, code := range foreignOptions {
		v := opts.get(code)
		if v == nil {
			continue
		}
		f.Values[code] = printable(v)
		if code == optTFTPAddrs {
			f.Values[code] = addrList(v)
		}
	}
	return f, true
}

// addrList is a list of IPv4 addresses as text.
func addrList(v []byte) string {
	var out []string
	for ; len(v) >= 4 && len(out) < 8; v = v[4:] {
		out = append(out, netip.AddrFrom4([4]byte(v)).String())
	}
	return strings.Join(out, " ")
}

// overheard judges what another server said: "" is nothing to tell, else what kind of
// finding it is and a sentence.
func (e *engine) overheard(f Foreign) (kind, sentence string) {
	say := e.say(e.opts.Now())
	for _, code := range []uint8{optTFTPServer, optProvisioningURL} {
		v, there := f.Values[code]
		if there && !say.ours(v) {
			return "options", fmt.Sprintf("the DHCP server %s tells phones option %d %q, not this server", f.Server, code, v)
		}
	}
	if e.opts.Mode == Lease {
		return "server", fmt.Sprintf("another DHCP server, %s, gives addresses to phones on this network", f.Server)
	}
	return "", ""
}

// ours reports whether v is a way to say where our files are.
func (s *said) ours(v string) bool {
	if v == s.tftpHost || v == s.facts.TFTPHost {
		return true
	}
	v = strings.TrimRight(v, "/")
	for _, u := range []string{s.facts.HTTPURL, s.facts.HTTPSURL, "tftp://" + s.facts.TFTPHost} {
		if u = strings.TrimRight(u, "/"); u != "" && (v == u || strings.HasPrefix(v, u+"/")) {
			return true
		}
	}
	return false
}

// listener remembers what was told of other servers.
type listener struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// news reports whether a finding was not told lately.
func (l *listener) news(sentence string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.told[sentence]; ok && now.Sub(t) < foreignAgain {
		return false
	}
	if l.told == nil || len(l.told) >= maxForeign {
		l.told = map[string]time.Time{}
	}
	l.told[sentence] = now
	return true
}

// hear follows what other servers say on link i until ctx is done. It is a help, not
// a part of the service: a port that is taken costs one line of the log.
func (s *Server) hear(ctx context.Context, i int) {
	e := s.engine
	if e.opts.Port != defaultPort {
		return // a test, or behind something: there is no clients' port to listen on
	}
	for ctx.Err() == nil {
		conn, err := openClientPort(ctx, s.link(i).name)
		if err != nil {
			e.logs.foreign.Do(func() {
				e.opts.Logger.InfoContext(ctx, "other DHCP servers cannot be heard", "interface", s.link(i).name, "error", err)
			})
		} else {
			s.hearAll(ctx, i, conn)
		}
		select {
		case <-ctx.Done():
		case <-time.After(maxBackoff):
		}
	}
}

// hearAll reads until the socket fails or the interface is another one.
func (s *Server) hearAll(ctx context.Context, i int, conn *net.UDPConn) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	s.others.open(1)
	defer s.others.open(-1)
	index := s.link(i).index
	buf := make([]byte, maxDatagram)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(s.poll))
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		var timeout net.Error
		switch {
		case s.link(i).index != index:
			return
		case errors.As(err, &timeout) && timeout.Timeout():
			continue
		case err != nil:
			return
		}
		s.heard(ctx, i, buf[:n], from)
	}
}

// heard judges one datagram.
func (s *Server) heard(ctx context.Context, i int, b []byte, from netip.AddrPort) {
	defer s.crew.recovered(ctx)
	f, ok := parseForeign(b, from)
	if !ok || s.ownAddress(f.Server) || s.ownAddress(f.From.Addr()) {
		return
	}
	kind, sentence := s.engine.overheard(f)
	s.others.note(f, s.link(i).name, sentence, s.engine.opts.Now())
	if kind == "" {
		return
	}
	s.engine.metrics.foreign.WithLabelValues(kind).Inc()
	if now := s.engine.opts.Now(); s.foreign.news(sentence, now) {
		s.engine.opts.Logger.WarnContext(ctx, "another DHCP server was heard", "interface", s.link(i).name, "server", f.Server, "reason", sentence)
		s.engine.onNetwork(now, "foreign-"+kind, sentence)
	}
}

// ownAddress reports whether a is one of our links'.
func (s *Server) ownAddress(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		if l.isServer(a) {
			return true
		}
	}
	return false
}

// openClientPort opens the clients' port of an interface. It is shared with a DHCP
// client of this host, which gets its copy of each broadcast.
func openClientPort(ctx context.Context, name string) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) {
			serr = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.BindToDevice(int(fd), name))
		})
		return errors.Join(err, serr)
	}}
	pc, err := lc.ListenPacket(ctx, "udp4", ":"+strconv.Itoa(clientPort))
	if err != nil {
		return nil, err
	}
	return pc.(*net.UDPConn), nil // what ListenPacket makes of "udp4"
}
