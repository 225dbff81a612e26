// Package tftpd serves phones' files over TFTP (RFC 1350, with the options blksize,
// tsize, timeout and windowsize of RFC 2348, 2349 and 7440) and takes their uploads.
// What a name means and who may have it is the business of package provision; this
// package only carries the bytes. Files are sent by its own small sender, uploads are
// received by the library (docs/adr/0004-own-tftp-sender.md).
package tftpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pin/tftp/v3"
	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/provision"
)

// Getter is what the server needs of package provision.
type Getter interface {
	Get(ctx context.Context, r provision.Request) (provision.File, error)
}

var _ Getter = (*provision.Service)(nil)

// Options are what New needs. Files is required.
type Options struct {
	Files   Getter
	Uploads provision.Uploads // nil: write requests are refused

	MaxBlock     int           // bytes of file in a packet, 8..65464; 0: 1468, which fits an Ethernet frame
	MaxWindow    int           // packets between two acknowledgements; 0: 64
	MaxTransfers int           // at a time; 0: 512
	MaxPerSource int           // at a time for one address, behind which may be a site; 0: 256
	Timeout      time.Duration // until a packet is sent again, five times; 0: 1 s
	Grace        time.Duration // for transfers that are under way when Serve is told to stop; 0: 5 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

const (
	// blockSize fits an Ethernet frame: 1500 less 20 IPv4, 8 UDP and 4 TFTP.
	blockSize = 1468
	retries   = 5
	// uploadRetries is how often the library repeats an acknowledgement.
	uploadRetries = 3
	// receiveBuffer holds the requests of a building that gets its power back.
	receiveBuffer = 4 << 20
)

// Server serves one socket. Use New.
type Server struct {
	opts    Options
	bounds  bounds
	slots   *slots
	metrics *metrics
	log     *slog.Logger

	// Set by Serve.
	conn  *net.UDPConn
	ports *ports
	inbox *inbox
	work  sync.WaitGroup
}

// New returns a server.
func New(o Options) (*Server, error) {
	if o.Files == nil {
		return nil, errors.New("tftpd: Files is required")
	}
	o.MaxTransfers, o.MaxPerSource = or(o.MaxTransfers, 512), or(o.MaxPerSource, 256)
	o.MaxBlock, o.MaxWindow = or(o.MaxBlock, blockSize), or(o.MaxWindow, maxSegments)
	o.Timeout, o.Grace = or(o.Timeout, time.Second), or(o.Grace, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opts: o, bounds: bounds{block: o.MaxBlock, window: o.MaxWindow},
		slots: newSlots(o.MaxTransfers, o.MaxPerSource), log: o.Logger,
	}
	s.metrics = newMetrics(o.Registerer, s.slots)
	return s, nil
}

func or[T comparable](v, instead T) T {
	var zero T
	if v == zero {
		return instead
	}
	return v
}

// Serve answers requests from pc, a UDP socket, until ctx ends, which gives nil, or
// until pc fails. It closes pc, and gives transfers that are under way
// Options.Grace. A Server serves once.
func (s *Server) Serve(ctx context.Context, pc net.PacketConn) error {
	conn, ok := pc.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("tftp: serve: %T is no UDP socket", pc)
	}
	if err := conn.SetReadBuffer(receiveBuffer); err != nil {
		s.log.WarnContext(ctx, "tftp: receive buffer stays small", "error", err)
	}
	s.conn, s.ports, s.inbox = conn, newPorts(conn.LocalAddr()), newInbox(s, conn.LocalAddr())
	library := s.library()
	failed := make(chan error, 1)
	s.work.Go(func() { failed <- s.read(conn) })
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := library.Serve(s.inbox); err != nil {
			s.log.ErrorContext(ctx, "tftp: uploads are not received", "error", err)
		}
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("tftp: read: %w", err)
	}
	_ = conn.Close() // ends the reading; transfers have sockets of their own
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.work.Wait()
		_ = s.inbox.Close() // always nil
		library.Shutdown()
		<-served
		s.ports.close()
	}()
	s.wait(done)
	return err
}

// library is the server that receives uploads.
func (s *Server) library() *tftp.Server {
	srv := tftp.NewServer(nil, s.inbox.receive)
	srv.SetTimeout(s.opts.Timeout)
	srv.SetRetries(uploadRetries)
	srv.SetBackoff(func(int) time.Duration { return 0 })
	srv.SetBlockSizeNegotiation(false) // else the library lists interfaces
	srv.SetBlockSize(blockSize)
	srv.SetHook(s.inbox)
	return srv
}

// wait gives transfers their time, then ends them at their next packet. An upload
// that then waits for a phone which is gone ends by itself, within the retries.
func (s *Server) wait(done <-chan struct{}) {
	t := time.NewTimer(s.opts.Grace)
	defer t.Stop()
	select {
	case <-done:
		return
	case <-t.C:
	}
	s.log.Warn("tftp: transfers cut off", "transfers", s.slots.cut())
	_ = s.inbox.Close() // always nil
	t.Reset(time.Second)
	select {
	case <-done:
	case <-t.C:
	}
}

func (s *Server) panicked(p any, stack []byte) {
	s.metrics.panics.Inc()
	s.log.Error("tftp: panic", "panic", p, "stack", string(stack))
}
