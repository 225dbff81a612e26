package proxy

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/fork"
	"pbx.dev/dialtone/registrar/location"
)

// Directory tells who exists. Both methods answer phone.ErrNotFound.
type Directory interface {
	// Extension is the extension with that number.
	Extension(ctx context.Context, number string) (phone.Extension, error)
	// Credential is what a digest user stands for: an extension's SIPUsername or
	// the user minted for a line.
	Credential(ctx context.Context, user string) (phone.Credential, error)
}

// Lookup tells where an extension is registered; location.Store is one.
type Lookup interface {
	Lookup(ctx context.Context, aor location.AOR) ([]location.Binding, error)
}

// Authenticator checks digests; *digest.Verifier is one. It is asked for every
// request that is neither ACK nor CANCEL nor part of a dialog.
type Authenticator interface {
	// Challenges are values of Proxy-Authenticate that the client can take.
	Challenges(stale bool, userAgent string) []string
	Verify(ctx context.Context, r digest.Request) digest.Result
}

var _ Authenticator = (*digest.Verifier)(nil)

// Options are what New needs. Domain, Auth, Directory, Lookup and Advertise are
// required.
type Options struct {
	Domain string // SIP domain; requests for other domains are refused
	Realm  string // digest realm; "" is Domain
	// IsLocal reports whether a host means this server; nil knows the Domain.
	// What Advertise returns is always local.
	IsLocal   func(host string) bool
	Auth      Authenticator
	Directory Directory
	Lookup    Lookup
	// Advertise is the host and port that phones reach a transport ("udp", "tcp",
	// "tls", "ws", "wss") at: for Via and Record-Route.
	Advertise func(transport string) (host string, port int)
	// FlowKey seals the flow tokens in Record-Route. Nodes that share phones share
	// it, and dialogs outlive a restart only with the same key; nil is a random one.
	FlowKey []byte
	// Node is the name of this node in bindings. Peer is where another node is reached
	// over the Link, whose host and port Advertise knows, too; false when it cannot be
	// called. nil: phones of other nodes are taken for ours.
	Node string
	Peer func(node string) (netip.AddrPort, bool)
	// ForceRport: answers over UDP go where the request came from, whether or not it has
	// rport (RFC 3581).
	ForceRport bool
	// Alive reports whether the connection a binding was registered over is still
	// that connection; nil trusts its remote address. UDP bindings are not asked.
	Alive func(location.Binding) bool
	// Admit is told of every password that was checked and reports whether the
	// result may be told: not when there were too many wrong ones. nil admits all.
	Admit func(transport string, remote netip.AddrPort, method string, res digest.Result) bool
	// Recorder gets the events of calls; it must not block. nil drops them.
	Recorder func(phone.Event)
	// MaxCalls bounds the calls that wait for an answer; more get 503. 0 is 2000.
	MaxCalls int
	Fork     fork.Options

	Now        func() time.Time      // nil is time.Now
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps the metrics unregistered
}

func (o *Options) complete() {
	if o.Realm == "" {
		o.Realm = o.Domain
	}
	if o.IsLocal == nil {
		o.IsLocal = func(host string) bool { return strings.EqualFold(host, o.Domain) }
	}
	if o.Alive == nil {
		o.Alive = func(location.Binding) bool { return true }
	}
	if o.Recorder == nil {
		o.Recorder = func(phone.Event) {}
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 2000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.FlowKey) == 0 {
		o.FlowKey = make([]byte, 32)
		_, _ = rand.Read(o.FlowKey) // fails never
	}
}
