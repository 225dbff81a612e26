package registrar

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pbx.dev/dialtone/internal/phone"
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
	ForceRport       bool     // as of edge.Options
	Algorithms       []string // of digest, as of digest.Options
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
