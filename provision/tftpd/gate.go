package tftpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// gate stands between the socket and the library. It answers requests that are not
// served, looks up the file of the others, and hands on only those that have one.
// So a refused request costs no socket and gets the right error code, and names
// from outside never reach the library.
//
// It is a net.PacketConn and not a *net.UDPConn on purpose: with one of those the
// library lists all network interfaces on every request.
type gate struct {
	net.PacketConn
	server *Server
	ready  chan *transfer
	failed chan error
	closed chan struct{}
	once   sync.Once
	work   sync.WaitGroup

	last string // key handed on last; used by the library's one reading goroutine
}

// transfer is one file on its way to one phone.
type transfer struct {
	key     string
	request *request
	to      *net.UDPAddr
	source  netip.AddrPort
	file    provision.File
}

func newGate(s *Server, pc net.PacketConn) *gate {
	return &gate{
		PacketConn: pc, server: s,
		ready: make(chan *transfer), failed: make(chan error, 1), closed: make(chan struct{}),
	}
}

// Close stops taking requests.
func (g *gate) Close() error {
	err := net.ErrClosed
	g.once.Do(func() {
		close(g.closed)
		err = g.PacketConn.Close()
	})
	return err
}

// ReadFrom hands the next request that has a file to the library.
func (g *gate) ReadFrom(b []byte) (int, net.Addr, error) {
	g.last = ""
	select {
	case t := <-g.ready:
		g.last = t.key
		return copy(b, t.request.packet(t.key)), t.to, nil
	case <-g.closed:
		return 0, nil, net.ErrClosed
	}
}

// read takes packets off the socket until that fails or is closed.
func (g *gate) read() {
	buf := make([]byte, 2048)
	for {
		n, addr, err := g.PacketConn.ReadFrom(buf)
		if err != nil {
			select {
			case <-g.closed:
			default:
				g.failed <- err
			}
			return
		}
		if to, ok := addr.(*net.UDPAddr); ok {
			g.packet(buf[:n], to)
		}
	}
}

// packet starts to answer one packet. It does not keep p.
func (g *gate) packet(p []byte, to *net.UDPAddr) {
	r, no := parseRequest(p)
	if no != nil {
		g.refuse(to, no)
		return
	}
	if r == nil {
		return
	}
	ap := to.AddrPort()
	t := &transfer{request: r, to: to, source: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
	if !g.server.limits.acquire(t.source.Addr()) {
		g.refuse(to, refuseBusy)
		return
	}
	g.work.Go(func() { g.lookup(t) })
}

// lookup finds the file and hands the transfer on. The transfer has its place in
// the limits, which bounds the goroutines that run this.
func (g *gate) lookup(t *transfer) {
	handed := false
	defer func() {
		if p := recover(); p != nil {
			g.server.panicked(p, debug.Stack())
			g.refuse(t.to, refuseOurs)
		}
		if !handed {
			g.server.limits.release(t.source.Addr())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	var err error
	t.file, err = g.server.opts.Files.Get(ctx, provision.Request{
		Path: t.request.name, Proto: "tftp", Method: "RRQ", Source: t.source,
	})
	if err != nil {
		no := g.server.refusalOf(t, err)
		g.refuse(t.to, no)
		t.file.Done(int(no.code), 0, nil)
		return
	}
	g.server.put(t)
	select {
	case g.ready <- t:
		handed = true
	case <-g.closed:
		g.server.take(t.key)
		t.end(codeOther, 0, net.ErrClosed)
	}
}

// lookupTime bounds the search for a file; a phone asks again after some seconds.
const lookupTime = 4 * time.Second

// abandon ends the transfer that the library could not start, for want of a socket.
func (g *gate) abandon(cause error) {
	t := g.server.take(g.last)
	if t == nil {
		return
	}
	g.server.log.Error("tftp: cannot start a transfer", "client", t.source, "error", cause)
	g.refuse(t.to, refuseBusy)
	t.end(codeOther, 0, cause)
	g.server.limits.release(t.source.Addr())
}

func (g *gate) refuse(to net.Addr, no *refusal) {
	g.server.metrics.refused.WithLabelValues(strconv.Itoa(int(no.code))).Inc()
	if _, err := g.WriteTo(no.packet(), to); err != nil && !errors.Is(err, net.ErrClosed) {
		g.server.log.Debug("tftp: cannot answer", "client", to, "error", err)
	}
}

// end closes the file and records how the transfer went.
func (t *transfer) end(status int, sent int64, err error) {
	err = errors.Join(err, t.file.Close())
	t.file.Done(status, sent, err)
}

// refusalOf is the one place where an outcome becomes a TFTP error.
func (s *Server) refusalOf(t *transfer, err error) *refusal {
	switch {
	case errors.Is(err, phone.ErrNotFound):
		return refuseNotFound
	case errors.Is(err, phone.ErrInvalid):
		return refuseIllegal
	}
	s.log.Error("tftp: cannot give a file", "client", t.source, "path", t.request.name, "error", err)
	return refuseOurs
}
