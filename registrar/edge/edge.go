// Package edge is the boundary between the network and SIP: it owns the sockets,
// frames messages, answers keepalives, bounds what a peer may cost, and refuses
// what is malformed. A good REGISTER goes to a Handler; everything else goes, as
// clean and complete messages, to a Rest through virtual sockets. It knows nothing
// of registrations, passwords or calls.
package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Listener is one bound socket: Packet for "udp", Stream for the others. TLS and
// WebSocket are spoken here: everything behind sees plain SIP messages.
type Listener struct {
	Transport string
	Packet    net.PacketConn
	Stream    net.Listener
	TLS       *tls.Config // of "tls" and "wss", which need it
}

// Flow is what a message came over and what answers go back on.
type Flow struct {
	ID        string // connection id, unique while the process runs; empty for udp
	Transport string // "udp", "tcp", "tls", "ws", "wss"
	Remote    netip.AddrPort
	Socket    string // our ip:port
}

// Handler answers requests that need no transaction.
type Handler interface {
	// Quick is called by the goroutine that reads the socket. It answers r and
	// returns true if it can do so without waiting for anything.
	Quick(r *Request) bool
	// Register answers a REGISTER that Quick returned false for. It may wait.
	// The message's memory is used for nothing else, then or later.
	Register(ctx context.Context, r *Request)
	// Other answers a request of another method when there is no Rest. It must
	// not wait.
	Other(r *Request)
}

// Grouper is a Handler that answers the REGISTERs of packet sockets without a
// goroutine for each: those that were received together are begun by the reader,
// committed together and answered together.
type Grouper interface {
	// Begin is called by the goroutine that reads the socket with a REGISTER that
	// Quick returned false for. It must not wait.
	Begin(r *Request) Progress
	// Commit goes on with the requests for which Begin returned Joined. It must not
	// wait either: it calls answered once, from any goroutine, when all are answered
	// but those named, which Register has to answer. An answer may stay unsent until
	// then.
	Commit(group []*Request, answered func(but []*Request))
}

// Progress is how far Begin has come.
type Progress int

// The values of Progress.
const (
	Answered Progress = iota // there is nothing left to do
	Joined                   // Commit goes on with it
	Waits                    // Register has to
)

// Rest takes all messages but REGISTER, one socket or listener per Listener, and
// returns when the virtual socket is closed. registrar/proxy is one.
type Rest interface {
	ServePacket(transport string, c net.PacketConn) error
	ServeStream(transport string, l net.Listener) error
}

// Server serves SIP sockets. Serve runs it once.
type Server struct {
	opts    Options
	log     *slog.Logger
	metrics *metrics
	budgets *Budgets
	conns   *connTable
	// handshakes are the connections that carry no SIP yet
	handshakes handshakes
	jobs       chan *Request
	groups     groups // REGISTERs that Commit was called with
	tags       tagger
	flows      atomic.Uint64 // connections so far

	requests sync.Pool // of *Request
	spares   sync.Pool // of *group
	buffers  sync.Pool // of *buffer

	mu       sync.Mutex
	stop     context.CancelFunc // ends Serve; nil before
	stopping <-chan struct{}    // closed when Serve is ending
	finished chan struct{}      // closed when Serve has returned
	reading  atomic.Bool        // false: REGISTERs are not taken any more
}

// New returns a Server. Handler is required.
func New(opts Options) (*Server, error) {
	if opts.Handler == nil {
		return nil, errors.New("new sip edge: no handler")
	}
	opts.complete()
	s := &Server{
		opts: opts, log: opts.Logger, metrics: newMetrics(opts.Registerer), tags: newTagger(),
		budgets:    NewBudgets(1<<16, opts.SourceRate, opts.SourceBurst),
		conns:      newConnTable(opts.MaxConnections, opts.MaxPerIP),
		handshakes: handshakes{max: opts.MaxHandshakes, pending: map[*conn]struct{}{}},
		jobs:       make(chan *Request, opts.Queue),
		finished:   make(chan struct{}),
	}
	s.requests.New = func() any { return &Request{server: s} }
	s.spares.New = func() any { return new(group) }
	s.buffers.New = func() any { return new(buffer) }
	return s, nil
}

// SetRest sets Options.Rest, for a Rest that is made after the Server. It must be
// called before Serve.
func (s *Server) SetRest(rest Rest) { s.opts.Rest = rest }

// Alive reports whether the connection with that flow id is open. UDP has no
// flows to be alive: its id is empty and the answer true.
func (s *Server) Alive(flow string) bool { return flow == "" || s.conns.get(flow) != nil }
