// Package api is the REST edge of dialtone and the page that is its first
// client: it authenticates keys, reads requests, calls the inventory and the
// roster, and writes answers. It decides nothing about phones itself except the
// one sentence that says where a phone is stuck (status.go). It does not listen:
// internal/app gives its handler to the server of admin.listen.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/api/ui"
	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/history"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/templates"
)

// Options is everything the API needs from the rest of dialtone.
type Options struct {
	Roster      Roster
	Devices     Devices
	Extensions  Extensions
	Credentials Credentials
	Keys        Keys
	Timeline    Timeline
	Files       Files
	// Templates nil leaves their routes out.
	Templates Templates
	// Jobs keeps what JobRunner does to phones; both are needed or neither, and
	// without them there are no calls about jobs.
	Jobs      Jobs
	JobRunner JobRunner
	// Replacer exchanges phones and Imports takes whole lists; nil: no such calls.
	Replacer Replacer
	Imports  Imports
	// Auditor keeps what administrators did; nil: nobody does.
	Auditor Auditor
	// Sessions knows which sessions of the page were logged out; nil: a cookie that was
	// copied is good until it is over.
	Sessions Sessions

	// Replays keeps answers for who sends a request again; nil: Idempotency-Key has no
	// effect.
	Replays Replays
	// Feed passes on what happens to phones; nil: no such call.
	Feed Feed
	// Support writes a support bundle; nil: no such call.
	Support func(ctx context.Context, w io.Writer) error
	// Settle returns when the list of phones shows what was just imported; nil: it
	// does anyway.
	Settle func(context.Context)
	// Tokens are the secret paths of phones. TokenURL is where a phone with a token
	// fetches its files; zero: this server tells phones no URL.
	Tokens   Tokens
	TokenURL func(token phone.Secret) phone.Secret
	// Claims, Enrollment and Bans are about phones nobody provisioned and about
	// those who pretend to be such. EnrollClosed: none is ever let in.
	Claims       Claims
	Enrollment   Enrollment
	EnrollClosed bool
	Bans         func() []Ban
	// Pardon ends a ban; phone.ErrNotFound, and phone.ErrInvalid for what is no source.
	Pardon func(source string) error
	// Uploads are what phones store; nil leaves the calls out.
	Uploads Uploads
	// Firmware and FirmwareTargets are the images that phones fetch and what they are
	// for; nil leaves the calls out. FirmwareOffer says which one a device is offered.
	Firmware        FirmwareImages
	FirmwareTargets FirmwareTargets
	FirmwareOffer   func(phone.Device) firmware.Offer
	// VendorOf names the maker that owns a MAC address block.
	VendorOf func(phone.MAC) (phone.Vendor, bool)
	Layers   Layers // nil leaves the calls for layers of settings out
	// CheckPhone reports what cannot be in the settings and lines of a phone, as
	// phone.FieldErrors, and in sentences what is stored and may not do what was
	// meant; nil checks nothing. CheckLayer does so for a layer of settings.
	CheckPhone func(phone.Device) (warnings []string, err error)
	CheckLayer func(scope, name string, layer map[string]string) (warnings []string, err error)
	// LayerWarnings are about what a phone has from layers; nil: there are none.
	LayerWarnings func(phone.Device) []string
	// Effective is what the layers of settings make of a phone.
	Effective func(phone.Device) settings.Effective
	// HasEffect reports whether a setting changes a file of the vendor's phones.
	HasEffect func(v phone.Vendor, key string) bool
	// NoEffect are the models, by vendor, on which a setting changes no file, and Uses
	// the places of templates that read it. nil: that is not answered.
	NoEffect func(setting string) map[phone.Vendor][]string
	// NoEffectValues are, by vendor, the values of a setting that its files cannot say,
	// each with what comes of it. nil: there are none.
	NoEffectValues func(setting string) map[phone.Vendor]map[string]string
	Uses           func(setting string) []templates.Use
	// Ready reports what the daemon depends on; nil means always ready.
	Ready func() []ReadyCheck
	// Latency is how long a phone took to answer when it was last asked; false when
	// it was not or did not. nil knows of none.
	Latency func(location.Binding) (time.Duration, bool)
	// Snippets are pieces of configuration for other DHCP servers; nil: none.
	Snippets func() ([]Snippet, error)
	// DHCPServers are the other DHCP servers that were overheard, and whether anybody
	// listens; nil: nobody does.
	DHCPServers func() (list []DHCPServer, listening bool)
	// History is how many phones were registered in the last while, and the length of
	// each point; nil: that is not kept.
	History func(while time.Duration) ([]history.Point, time.Duration)
	// MetricsHandler answers GET /metrics; nil leaves the route out.
	MetricsHandler http.Handler

	// SessionKey, 32 bytes, seals the sessions of the page; nil: they end with the
	// process.
	SessionKey []byte

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: no metrics of the API itself
}

// ReadyCheck is one thing that must work before the daemon takes work.
type ReadyCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // a plain sentence, no secrets
}

// server holds what the handlers share. It has no state of its own but the
// counters of failed authentications.
type server struct {
	Options
	failures *failureLimiter
	sessions *sessions
	metrics  *metrics
	streams  chan struct{} // one place for each listener
}

// New returns the handler of the admin listener.
func New(o Options) (http.Handler, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	return s.around(s.router()), nil
}

func newServer(o Options) (*server, error) {
	switch {
	case o.Roster == nil, o.Devices == nil, o.Extensions == nil, o.Credentials == nil,
		o.Keys == nil, o.Timeline == nil, o.Files == nil, o.VendorOf == nil, o.Tokens == nil, o.TokenURL == nil,
		o.Claims == nil, o.Enrollment == nil, o.Bans == nil, o.Pardon == nil:
		return nil, errors.New("api: every store, VendorOf, TokenURL, Bans and Pardon are required")
	}
	if o.CheckPhone == nil {
		o.CheckPhone = func(phone.Device) ([]string, error) { return nil, nil }
	}
	if o.CheckLayer == nil {
		o.CheckLayer = func(string, string, map[string]string) ([]string, error) { return nil, nil }
	}
	if o.Effective == nil {
		o.Effective = func(d phone.Device) settings.Effective {
			return settings.Merge(settings.Layer{Name: settings.PhoneLayer, Settings: d.Settings})
		}
	}
	if o.HasEffect == nil {
		o.HasEffect = func(phone.Vendor, string) bool { return true }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "api")
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(o.SessionKey)
	if err != nil {
		return nil, err
	}
	return &server{
		Options: o, failures: newFailureLimiter(), sessions: sessions, metrics: m, streams: make(chan struct{}, maxStreams),
	}, nil
}

// router builds the mux from the table of routes. Methods are dispatched below
// the mux, which would neither name the allowed ones in a 405 nor let HEAD
// follow GET; SkipClean keeps it from redirecting paths that are not clean.
func (s *server) router() *mux.Router {
	root := mux.NewRouter().SkipClean(true)
	root.NotFoundHandler = s.endpoint("", func(http.ResponseWriter, *http.Request) error {
		return missing("resource")
	})
	paths, byPath := groupByPath(s.routes())
	v1 := root.PathPrefix(base).Subrouter()
	for _, p := range paths {
		router, rest := root, p
		if r, ok := cutBase(p); ok {
			router, rest = v1, r
		}
		router.Handle(rest, s.endpoint(p, s.dispatch(byPath[p])))
	}
	page := ui.Handler()
	root.Handle("/", s.page(page))
	root.PathPrefix("/static/").Handler(s.page(page))
	return root
}
