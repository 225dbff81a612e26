package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// streamSocket is a listener of connections in service.
type streamSocket struct {
	server    *Server
	transport string
	tls       *tls.Config // nil without TLS
	listener  net.Listener
	virtual   *VirtualListener // nil without Rest
	done      chan struct{}    // closed when accepting has ended
}

func (s *Server) newStreamSocket(l Listener) *streamSocket {
	t := &streamSocket{server: s, transport: l.Transport, tls: l.TLS, listener: l.Stream, done: make(chan struct{})}
	if s.opts.Rest != nil {
		t.virtual = NewVirtualListener(l.Stream.Addr())
	}
	return t
}

// websocket reports whether connections speak WebSocket.
func (t *streamSocket) websocket() bool { return t.transport == "ws" || t.transport == "wss" }

// plain reports whether connections carry SIP from the first byte on.
func (t *streamSocket) plain() bool { return t.tls == nil && !t.websocket() }

func (t *streamSocket) start(group *errgroup.Group) {
	group.Go(func() error {
		defer close(t.done)
		return t.accept()
	})
	if t.virtual == nil {
		return
	}
	group.Go(func() error {
		if err := ignoreClosed(t.server.opts.Rest.ServeStream(t.transport, t.virtual)); err != nil {
			return fmt.Errorf("serve %s: %w", t.transport, err)
		}
		return nil
	})
}

func (t *streamSocket) stopReading() {
	t.listener.Close()
	<-t.done
}

func (t *streamSocket) close() {
	if t.virtual != nil {
		_ = t.virtual.Close() // always nil
	}
}

// accept takes connections until the listener is closed. Errors such as too many
// open files pass: it waits and goes on.
func (t *streamSocket) accept() error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		real, err := t.listener.Accept()
		switch {
		case err == nil:
			wait = shortest
			t.server.guard(func() { t.welcome(real) })
		case !t.server.reading.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept %s: %w", t.transport, err)
		default:
			t.server.noise("cannot accept a connection", "transport", t.transport, "error", err)
			if !pause(t.server.stopping, wait) {
				return nil
			}
			wait = min(2*wait, longest)
		}
	}
}

// welcome starts the reader of a new connection, or closes it.
func (t *streamSocket) welcome(real net.Conn) {
	c := newConn(t, real)
	if c == nil || !t.server.conns.add(c) {
		t.server.metrics.refused.Inc()
		real.Close()
		return
	}
	go c.run()
}
