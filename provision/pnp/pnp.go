// Package pnp answers phones that ask by multicast where their configuration is (SIP
// PnP: a SUBSCRIBE for the event ua-profile to 224.0.1.75:5060). A phone that is known
// or may be enrolled gets 200 and a NOTIFY with the URL, at the address that it asked
// from; everybody else gets silence. It reads and writes these two messages only and
// is no SIP stack.
package pnp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Group is where phones ask.
const Group = "224.0.1.75"

// Phone is who asks, as it says itself.
type Phone struct {
	MAC                               phone.MAC
	Vendor, Model, Version, UserAgent string // may be empty, and are whatever the phone wrote
	Source                            netip.AddrPort
}

// Options configure a Server. Interfaces and Answer are required.
type Options struct {
	Interfaces []string
	Port       int // 0 is 5060
	// Answer is the URL for a phone; false for one that is neither known nor may be
	// enrolled, which then gets no answer. It must be quick.
	Answer func(context.Context, Phone) (url string, ok bool)

	Recorder   func(phone.Event)     // must not block; nil: none
	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

const (
	defaultPort = 5060
	poll        = 5 * time.Second // how soon a replaced interface is noticed
)

// Server answers on its interfaces.
type Server struct {
	opts    Options
	metrics *metrics
	limits  *limits
	poll    time.Duration

	mu     sync.Mutex
	links  []*link
	closed bool
}

// New checks the options. It opens nothing.
func New(o Options) (*Server, error) {
	if o.Port == 0 {
		o.Port = defaultPort
	}
	if o.Recorder == nil {
		o.Recorder = func(phone.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case len(o.Interfaces) == 0:
		return nil, phone.Invalid("pnp.interface", "is needed")
	case o.Answer == nil:
		return nil, fmt.Errorf("pnp: Answer is nil: %w", phone.ErrInvalid)
	}
	return &Server{opts: o, metrics: newMetrics(o.Registerer), limits: newLimits(), poll: poll}, nil
}

// Listen joins the group on every interface. After an error nothing is left open.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.opts.Interfaces {
		l, err := openLink(ctx, name, s.opts.Port)
		if err != nil {
			for _, l := range s.links {
				l.close()
			}
			s.links = nil
			return fmt.Errorf("pnp: %w", err)
		}
		s.links = append(s.links, l)
	}
	return nil
}

// Addrs lists where it listens, for the listener table.
func (s *Server) Addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.links {
		out = append(out, fmt.Sprintf("%s:%d%%%s", Group, s.opts.Port, l.name))
	}
	return out
}

// Serve answers until ctx is done or Close is called, and then returns nil.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	links := s.links
	s.mu.Unlock()
	if len(links) == 0 {
		return errors.New("pnp: Serve without Listen")
	}
	var wg sync.WaitGroup
	for i := range links {
		wg.Go(func() { s.serveLink(ctx, i) })
	}
	wg.Wait()
	return nil
}

// Close closes the sockets, which ends Serve. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.links {
		l.close()
	}
	return nil
}

// serveLink serves one interface, and opens it anew when it failed or is another.
func (s *Server) serveLink(ctx context.Context, i int) {
	for {
		s.mu.Lock()
		l := s.links[i]
		s.mu.Unlock()
		s.run(ctx, l)
		for {
			if ctx.Err() != nil || s.isClosed() {
				return
			}
			fresh, err := openLink(ctx, l.name, s.opts.Port)
			if err == nil {
				s.replace(i, fresh)
				s.opts.Logger.InfoContext(ctx, "pnp socket opened again", "interface", l.name)
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(s.poll):
			}
		}
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Server) replace(i int, l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[i] = l
	if s.closed {
		l.close()
	}
}
