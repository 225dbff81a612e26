// Package dhcpd tells phones where to fetch their configuration, and in lease
// mode gives them an address too. It answers DHCPv4 (RFC 2131) on the
// interfaces it is given, to phones only unless told otherwise.
//
// Two modes:
//
//   - proxy: the site keeps its DHCP server. DHCPINFORM is answered with the
//     options a phone asks for; DHCPDISCOVER is answered with an OFFER that has
//     no address, a moment later than the site's server would. See proxy.go for
//     what ordinary clients make of that.
//   - lease: one range of addresses, durable leases, relays.
//
// A packet goes through: parse (request.go), who is it (identify.go,
// vendors.go), what to do (proxy.go, lease.go over pool.go), the lease is made
// durable, the reply is composed (boot.go, reply.go), sent (server.go). All but
// the last two steps are free of I/O, and composing is a pure function.
//
// It is not a DHCP server for everything on the network: no reservations, no
// DNS updates, no DHCPv6, no address probing (a DHCPDECLINE takes an address
// out of service instead).
package dhcpd

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Mode says what the server hands out.
type Mode string

// The modes of the setting dhcp.mode; "off" is not making a Server at all.
const (
	Proxy Mode = "proxy" // options only, never an address
	Lease Mode = "lease" // addresses of one range, and options
)

const (
	defaultPort      = 67
	defaultLeaseTime = 12 * time.Hour
	minLeaseTime     = 10 * time.Second
	maxLeaseTime     = 365 * 24 * time.Hour
	maxRange         = 1 << 16 // addresses
)

// Facts is what phones are told. It is read anew for every reply, so that a
// reloaded configuration takes effect at once. Empty fields are not sent.
type Facts struct {
	// HTTPURL and HTTPSURL are where the files are, e.g. "http://192.0.2.10:8081/".
	// Phones get HTTPURL when there is one, as a phone fresh from the factory does
	// not trust a private CA (phone-facts/request_sequence.md 2.4), else HTTPSURL,
	// else tftp://TFTPHost/. Below 255 bytes, and without user or password: DHCP
	// is readable by everybody on the VLAN.
	HTTPURL, HTTPSURL string
	// TFTPHost is "host" or "host:port". With the port 69 or none it also goes
	// where a phone can only be told a host: option 150, siaddr, sname.
	TFTPHost string
	// SIPServer is an IPv4 address or a host name (option 120).
	SIPServer string
	NTP       []netip.Addr // option 42
	VLAN      int          // 1 to 4094; 0 is none
	// VLANPriority is the 802.1p priority that goes with VLAN, 1 to 7; 0, which is
	// what phones do without it, is not said.
	VLANPriority int
	TimeZone     *time.Location // option 2, the offset of this moment
}

// Leases is the durable store of given addresses, keyed by MAC.
type Leases interface {
	// SaveLease returns once the lease is durable; it replaces the one of that MAC.
	SaveLease(ctx context.Context, l phone.Lease) error
	// Leases returns every lease, expired ones too.
	Leases(ctx context.Context) ([]phone.Lease, error)
	// DeleteLease forgets the lease of mac; none is no error (or phone.ErrNotFound).
	DeleteLease(ctx context.Context, mac phone.MAC) error
}

// Options configure a Server. Mode, Facts and one of Interfaces and ServerIP
// are required; lease mode also needs Range and Leases.
type Options struct {
	Mode       Mode
	Interfaces []string     // names; empty: the interface that has ServerIP
	Port       int          // 0 is 67; with another port replies go to the port asked from
	ServerIP   netip.Addr   // server identifier; zero: the address of the interface
	Facts      func() Facts // must be fast and safe for concurrent use

	Range     [2]netip.Addr // first and last address, inside the network of an interface
	Router    netip.Addr    // zero: none is sent
	DNS       []netip.Addr
	LeaseTime time.Duration // 0 is 12 h; T1 is half and T2 seven eighths of it
	Leases    Leases

	// PhonesOnly answers only what option 60 or the OUI shows to be a phone.
	// Without it a client that asks for option 66, 150 or 160 counts as one, and
	// in lease mode everybody gets an address.
	PhonesOnly bool
	VendorOf   func(phone.MAC) (phone.Vendor, bool) // by OUI; nil: option 60 alone decides
	// Known reports whether the MAC is a phone of the inventory, and how many of
	// those there are. A part of the range is kept for them. nil: all are known.
	Known func(phone.MAC) (known bool, count int)
	// Reservations are addresses that only one client gets; see Server.Reserve.
	Reservations map[phone.MAC]netip.Addr

	Recorder   func(phone.Event)     // must not block; nil: none
	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// withDefaults returns o with defaults filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.Port == 0 {
		o.Port = defaultPort
	}
	if o.LeaseTime == 0 {
		o.LeaseTime = defaultLeaseTime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.VendorOf == nil {
		o.VendorOf = func(phone.MAC) (phone.Vendor, bool) { return "", false }
	}
	if o.Recorder == nil {
		o.Recorder = func(phone.Event) {}
	}
	return o, o.check()
}

func (o *Options) check() error {
	switch {
	case o.Mode != Proxy && o.Mode != Lease:
		return phone.Invalid("dhcp.mode", fmt.Sprintf("%.20q is neither proxy nor lease", string(o.Mode)))
	case len(o.Interfaces) == 0 && !o.ServerIP.IsValid():
		return phone.Invalid("dhcp.interface", "is needed")
	case o.Port < 1 || o.Port > 65535:
		return phone.Invalid("dhcp.listen_port", "must be 1 to 65535")
	case o.ServerIP.IsValid() && !o.ServerIP.Is4():
		return phone.Invalid("advertise", "must be an IPv4 address for DHCP")
	case o.Facts == nil:
		return fmt.Errorf("dhcpd: Facts is nil: %w", phone.ErrInvalid)
	}
	if o.Mode == Lease {
		if err := o.checkLease(); err != nil {
			return err
		}
	}
	return o.Facts().check()
}

func (o *Options) checkLease() error {
	first, last := o.Range[0], o.Range[1]
	switch {
	case o.Leases == nil:
		return fmt.Errorf("dhcpd: lease mode without Leases: %w", phone.ErrInvalid)
	case !first.Is4() || !last.Is4():
		return phone.Invalid("dhcp.range", "needs a first and a last IPv4 address")
	case last.Less(first):
		return phone.Invalid("dhcp.range", "ends before it starts")
	case toUint(last)-toUint(first) >= maxRange:
		return phone.Invalid("dhcp.range", fmt.Sprintf("has more than %d addresses", maxRange))
	case o.LeaseTime < minLeaseTime || o.LeaseTime > maxLeaseTime:
		return phone.Invalid("dhcp.lease_time", "must be 10 seconds to one year")
	case o.Router.IsValid() && !o.Router.Is4():
		return phone.Invalid("dhcp.router", "must be an IPv4 address")
	}
	return nil
}

// check refuses what must not or cannot be put into an option.
func (f Facts) check() error {
	for _, u := range []struct{ field, url string }{{"http", f.HTTPURL}, {"https", f.HTTPSURL}} {
		if u.url == "" {
			continue
		}
		if reason := urlFault(u.url); reason != "" {
			return phone.Invalid(u.field+" URL", reason)
		}
	}
	if f.VLAN < 0 || f.VLAN > 4094 {
		return phone.Invalid("dhcp.vlan", "must be 1 to 4094")
	}
	if f.VLANPriority < 0 || f.VLANPriority > 7 {
		return phone.Invalid("dhcp.vlan_priority", "must be 0 to 7")
	}
	if _, ok := f.url(urlBare); !ok {
		return phone.Invalid("http URL", "there is no URL to give to phones")
	}
	return nil
}

// urlFault says why a URL cannot go into a DHCP option; "" is none.
func urlFault(s string) string {
	if len(s) > maxURL {
		return fmt.Sprintf("is longer than %d bytes", maxURL)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return "has a byte that is not printable ASCII"
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is not a URL"
	case u.User != nil:
		return "carries credentials, which everybody on the VLAN could read"
	case u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tftp"):
		return "is not http://, https:// or tftp:// with a host"
	}
	return ""
}
