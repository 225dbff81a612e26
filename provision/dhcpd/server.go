package dhcpd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	loadTimeout   = 30 * time.Second
	pollInterface = 5 * time.Second // how soon a replaced interface is noticed
)

// Server answers DHCP on its interfaces.
type Server struct {
	engine  *engine
	crew    *crew
	poll    time.Duration
	foreign listener
	others  others

	mu     sync.Mutex
	links  []*link            // one per interface; replaced when the interface changes
	stop   context.CancelFunc // ends Serve
	done   chan struct{}      // closed when Serve has returned
	closed bool
}

// New checks the options. It opens nothing.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	e := &engine{opts: o, rows: rows(), metrics: newMetrics(o.Registerer), logs: newLimitedLogs()}
	for i := range e.rows {
		e.rows[i].index = i
	}
	return &Server{engine: e, crew: newCrew(e), poll: pollInterface}, nil
}

// Listen opens a socket per interface and, in lease mode, reads the stored
// leases. A port that another server has on such an interface is an error.
// After an error nothing is left open.
func (s *Server) Listen() error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	links, err := s.inspectAll()
	if err != nil {
		return fmt.Errorf("dhcp: %w", err)
	}
	if s.engine.opts.Mode == Lease {
		if err := s.engine.openPool(ctx, links); err != nil {
			return fmt.Errorf("dhcp: %w", err)
		}
	}
	for i, l := range links {
		if err := s.open(ctx, l); err != nil {
			closeLinks(links[:i])
			return fmt.Errorf("dhcp: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = links
	return nil
}

// open opens the sockets of a link.
func (s *Server) open(ctx context.Context, l *link) error {
	o := &s.engine.opts
	if err := l.open(ctx, o.Port); err != nil {
		return err
	}
	if o.Mode != Lease {
		return nil
	}
	var err error
	if l.arp, err = openARP(l.name); err != nil {
		o.Logger.InfoContext(ctx, "addresses are offered without looking whether somebody uses them", "interface", l.name, "error", err)
	}
	return nil
}

func (s *Server) inspectAll() ([]*link, error) {
	o := &s.engine.opts
	names := o.Interfaces
	if len(names) == 0 {
		name, err := interfaceOf(o.ServerIP)
		if err != nil {
			return nil, err
		}
		names = []string{name}
	}
	var links []*link
	for _, name := range names {
		l, err := inspect(name, o.ServerIP, o.Range[0])
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

// openPool makes the pool: its network is that of the interface the range is in.
func (e *engine) openPool(ctx context.Context, links []*link) error {
	first, last := e.opts.Range[0], e.opts.Range[1]
	reserved := []netip.Addr{e.opts.Router, e.opts.ServerIP}
	for _, l := range links {
		reserved = append(reserved, l.own...)
		if l.prefix.Contains(first) && l.prefix.Contains(last) {
			e.network = l.prefix
		}
	}
	if !e.network.IsValid() {
		return phone.Invalid("dhcp.range", fmt.Sprintf("%s to %s is not inside the network of an interface", first, last))
	}
	if e.opts.Router.IsValid() && !e.network.Contains(e.opts.Router) {
		return phone.Invalid("dhcp.router", "is not in the network of the range")
	}
	for _, l := range links {
		l.inRange = l.prefix == e.network
	}
	reserved = append(reserved, e.network.Addr(), lastAddr(e.network))
	e.never = reserved
	leases, err := e.opts.Leases.Leases(ctx)
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	e.pool = newPool(first, last, reserved...)
	for mac, a := range e.opts.Reservations {
		e.reserve(mac, a)
	}
	n := e.pool.load(leases)
	e.opts.Logger.InfoContext(ctx, "dhcp leases read", "stored", len(leases), "in_range", n)
	watchPool(e.opts.Registerer, e)
	return nil
}

// Reserve keeps an address for one client, beside those of Options.Reservations;
// the zero Addr ends that. What cannot be is logged and put on the phone's timeline.
// It does nothing in proxy mode.
func (s *Server) Reserve(mac phone.MAC, a netip.Addr) {
	if s.engine.pool != nil {
		s.engine.reserve(mac, a)
	}
}

func (e *engine) reserve(mac phone.MAC, a netip.Addr) {
	var err error
	if a.IsValid() && (!e.network.Contains(a) || a == e.network.Addr() || a == lastAddr(e.network) || slices.Contains(e.never, a)) {
		err = fmt.Errorf("%s is not an address for a phone in the network %s: %w", a, e.network, phone.ErrInvalid)
		a = netip.Addr{}
	}
	if err = errors.Join(err, e.pool.reserve(mac, a)); err != nil {
		e.opts.Logger.Warn("address not reserved", "mac", mac, "ip", a, "error", err)
		e.opts.Recorder(phone.Event{
			At: e.opts.Now(), Kind: phone.EventAdmin, MAC: mac, Proto: "dhcp", Path: "reservation", Outcome: outcomeError, Detail: "not reserved: " + err.Error(),
		})
	}
}

// HolderOf is the client that has a live lease of a, in lease mode.
func (s *Server) HolderOf(a netip.Addr) (phone.MAC, bool) {
	if s.engine.pool == nil {
		return phone.MAC{}, false
	}
	return s.engine.pool.holder(a, s.engine.opts.Now())
}

// Addrs lists the local addresses Listen opened, for the listener table.
func (s *Server) Addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.links {
		out = append(out, fmt.Sprintf("%s%%%s", l.conn.LocalAddr(), l.name))
	}
	return out
}

// Serve answers until ctx is done or Close is called, and then returns nil.
// What was read before is still answered. Listen comes first.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed || len(s.links) == 0 || s.stop != nil {
		defer s.mu.Unlock()
		if s.closed {
			return nil
		}
		return errors.New("dhcp: Serve without Listen, or a second time")
	}
	s.stop, s.done = cancel, make(chan struct{})
	n := len(s.links)
	s.mu.Unlock()
	defer close(s.done)
	defer s.closeSockets()

	// Wakes the readers; the sockets stay open for the replies under way.
	defer context.AfterFunc(ctx, s.stopReading)()
	s.crew.start(context.WithoutCancel(ctx))
	var readers sync.WaitGroup
	for i := range n {
		readers.Go(func() { s.readLoop(ctx, i) })
		readers.Go(func() { s.watch(ctx, i) })
		readers.Go(func() { s.hear(ctx, i) })
	}
	readers.Wait()
	s.crew.drain()
	return nil
}

// Close stops Serve, waits for it and closes the sockets. It may be called at
// any time and more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	stop, done := s.stop, s.done
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	s.closeSockets()
	return nil
}

func (s *Server) closeSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	closeLinks(s.links)
}

func closeLinks(links []*link) {
	for _, l := range links {
		l.close() // a second close does nothing
	}
}

func (s *Server) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		_ = l.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *Server) link(i int) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[i]
}
