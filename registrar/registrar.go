// Package registrar is the SIP registrar of one domain (RFC 3261 section 10): it
// tells phones who they are allowed to be and keeps in the location service where
// they are. It owns the SIP sockets through registrar/edge and the check of
// passwords through registrar/digest. It routes no calls: what is not a REGISTER
// goes to Options.Rest, which registrar/proxy implements.
package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/time/rate"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
)

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
	amiss    *rate.Limiter // events of refused requests
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
		logs:  rate.NewLimiter(20, 100), connects: rate.NewLimiter(20, 100), amiss: rate.NewLimiter(20, 100),
	}
	s.flows = newFlowKeeper(s)
	var err error
	check := digest.Options{
		Realm: opts.Realm, Key: opts.NonceKey, Maker: maker(opts), Lookup: opts.Directory.Credential,
		Algorithms: opts.Algorithms, Local: s.hosts.local, Proved: opts.Proved, Now: opts.Now,
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
		Handler: handler{s}, Grouper: grouper, Rest: opts.Rest, Closed: s.closed, Failed: s.connectFailed, Origins: opts.Origins, ForceRport: opts.ForceRport,
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
