package tftpd

import (
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
)

// read takes packets off the socket until that fails or is closed.
func (s *Server) read(conn *net.UDPConn) error {
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		s.packet(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

// packet starts to answer one packet. It does not keep p.
func (s *Server) packet(p []byte, from netip.AddrPort) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p, debug.Stack())
		}
	}()
	r, no := parseRequest(p)
	switch {
	case no != nil:
		s.refuse(from, no)
		return
	case r == nil:
		return
	case r.write && s.opts.Uploads == nil:
		s.refuse(from, refuseWrite)
		return
	}
	t := &transfer{server: s, request: r, state: state{id: tid{from, string(p)}}}
	switch v, before := s.slots.admit(t); v {
	case verdictServe:
		if r.write {
			s.work.Go(t.receive)
		} else {
			s.work.Go(t.run)
		}
	case verdictAgain:
		s.again(before)
	case verdictBusy:
		s.refuse(from, refuseBusy)
	case verdictIgnore:
		s.metrics.ignored.Inc()
	}
}

// again sends the first packet of t once more: its phone has asked once more.
func (s *Server) again(t *transfer) {
	conn, first := s.slots.firstOf(t)
	if conn == nil {
		return // the answer is being made
	}
	if _, err := conn.WriteToUDPAddrPort(first, t.id.source); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("tftp: cannot answer", "client", t.id.source, "error", err)
	}
}

// refuse answers a request with an error.
func (s *Server) refuse(to netip.AddrPort, no *refusal) {
	s.metrics.refused.WithLabelValues(strconv.Itoa(int(no.code))).Inc()
	if _, err := s.conn.WriteToUDPAddrPort(no.packet(), to); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("tftp: cannot answer", "client", to, "error", err)
	}
}
