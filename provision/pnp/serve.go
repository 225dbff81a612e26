package pnp

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	// firstResend and resends are how often a NOTIFY is repeated while the phone does
	// not answer (RFC 3261 section 17.1.2.2, cut short: the phone asks again anyway).
	firstResend = 500 * time.Millisecond
	resends     = 3
	maxPending  = 512
)

// run serves one open link until it fails, changes or ctx is done, and closes it.
func (s *Server) run(ctx context.Context, l *link) {
	defer context.AfterFunc(ctx, l.close)()
	defer l.close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.close() // ends the other reader
	wg.Go(func() { s.readAll(ctx, l, l.conn, s.response) })
	s.readAll(ctx, l, l.group, s.request)
}

// readAll hands datagrams to handle until reading fails or the interface is another.
func (s *Server) readAll(ctx context.Context, l *link, conn *net.UDPConn, handle func(context.Context, *link, []byte, netip.AddrPort)) {
	buf := make([]byte, maxDatagram)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(s.poll))
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			if !l.same() {
				return
			}
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.opts.Logger.WarnContext(ctx, "pnp socket failed", "interface", l.name, "error", err)
			return
		default:
			s.guarded(ctx, func() { handle(ctx, l, buf[:n], from) })
		}
	}
}

// guarded survives whatever a datagram does.
func (s *Server) guarded(ctx context.Context, do func()) {
	defer func() {
		if v := recover(); v != nil {
			s.metrics.requests.WithLabelValues("panic").Inc()
			s.opts.Logger.ErrorContext(ctx, "panic while handling a PnP message", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	do()
}

// request answers a SUBSCRIBE, or is silent.
func (s *Server) request(ctx context.Context, l *link, b []byte, from netip.AddrPort) {
	outcome := "garbage"
	defer func() { s.metrics.requests.WithLabelValues(outcome).Inc() }()
	q, err := parseSubscribe(b, from)
	if err != nil {
		return
	}
	if !l.local(q.Source.Addr()) || q.Source.Addr() == l.own.Addr() {
		outcome = "off-link"
		return
	}
	start := s.opts.Now()
	if !s.limits.allow(q.Source.Addr(), start) {
		outcome = "limited"
		return
	}
	url, ok := s.opts.Answer(ctx, q.Phone)
	if !ok {
		outcome = "unknown"
		return
	}
	outcome = "answered"
	tag := rand.Text()
	s.send(ctx, l, q.accept(l.own, tag), q.Source)
	branch := "z9hG4bK" + rand.Text()
	message := q.notify(l.own, tag, branch, url)
	s.send(ctx, l, message, q.Source)
	asked := question{phone: q.Phone, url: url, message: message}
	if !l.pending.add(branch, asked, func() { s.send(ctx, l, message, q.Source) }, func() { s.record(asked, "unanswered", 0) }) {
		s.metrics.notifies.WithLabelValues("unwatched").Inc()
	}
}

func (s *Server) send(ctx context.Context, l *link, b []byte, to netip.AddrPort) {
	if _, err := l.conn.WriteToUDPAddrPort(b, to); err != nil && !errors.Is(err, net.ErrClosed) {
		s.metrics.notifies.WithLabelValues("send").Inc()
		s.opts.Logger.DebugContext(ctx, "pnp answer not sent", "client", to, "error", err)
	}
}

// response is a phone's answer to a NOTIFY.
func (s *Server) response(_ context.Context, l *link, b []byte, from netip.AddrPort) {
	branch, status, ok := parseResponse(b)
	if !ok {
		return
	}
	if q, waiting := l.pending.take(branch, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())); waiting {
		outcome := "ok"
		if status > 299 {
			outcome = "refused"
		}
		s.record(q, outcome, status)
	}
}

// record counts how it ended and puts it on the phone's timeline.
func (s *Server) record(q question, outcome string, status int) {
	s.metrics.notifies.WithLabelValues(outcome).Inc()
	detail := map[string]string{
		"ok": "asked by multicast where its files are, was told %s and took it", "refused": "was told %s after it had asked, and refused it",
		"unanswered": "asked by multicast where its files are, was told %s and did not answer",
	}[outcome]
	s.opts.Recorder(phone.Event{
		At: s.opts.Now(), Kind: phone.EventPnP, MAC: q.phone.MAC, Proto: "udp", Path: "ua-profile", Outcome: outcome, Status: status,
		UserAgent: q.phone.UserAgent, Source: q.phone.Source.String(), Detail: sentence(detail, q.url),
	})
}
