// Package provision is what a phone downloads: it says what a requested name means,
// which phone asks, whether it may have the file, and gives the bytes. TFTP, HTTP
// and HTTPS all ask the one Service here; it knows no wire protocol, and nothing of
// how a phone's settings look to its vendor (package templates).
package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// Inventory is what Service needs of the inventory.
type Inventory interface {
	// DeviceByMAC returns the device with its lines and effective settings, or
	// phone.ErrNotFound. What it returns is shared with others and not changed.
	DeviceByMAC(ctx context.Context, mac phone.MAC) (phone.Device, error)
}

// Renderer is what Service needs of the templates.
type Renderer interface {
	Render(w io.Writer, name string, v templates.View) error
	RenderMasked(w io.Writer, name string, v templates.View) error
	// Revision changes whenever the same view can give another file.
	Revision() string
}

var (
	_ Renderer = (*templates.Set)(nil)
	_ Renderer = (*templates.Live)(nil)
)

// Facts is what the server says about itself in every file. Values are compared:
// files are rendered anew when one of them changes.
type Facts struct {
	SIPServer     string // host that phones register with
	SIPDomain     string // digest realm and domain of the AORs
	SIPPort       int    // 1..65535; belongs to SIPTransport
	SIPTransport  string // "udp", "tcp" or "tls"
	SIPOtherPort  int    // for a device set to TLS when SIPTransport is not, or the reverse; 0: 5061, 5060
	SIPExpires    int    // seconds; 0: 3600
	OutboundProxy string // host or host:port; empty: none
	NTP           string
	TimeZone      string // IANA name
	BaseURL       string // where phones fetch their files; empty: not written into them
	AdminPassword phone.Secret
}

// UnknownPhone is a phone that asked for a file of its own and is not in the
// inventory.
type UnknownPhone struct {
	MAC       phone.MAC
	Vendor    phone.Vendor // of the MAC's owner, else of the name asked for; may be empty
	Name      string       // file it asked for
	Proto     string
	UserAgent string
	Source    netip.AddrPort
	At        time.Time
}

// Options are what New needs. Inventory, Renderer and Facts are required.
type Options struct {
	Inventory Inventory
	Renderer  Renderer
	Facts     func() Facts

	// Choose picks the template of a file ("yealink/phone") for a device; nil: it is
	// always Renderer's.
	Choose func(file string, d phone.Device) templates.Choice
	// Variables are what the templates in use declare, by file; nil: nothing.
	Variables func() map[string][]phone.TemplateVariable

	// Firmware holds images by file name; nil: there are none. Its files must seek.
	Firmware fs.FS
	// Images are those of the database, which come before; nil: there are none.
	Images Images
	// Uploads keeps what phones store; nil: nothing is taken.
	Uploads UploadStore
	// Recorder takes the event of each fetch after it was answered; nil: nobody
	// listens. It must not block.
	Recorder func(phone.Event)
	// Unknown is told of phones nobody knows that come from the networks of the
	// phones, within the budget of their source. It must not block.
	Unknown func(UnknownPhone)
	// VendorOf gives the owner of a MAC address by its OUI.
	VendorOf func(phone.MAC) (phone.Vendor, bool)
	// MACOf finds the MAC address that a User-Agent carries.
	MACOf func(userAgent string) (phone.MAC, bool)

	// AgentVendor finds the maker that a User-Agent names.
	AgentVendor func(userAgent string) (phone.Vendor, bool)
	// Against says what the DHCP leases of this server have against a phone asking
	// from an address; empty: nothing. nil: there are none.
	Against func(phone.MAC, netip.Addr) string
	Tokens  Tokens // nil: no token is valid
	// Credentials gives what a phone proves itself with over HTTP, which is written
	// into its files; nil: phones are not asked.
	Credentials func(phone.MAC) (user string, password phone.Secret)

	// Layers gives the layers of settings below the phones' own, as they are now;
	// nil: there are none.
	Layers func() *settings.Stack
	// Directory is what the phone books are made of; nil: they are empty. Whoever
	// changes it calls DirectoryChanged.
	Directory Directory

	LAN     []netip.Prefix // sources that reach AssureLAN
	Secrets Assurance      // least assurance for a phone's own files; empty: AssureLAN
	Below   Below          // what a request below Secrets gets; empty: BelowDeny
	Enroll  Enroll         // what becomes of phones nobody knows; empty: EnrollPending
	// Admit decides about a phone nobody knows, after Unknown was told of it; nil:
	// none is let in.
	Admit func(context.Context, UnknownPhone) (Admission, error)

	// Known reports from memory whether a phone is in the inventory; nil: the
	// inventory is always asked.
	Known func(phone.MAC) bool
	// ProbeBudget is how much one source may ask for in vain within ten minutes; 0: 300.
	ProbeBudget int
	Decoys      []phone.MAC // addresses that only a scan asks for

	CacheBytes int // rendered files kept; 0: 64 MB
	// Kept is where the files that phones got last survive a restart; nil: nowhere.
	Kept       Kept
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Request is one fetch, as an adapter saw it.
type Request struct {
	Path      string // as asked for, percent-encoding undone
	Proto     string // "tftp", "http", "https"
	Method    string // "RRQ", "GET", "HEAD"; of uploads "WRQ", "PUT", "POST"
	UserAgent string
	Source    netip.AddrPort
	Token     string    // given other than in the path
	ClientMAC phone.MAC // of the verified client certificate; zero: none
	AuthMAC   phone.MAC // whose own HTTP credentials the request proved for this very path; zero: none
}

// Service answers what phones fetch. It is safe for concurrent use.
type Service struct {
	opts    Options
	zones   *templates.Zones
	cache   *cache
	book    book
	effects effects
	facts   factsKeeper
	metrics *metrics
	log     *slog.Logger
	refused *rate.Limiter // of log lines
	strange *rate.Limiter // of events about nobody's phones
	probes  *probes
	now     func() time.Time
}

// New returns a Service.
func New(o Options) (*Service, error) {
	if o.Inventory == nil || o.Renderer == nil || o.Facts == nil {
		return nil, errors.New("provision: Inventory, Renderer and Facts are required")
	}
	if o.Secrets == "" {
		o.Secrets = AssureLAN
	}
	if o.Secrets.rank() < 0 {
		return nil, phone.Invalid("provision.secrets", fmt.Sprintf("no such assurance: %q", o.Secrets))
	}
	if o.Below == "" {
		o.Below = BelowDeny
	}
	if o.Enroll == "" {
		o.Enroll = EnrollPending
	}
	if o.ProbeBudget == 0 {
		o.ProbeBudget = 300
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	zones, err := templates.NewZones()
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	s := &Service{
		opts: o, zones: zones, cache: newCache(o.CacheBytes), metrics: newMetrics(o.Registerer),
		log: o.Logger, refused: rate.NewLimiter(5, 20), now: o.Now,
		strange: rate.NewLimiter(20, 200), probes: newProbes(o.ProbeBudget, o.Decoys),
	}
	s.effects.revision = o.Renderer.Revision
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// errDenied is how Get's own steps say that the phone may not have the file; Get
// turns it into the same phone.ErrNotFound as any other refusal.
var errDenied = errors.New("denied")

// Get returns the file that r asks for. Everything that a phone may not have, and
// everything that does not exist, is the same phone.ErrNotFound; any other error
// is ours and is not for the phone's eyes. The File is usable in either case: its
// Done takes how the fetch ended and must be called once, after the answer.
func (s *Service) Get(ctx context.Context, r Request) (File, error) {
	f := s.newFetch(r)
	t, ok := Parse(r.Path)
	if !ok {
		return f.fail(phone.ErrNotFound, "no file of that name")
	}
	f.about(t)
	if uaMAC, ok := s.macOf(r.UserAgent); ok && t.MAC.IsZero() {
		f.event.MAC = uaMAC // a hint, for the timeline only
		if t.Kind == KindBook && t.Vendor == phone.Grandstream {
			// The name of the phone book has no MAC; this is no better or worse than one.
			t.MAC = uaMAC
		}
	}
	c, err := s.claims(ctx, f, r, t)
	switch {
	case errors.Is(err, errDenied), err != nil && t.MAC.IsZero():
		return f.fail(err, tokenFailure(err))
	case err != nil:
		return s.withoutStore(f, r, t, c, err)
	}
	if f.usual = t.Kind == KindFirmware; f.usual {
		return s.firmware(ctx, f, r, t, c)
	}
	if t.MAC.IsZero() {
		return s.common(f, t)
	}
	return s.own(ctx, f, r, t, c)
}

// common answers for a file that belongs to no single phone and holds no secret.
func (s *Service) common(f *fetch, t Target) (File, error) {
	role, ok := roleOf(t.Vendor, t)
	if f.usual = !ok; f.usual {
		return f.fail(phone.ErrNotFound, "no such file is kept")
	}
	return s.rendered(f, role, phone.Device{Vendor: t.Vendor, Model: commonModel(t)})
}

// own answers for a file of one phone. Whether the request comes with enough
// assurance does not depend on whether the phone exists, and is asked first: a
// stranger learns nothing, neither from the answer nor from its time. Who is on the
// network of the phones and only lacks a stronger proof costs the same look-up
// whether the phone exists or not.
func (s *Service) own(ctx context.Context, f *fetch, r Request, t Target, c claims) (File, error) {
	if why := s.contradiction(r, t, c); why != "" {
		return f.fail(errDenied, why)
	}
	level := s.reached(c, f.source)
	why := s.shortfall(level, f.source)
	if why != "" && level.rank() < AssureLAN.rank() {
		return s.below(f, t, why)
	}
	d, err := s.device(ctx, f, t)
	if errors.Is(err, phone.ErrNotFound) {
		n := s.newcomer(ctx, f, r, t)
		if n.Claim != "" {
			return s.unclaimed(f, n)
		}
		if d, err = n.Device, nil; d.ID == "" {
			if why != "" {
				return s.below(f, t, why)
			}
			return f.fail(phone.ErrNotFound, "the phone is not in the inventory")
		}
	}
	if err != nil {
		return s.lastGood(f, t, fmt.Errorf("find the phone %s: %w", t.MAC, err))
	}
	f.event.DeviceID, f.vendor = d.ID, d.Vendor
	if why != "" {
		return s.below(f, t, why)
	}
	return s.given(f, r, d, t, level)
}

// withoutStore answers a request with a token that nobody can look up now: the file
// that the phone had, if it had this token then.
func (s *Service) withoutStore(f *fetch, r Request, t Target, c claims, cause error) (File, error) {
	if why := s.contradiction(r, t, c); why != "" {
		return f.fail(errDenied, why)
	}
	if c.certificate.IsZero() && AssureToken.rank() < s.opts.Secrets.rank() {
		return f.fail(errDenied, s.shortfall(AssureToken, f.source))
	}
	return s.lastGood(f, t, cause)
}

// below answers a request that has not the assurance that secrets need.
func (s *Service) below(f *fetch, t Target, why string) (File, error) {
	if s.opts.Below == BelowStrip {
		return s.stripped(f, t, why)
	}
	return f.fail(errDenied, why)
}

// device finds a phone. A source that is over its budget does not reach the store
// with a MAC that the list in memory has not.
func (s *Service) device(ctx context.Context, f *fetch, t Target) (phone.Device, error) {
	if s.opts.Known != nil && s.probes.over(f.source, s.now()) && !s.opts.Known(t.MAC) {
		return phone.Device{}, phone.ErrNotFound
	}
	return s.opts.Inventory.DeviceByMAC(ctx, t.MAC) //nolint:wrapcheck // the caller says what was being found
}

// given answers with a file of d, which the request may have.
func (s *Service) given(f *fetch, r Request, d phone.Device, t Target, level Assurance) (File, error) {
	role, ok := roleOf(d.Vendor, t)
	if f.usual = !ok || role.isBook() && !s.hasBook(d); f.usual {
		if t.Vendor != "" && t.Vendor != d.Vendor {
			return f.fail(phone.ErrNotFound, "it is a file of "+t.Vendor.DisplayName()+" phones, and the phone is provisioned as "+d.Vendor.DisplayName())
		}
		return s.ownUpload(f, r, d, t)
	}
	if level.rank() > AssureLAN.rank() {
		f.event.Detail = "assurance: " + string(level)
	}
	if role.accounts && r.Method != "HEAD" {
		f.event.Revision = d.Revision // what makes the phone count as configured
	}
	return s.rendered(f, role, d)
}

func (s *Service) macOf(userAgent string) (phone.MAC, bool) {
	if s.opts.MACOf == nil || userAgent == "" {
		return phone.MAC{}, false
	}
	return s.opts.MACOf(userAgent)
}
