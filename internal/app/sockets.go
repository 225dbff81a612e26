package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"text/tabwriter"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/registrar/edge"
)

// sockets are all listeners of the process, bound before anything serves.
type sockets struct {
	admin, http, https net.Listener
	httpsOld           net.Listener // for phones with old TLS
	tftp               net.PacketConn
	sip                []edge.Listener
	node               net.PacketConn // of other nodes
	rows               []row          // for the table, in the order of binding
}

// row is one line of the listener table.
type row struct {
	name, network, addr string
	port                int // 0 where nobody asks for it
}

// bindSockets opens every listener that is not off. On an error those that were
// opened are closed again.
func bindSockets(ctx context.Context, cfg config.Config) (s *sockets, err error) {
	s = &sockets{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, l := range []struct {
		name, addr string
		to         *net.Listener
	}{
		{"admin", cfg.Admin.Listen, &s.admin},
		{"http", cfg.HTTP.Listen, &s.http},
		{"https", cfg.HTTPS.Listen, &s.https},
		{"https.legacy", cfg.HTTPS.LegacyListen, &s.httpsOld},
	} {
		if *l.to, err = s.stream(ctx, l.name, l.addr); err != nil {
			return s, err
		}
	}
	tftp := cfg.TFTP.Listen
	if tftp == "" {
		tftp = ":6969"
		if mayBindLow() {
			tftp = ":69"
		}
	}
	if s.tftp, err = s.packet(ctx, "tftp", tftp, nil); err != nil {
		return s, err
	}
	return s, s.bindSIP(ctx, cfg)
}

// bindSIP opens the transports that the registrar serves. "tls" and "wss" get their
// certificate in openSIP.
func (s *sockets) bindSIP(ctx context.Context, all config.Config) error {
	cfg := all.SIP
	udp, err := s.packet(ctx, "sip.udp", cfg.UDP, sipControl(all))
	if err != nil {
		return err
	}
	if s.node, err = s.packet(ctx, "sip.node", cfg.NodeListen, nil); err != nil {
		return err
	}
	if udp != nil {
		s.sip = append(s.sip, edge.Listener{Transport: "udp", Packet: udp})
	}
	for _, l := range []struct{ transport, addr string }{
		{"tcp", cfg.TCP}, {"tls", cfg.TLS}, {"ws", cfg.WS}, {"wss", cfg.WSS},
	} {
		stream, err := s.stream(ctx, "sip."+l.transport, l.addr)
		if err != nil {
			return err
		}
		if stream != nil {
			s.sip = append(s.sip, edge.Listener{Transport: l.transport, Stream: stream})
		}
	}
	return nil
}

func (s *sockets) stream(ctx context.Context, name, addr string) (net.Listener, error) {
	if addr == config.Off {
		return nil, nil
	}
	var lc net.ListenConfig
	if strings.HasPrefix(name, "http") {
		lc.KeepAlive = -1 // four calls for each fetch, where the server's timeouts end what is dead
	}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.add(name, l.Addr())
	return l, nil
}

func (s *sockets) packet(ctx context.Context, name, addr string, control func(string, string, syscall.RawConn) error) (net.PacketConn, error) {
	if addr == config.Off {
		return nil, nil
	}
	lc := net.ListenConfig{Control: control}
	c, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.add(name, c.LocalAddr())
	return c, nil
}

// close closes what is open; closing twice is harmless.
func (s *sockets) close() error {
	var errs []error
	shut := func(c io.Closer) {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, l := range []net.Listener{s.admin, s.http, s.https, s.httpsOld} {
		if l != nil {
			shut(l)
		}
	}
	if s.tftp != nil {
		shut(s.tftp)
	}
	if s.node != nil {
		shut(s.node)
	}
	for _, l := range s.sip {
		if l.Packet != nil {
			shut(l.Packet)
		}
		if l.Stream != nil {
			shut(l.Stream)
		}
	}
	return errors.Join(errs...)
}

// add remembers a bound socket. Its port is read here, once: calls ask for it with
// every Via.
func (s *sockets) add(name string, addr net.Addr) {
	r := row{name: name, network: addr.Network(), addr: addr.String()}
	switch a := addr.(type) {
	case *net.TCPAddr:
		r.port = a.Port
	case *net.UDPAddr:
		r.port = a.Port
	}
	s.rows = append(s.rows, r)
}

// port returns the port of the named listener, 0 when it is off.
func (s *sockets) port(name string) int {
	for _, r := range s.rows {
		if r.name == name {
			return r.port
		}
	}
	return 0
}

// printTable writes the line "ready" and the listener table, which ends with an
// empty line, all at once: who reads it never sees half a table.
func (s *sockets) printTable(out io.Writer, extra ...row) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ready")
	fmt.Fprintln(w, "LISTENER\tNETWORK\tADDRESS")
	for _, r := range append(s.rows, extra...) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.name, r.network, r.addr)
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := out.Write(text.Bytes())
	return err
}
