package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Serve takes the listeners over and serves them until ctx ends, Shutdown is
// called or one of them fails; then all are closed. The error is nil unless a
// listener or Rest failed.
func (s *Server) Serve(ctx context.Context, listeners []Listener) error {
	ctx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer close(s.finished)
	sockets, err := s.open(listeners)
	if err != nil {
		closeAll(listeners)
		return err
	}
	workers := s.startWorkers(context.WithoutCancel(ctx))
	group, gctx := errgroup.WithContext(ctx)
	for _, sock := range sockets {
		sock.start(group)
	}
	<-gctx.Done()
	s.stop()
	// First nothing new comes in, then what has come in is answered.
	s.reading.Store(false)
	for _, sock := range sockets {
		sock.stopReading()
	}
	s.conns.drain()
	s.groups.wait()
	close(s.jobs)
	workers.Wait()
	for _, sock := range sockets {
		sock.close()
	}
	return group.Wait()
}

func (s *Server) begin(ctx context.Context) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return nil, errors.New("sip edge serves already")
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.stopping = ctx.Done()
	s.reading.Store(true)
	return ctx, nil
}

// Shutdown ends Serve after what has been received is answered. When ctx ends
// earlier it returns its error, and Serve goes on ending.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	select {
	case <-s.finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop sip edge: %w", ctx.Err())
	}
}

// socket is a listener in service.
type socket interface {
	start(*errgroup.Group)
	stopReading() // returns when no more requests come from it
	close()
}

func (s *Server) open(listeners []Listener) ([]socket, error) {
	var sockets []socket
	for _, l := range listeners {
		switch {
		case l.Packet != nil:
			sock, err := s.newPacketSocket(l)
			if err != nil {
				return nil, fmt.Errorf("open %s socket: %w", l.Transport, err)
			}
			sockets = append(sockets, sock)
		case l.Stream != nil && (l.Transport == "tls" || l.Transport == "wss") != (l.TLS != nil):
			return nil, fmt.Errorf("listener %q does not go with its tls configuration", l.Transport)
		case l.Stream != nil:
			sockets = append(sockets, s.newStreamSocket(l))
		default:
			return nil, fmt.Errorf("listener %q has no socket", l.Transport)
		}
	}
	return sockets, nil
}

func closeAll(listeners []Listener) {
	for _, l := range listeners {
		if l.Packet != nil {
			l.Packet.Close()
		}
		if l.Stream != nil {
			l.Stream.Close()
		}
	}
}

// startWorkers starts the pool that answers what may have to wait.
func (s *Server) startWorkers(ctx context.Context) *sync.WaitGroup {
	var workers sync.WaitGroup
	for range s.opts.Workers {
		workers.Go(func() {
			for r := range s.jobs {
				s.guard(func() { s.opts.Handler.Register(ctx, r) })
				r.release()
			}
		})
	}
	return &workers
}

// guard runs f and survives its panic.
func (s *Server) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p)
		}
	}()
	f()
}

// ignoreClosed drops the error of a socket that was closed on purpose.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// pause waits for d or until done is closed, and reports whether to go on.
func pause(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}
