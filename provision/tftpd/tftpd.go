// Package tftpd serves phones' files over TFTP (RFC 1350, with the options blksize
// and tsize of RFC 2348 and 2349). What a name means and who may have it is the
// business of package provision; this package only carries the bytes. It takes no
// uploads.
package tftpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
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
	Files Getter

	MaxTransfers int           // at a time; 0: 512
	MaxPerSource int           // at a time for one address; 0: 64
	Timeout      time.Duration // until a packet is sent again, five times; 0: 1 s
	Grace        time.Duration // for transfers that are under way when Serve is told to stop; 0: 5 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

const (
	// blockSize fits an Ethernet frame: 1500 less 20 IPv4, 8 UDP and 4 TFTP.
	blockSize = 1468
	retries   = 5
	// receiveBuffer holds the requests of a building that gets its power back.
	receiveBuffer = 4 << 20
)

// Server serves one socket. Use New.
type Server struct {
	opts    Options
	limits  *limits
	metrics *metrics
	log     *slog.Logger
	cut     chan struct{} // closed: transfers end at their next block

	mu        sync.Mutex
	transfers map[string]*transfer // handed to the library and not yet begun
	next      uint64
}

// New returns a server.
func New(o Options) (*Server, error) {
	if o.Files == nil {
		return nil, errors.New("tftpd: Files is required")
	}
	o.MaxTransfers, o.MaxPerSource = or(o.MaxTransfers, 512), or(o.MaxPerSource, 64)
	o.Timeout, o.Grace = or(o.Timeout, time.Second), or(o.Grace, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opts: o, limits: newLimits(o.MaxTransfers, o.MaxPerSource), log: o.Logger,
		cut: make(chan struct{}), transfers: map[string]*transfer{},
	}
	s.metrics = newMetrics(o.Registerer, s.limits)
	return s, nil
}

func or[T comparable](v, instead T) T {
	var zero T
	if v == zero {
		return instead
	}
	return v
}

// Serve answers requests from pc until ctx ends, which gives nil, or until pc
// fails. It closes pc, and gives transfers that are under way Options.Grace. A
// Server serves once.
func (s *Server) Serve(ctx context.Context, pc net.PacketConn) error {
	if b, ok := pc.(interface{ SetReadBuffer(bytes int) error }); ok {
		if err := b.SetReadBuffer(receiveBuffer); err != nil {
			s.log.WarnContext(ctx, "tftp: receive buffer stays small", "error", err)
		}
	}
	g := newGate(s, pc)
	srv := tftp.NewServer(s.send, nil)
	srv.SetTimeout(s.opts.Timeout)
	srv.SetRetries(retries)
	srv.SetBackoff(func(int) time.Duration { return 0 })
	srv.SetBlockSizeNegotiation(false) // else the library lists interfaces
	srv.SetBlockSize(blockSize)
	srv.SetHook(hook{g})

	served := make(chan error, 1)
	go func() { served <- srv.Serve(g) }()
	g.work.Go(g.read)

	var err error
	select {
	case <-ctx.Done():
	case err = <-g.failed:
		err = fmt.Errorf("tftp: read: %w", err)
	case err = <-served:
		err = fmt.Errorf("tftp: serve: %w", err)
		served <- nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Close() // the library closes it too, once it has it
		srv.Shutdown()
		if err := <-served; err != nil {
			s.log.WarnContext(ctx, "tftp: serve", "error", err)
		}
		g.work.Wait()
	}()
	s.wait(done)
	return err
}

// wait gives transfers their time. One that then waits for a phone which is gone
// ends by itself, within the retries.
func (s *Server) wait(done <-chan struct{}) {
	t := time.NewTimer(s.opts.Grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		close(s.cut)
		s.log.Warn("tftp: transfers cut off", "transfers", s.limits.count())
	}
}

// send is the library's handler: name is the key of a transfer.
func (s *Server) send(name string, rf io.ReaderFrom) (err error) {
	t := s.take(name)
	if t == nil {
		return errors.New(refuseOurs.text)
	}
	defer s.limits.release(t.source.Addr())
	var sent int64
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p, debug.Stack())
			err = errors.New(refuseOurs.text)
		}
		t.end(0, sent, err)
	}()
	sent, err = rf.ReadFrom(&body{file: t.file.Body, cut: s.cut})
	return err
}

// put keeps t until its handler runs.
func (s *Server) put(t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	t.key = strconv.FormatUint(s.next, 10)
	s.transfers[t.key] = t
}

// take returns the transfer and forgets it; nil when there is none.
func (s *Server) take(key string) *transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transfers[key]
	delete(s.transfers, key)
	return t
}

func (s *Server) panicked(p any, stack []byte) {
	s.metrics.panics.Inc()
	s.log.Error("tftp: panic", "panic", p, "stack", string(stack))
}

// body is a file as the library may see it: its errors go out to the phone, so
// that they say nothing.
type body struct {
	file io.ReadSeeker
	cut  <-chan struct{}
}

func (b *body) Read(p []byte) (int, error) {
	select {
	case <-b.cut:
		return 0, errors.New(refuseBusy.text)
	default:
	}
	n, err := b.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = errors.New(refuseOurs.text)
	}
	return n, err
}

// Seek lets the library find the size for tsize.
func (b *body) Seek(offset int64, whence int) (int64, error) { return b.file.Seek(offset, whence) }

// hook hears of what the library could not do.
type hook struct{ gate *gate }

// OnSuccess implements tftp.Hook; the handler knows by itself.
func (hook) OnSuccess(tftp.TransferStats) {}

// OnFailure implements tftp.Hook. A failure without an address is one of the
// library's reading loop, with the packet that it has just been handed.
func (h hook) OnFailure(stats tftp.TransferStats, err error) {
	if stats.RemoteAddr == nil {
		h.gate.abandon(err)
	}
}
