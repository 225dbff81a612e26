// Package registrar is the SIP registrar of one domain (RFC 3261 section 10): it
// tells phones who they are allowed to be and keeps in the location service where
// they are. It owns the SIP sockets through registrar/edge and the check of
// passwords through registrar/digest. It routes no calls: what is not a REGISTER
// goes to Options.Rest, which registrar/proxy implements.
package registrar

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

// Directory tells what a digest user stands for: phone.ErrNotFound when there is
// no such user.
type Directory interface {
	Credential(ctx context.Context, user string) (phone.Credential, error)
}

// cachedDirectory is a Directory that can tell without waiting what it has in memory:
// then REGISTERs need no goroutine each. known is false when it has to be asked.
type cachedDirectory interface {
	CachedCredential(user string) (cred phone.Credential, known bool, err error)
}

// Options configure a Server. Domain, Directory and Store are required.
type Options struct {
	Domain string // of every AOR
	Realm  string // of digest; "" is Domain
	// Aliases are further names and addresses by which phones call this server, in
	// To and in the Request-URI. The host's own addresses need not be listed.
	Aliases   []string
	Directory Directory
	Store     location.Store
	Rest      edge.Rest         // takes all other requests; nil: OPTIONS gets 200, the others 405
	Recorder  func(phone.Event) // gets the events of phones; it must not block. nil drops them
	Closed    func(edge.Flow)   // is told of connections that have ended; nil is not
	Origins   []string          // of the pages that may open a WebSocket; none allows all

	// Bounds of the granted expiry; 0 is one minute, two hours and one hour.
	MinExpires, MaxExpires, DefaultExpires time.Duration
	MaxContacts                            int // per AOR; 0 is 10
	// StrictUnregister: "Contact: *" of any user removes all contacts of the AOR (RFC
	// 3261 section 10.2.2), not only those of the line's device.
	StrictUnregister bool
	// Unreachable reports whether a phone is known not to answer; its contact may
	// then make room for another. nil knows of closed connections only.
	Unreachable func(location.Binding) bool

	// Proved is told of a digest user that has proved its new secret during a
	// rotation; it must not block. nil is not told.
	Proved func(user string)

	// Share is told of every wrong password that was counted, for other nodes to Count.
	// It must not wait; nil tells nobody.
	Share func(Wrong)

	// NonceKey is shared by the nodes that check each other's nonces, at least 16
	// bytes; nil is a random one.
	NonceKey []byte
	Node     string // id of this node in bindings
	Boot     string // id of this run of it

	Now        func() time.Time      // nil is time.Now
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
}

// Server is a registrar. Serve runs it once.
type Server struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	digest   *digest.Verifier
	edge     *edge.Server
	store    location.Submitter // Options.Store, or nil when it is none
	hosts    *hosts
	flows    *flowKeeper
	date     dateHeader
	bans     *bans
	logs     *rate.Limiter // lines about refused requests
	connects *rate.Limiter // events of failed connections
}

// New returns a Server that serves nothing yet. Unusable options are
// phone.ErrInvalid.
func New(opts Options) (*Server, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("new registrar: %w", err)
	}
	s := &Server{
		opts: opts, log: opts.Logger, metrics: newMetrics(opts.Registerer),
		hosts: newHosts(append([]string{opts.Domain}, opts.Aliases...), opts.Now),
		bans:  newBans(opts.Registerer),
		logs:  rate.NewLimiter(20, 100), connects: rate.NewLimiter(20, 100),
	}
	s.flows = newFlowKeeper(s)
	var err error
	check := digest.Options{
		Realm: opts.Realm, Key: opts.NonceKey, Maker: maker(opts), Lookup: opts.Directory.Credential,
		Local: s.hosts.local, Proved: opts.Proved, Now: opts.Now,
	}
	if directory, ok := opts.Directory.(cachedDirectory); ok {
		check.Cached = directory.CachedCredential
	}
	s.digest, err = digest.New(check)
	if err != nil {
		return nil, fmt.Errorf("new registrar: %w", err)
	}
	var grouper edge.Grouper
	if store, ok := opts.Store.(location.Submitter); ok && check.Cached != nil {
		s.store, grouper = store, handler{s}
	}
	s.edge, err = edge.New(edge.Options{
		Handler: handler{s}, Grouper: grouper, Rest: opts.Rest, Closed: s.closed, Failed: s.connectFailed, Origins: opts.Origins,
		Logger: opts.Logger, Registerer: opts.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("new registrar: %w", err)
	}
	return s, nil
}

// maker names this run of this node in nonces; "" is a name by chance.
func maker(o Options) string {
	if o.Boot == "" {
		return ""
	}
	return o.Node + " " + o.Boot
}

func (o *Options) complete() error {
	switch {
	case o.Domain == "":
		return phone.Invalid("Domain", "is empty")
	case o.Directory == nil:
		return phone.Invalid("Directory", "is missing")
	case o.Store == nil:
		return phone.Invalid("Store", "is missing")
	}
	o.Domain = strings.ToLower(o.Domain)
	if o.Realm == "" {
		o.Realm = o.Domain
	}
	for _, d := range []struct {
		at  *time.Duration
		def time.Duration
	}{{&o.MinExpires, time.Minute}, {&o.MaxExpires, 2 * time.Hour}, {&o.DefaultExpires, time.Hour}} {
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	if o.MinExpires < time.Second || o.MinExpires > o.MaxExpires {
		return phone.Invalid("MinExpires", "is below one second or above MaxExpires")
	}
	o.DefaultExpires = min(max(o.DefaultExpires, o.MinExpires), o.MaxExpires)
	if o.MaxContacts == 0 {
		o.MaxContacts = 10
	}
	o.completeSinks()
	if o.NonceKey == nil {
		o.NonceKey = make([]byte, 32)
		if _, err := rand.Read(o.NonceKey); err != nil {
			return fmt.Errorf("make a nonce key: %w", err)
		}
	}
	return nil
}

func (o *Options) completeSinks() {
	if o.Recorder == nil {
		o.Recorder = func(phone.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Digest returns the check of passwords, for the proxy to use too.
func (s *Server) Digest() *digest.Verifier { return s.digest }

// SetRest sets Options.Rest, for a proxy that is made after the Server since it
// needs Digest. It must be called before Serve.
func (s *Server) SetRest(rest edge.Rest) { s.edge.SetRest(rest) }

// IsLocal reports whether a host, as in a URI, means this server: the domain, an
// alias or an address of this host.
func (s *Server) IsLocal(host string) bool { return s.hosts.local(host) }

// Alive reports whether the flow that a binding was registered over can still be
// used: a connection must be open and of this run of this node.
func (s *Server) Alive(b location.Binding) bool {
	if b.Flow == "" {
		return true
	}
	return b.Node == s.opts.Node && b.Boot == s.opts.Boot && s.edge.Alive(b.Flow)
}

// Serve takes the listeners over and serves them until ctx ends, Shutdown is
// called or one of them fails. The error is nil unless something failed.
func (s *Server) Serve(ctx context.Context, listeners []edge.Listener) error {
	if len(listeners) == 0 {
		return errors.New("serve registrar: no listeners")
	}
	defer s.flows.stop()
	s.hosts.listen(listeners)
	if err := s.edge.Serve(ctx, listeners); err != nil {
		return fmt.Errorf("serve registrar: %w", err)
	}
	return nil
}

// Shutdown stops reading, answers what was received and ends Serve.
func (s *Server) Shutdown(ctx context.Context) error { return s.edge.Shutdown(ctx) }
