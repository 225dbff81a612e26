package provision

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// The neutral settings of a device. They mean the same for every vendor and win
// over the server's facts. Every other setting is a vendor's own parameter under
// its own name ("voice.codecPref.G722", "account.1.codec.g722.enable", "P57") and
// goes into the phone's file as it is.
const (
	SettingTimeZone      = "timezone"      // IANA name
	SettingNTP           = "ntp"           // host
	SettingAdminPassword = "adminPassword" // of the phone's menu and web page
	SettingUserPassword  = "userPassword"  // of its ordinary user
	SettingServer        = "sipServer"     // host
	SettingPort          = "sipPort"       // 1..65535
	SettingTransport     = "transport"     // udp, tcp, tls
	SettingOutboundProxy = "outboundProxy" // host, host:port or "off"
	SettingAddress       = "dhcp.ip"       // IPv4 address that DHCP keeps for the phone; in no file
	SettingExpires       = "expires"       // seconds, 60..86400
	SettingLabel         = "label"         // of line 1; of line N: lines.N.label
	SettingDisplayName   = "displayName"   // of line 1; of line N: lines.N.displayName
)

const defaultExpires = 3600

// view is what the templates see of d. A device without a MAC gives what is common
// to all phones: the server's facts alone.
func (s *Service) view(d phone.Device, f Facts) (templates.View, error) {
	b := builder{view: templates.View{
		Vendor: string(d.Vendor), Model: d.Model, Name: d.Name, MAC: templates.NewMAC(d.MAC),
		Server: templates.Server{
			Host: f.SIPServer, Port: f.SIPPort, Transport: f.SIPTransport, Domain: f.SIPDomain, Expires: f.SIPExpires,
		},
		NTP: f.NTP, ProvisionURL: f.BaseURL, Raw: map[string]string{},
	}, zone: f.TimeZone, proxy: f.OutboundProxy}
	if b.view.Server.Expires == 0 {
		b.view.Server.Expires = defaultExpires
	}
	if !d.Tokens.Steady.IsZero() && f.BaseURL != "" {
		b.view.ProvisionURL, b.view.Sticky = TokenURL(f.BaseURL, d.Tokens.Steady).Reveal(), true
	}
	if !d.MAC.IsZero() {
		b.view.AdminPassword = f.AdminPassword
		if s.opts.Credentials != nil {
			b.view.ProvisionUser, b.view.ProvisionPassword = s.opts.Credentials(d.MAC)
		}
		b.lines(d.Lines)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		if err := b.apply(d.Vendor, name, d.Settings[name]); err != nil {
			return templates.View{}, err
		}
	}
	var err error
	if b.view.TimeZone, err = s.zones.Lookup(b.zone); err != nil {
		return templates.View{}, err
	}
	portOfTransport(&b.view.Server, d, f)
	b.view.Server.OutboundProxy, err = proxyOf(b.proxy, b.view.Server.Port)
	if _, own := d.Settings[SettingOutboundProxy]; !own && b.view.Server.OutboundProxy.Port == f.SIPPort {
		b.view.Server.OutboundProxy.Port = b.view.Server.Port
	}
	return b.view, err
}

// portOfTransport sets the port when a device has a transport of its own and no
// port: TLS is on another port than UDP and TCP.
func portOfTransport(s *templates.Server, d phone.Device, f Facts) {
	if _, own := d.Settings[SettingPort]; own || (s.Transport == "tls") == (f.SIPTransport == "tls") {
		return
	}
	s.Port = 5060
	if s.Transport == "tls" {
		s.Port = 5061
	}
	if f.SIPOtherPort != 0 {
		s.Port = f.SIPOtherPort
	}
}

// CheckSettings reports the first setting that cannot be: a neutral one with a
// value it cannot have, or a name that no parameter of the vendor can have. The
// error is a phone.FieldError for "settings.NAME".
func (s *Service) CheckSettings(v phone.Vendor, settings map[string]string) error {
	b := builder{view: templates.View{Raw: map[string]string{}}}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := b.apply(v, name, settings[name]); err != nil {
			return err
		}
		if !templates.Carries(v, settings[name]) {
			return phone.Invalid("settings."+name, "holds a character that the file of the phone cannot carry")
		}
		if _, raw := b.view.Raw[name]; !raw && !neutral(name) {
			return phone.Invalid("settings."+name, "neither a setting nor the name of a parameter of this vendor")
		}
	}
	if zone, ok := settings[SettingTimeZone]; ok {
		if _, err := s.zones.Lookup(zone); err != nil {
			return phone.Invalid("settings."+SettingTimeZone, "not an IANA time zone")
		}
	}
	return nil
}

// builder collects a view; zone and proxy are looked up when all settings are in.
type builder struct {
	view  templates.View
	zone  string
	proxy string
}

func (b *builder) lines(lines []phone.Line) {
	b.view.Lines = make([]templates.Line, len(lines))
	for i, l := range lines {
		b.view.Lines[i] = templates.Line{
			Number: l.Number, User: l.Extension, AuthUser: l.AuthUser, Password: l.Secret,
			DisplayName: first(l.DisplayName, l.Extension), Label: first(l.Label, l.Extension),
		}
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// apply takes over one setting. A name that means nothing is left out.
func (b *builder) apply(v phone.Vendor, name, value string) error {
	var err error
	switch name {
	case SettingTimeZone:
		b.zone = value
	case SettingNTP:
		b.view.NTP, err = hostOf(name, value)
	case SettingAdminPassword:
		b.view.AdminPassword = phone.NewSecret(value)
	case SettingUserPassword:
		b.view.UserPassword = phone.NewSecret(value)
	case SettingServer:
		b.view.Server.Host, err = hostOf(name, value)
	case SettingPort:
		b.view.Server.Port, err = number(name, value, 1, 65535)
	case SettingTransport:
		b.view.Server.Transport = strings.ToLower(value)
		if !slices.Contains([]string{"udp", "tcp", "tls"}, b.view.Server.Transport) {
			err = phone.Invalid("settings."+name, "must be udp, tcp or tls")
		}
	case SettingOutboundProxy:
		b.proxy = value
		_, err = proxyOf(value, 0)
	case SettingAddress:
		if a, parseErr := netip.ParseAddr(value); parseErr != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			err = phone.Invalid("settings."+name, "must be an IPv4 address such as 192.0.2.50")
		}
	case SettingExpires:
		b.view.Server.Expires, err = number(name, value, 60, 86400)
	default:
		if n, what, ok := lineSetting(name); ok {
			b.line(n, what, value)
		} else if rawName(v, name) {
			b.view.Raw[name] = value
		}
	}
	return err
}

func (b *builder) line(n int, what, value string) {
	for i := range b.view.Lines {
		if l := &b.view.Lines[i]; l.Number == n {
			if what == SettingLabel {
				l.Label = value
			} else {
				l.DisplayName = value
			}
		}
	}
}

// lineSetting reads "label", "displayName", "lines.2.label", "lines.2.displayName".
func lineSetting(name string) (line int, what string, ok bool) {
	line, what = 1, name
	if rest, found := strings.CutPrefix(name, "lines."); found {
		n, after, _ := strings.Cut(rest, ".")
		v, err := strconv.Atoi(n)
		if err != nil || v < 1 {
			return 0, "", false
		}
		line, what = v, after
	}
	return line, what, what == SettingLabel || what == SettingDisplayName
}

func neutral(name string) bool {
	if _, _, ok := lineSetting(name); ok {
		return true
	}
	return slices.Contains([]string{
		SettingTimeZone, SettingNTP, SettingAdminPassword, SettingUserPassword, SettingServer, SettingPort,
		SettingTransport, SettingOutboundProxy, SettingExpires, SettingAddress,
	}, name)
}

// rawName reports whether name can be a parameter of the vendor. All that Polycom
// and Yealink phones know have a dot, which tells them from misspelt settings.
func rawName(v phone.Vendor, name string) bool {
	if v == phone.Grandstream {
		return grandstreamParam(name)
	}
	return templates.ValidParam(name) && strings.Contains(name, ".")
}

func number(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, phone.Invalid("settings."+name, fmt.Sprintf("must be a number from %d to %d", low, high))
	}
	return n, nil
}

// proxyOf reads "host", "host:port" or "[v6]:port"; "" and "off" are none.
func proxyOf(text string, port int) (templates.HostPort, error) {
	if text == "" || text == "off" {
		return templates.HostPort{}, nil
	}
	host, p, err := net.SplitHostPort(text)
	if err != nil {
		return templates.HostPort{Host: strings.Trim(text, "[]"), Port: port}, nil
	}
	n, err := number(SettingOutboundProxy, p, 1, 65535)
	if err != nil {
		return templates.HostPort{}, phone.Invalid("settings."+SettingOutboundProxy, "must be host or host:port")
	}
	return templates.HostPort{Host: host, Port: n}, nil
}

// hostOf checks the form of a host name or an address.
func hostOf(name, value string) (string, error) {
	for _, r := range value {
		if (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r) {
			return "", phone.Invalid("settings."+name, "must be a host name or an address")
		}
	}
	return value, nil
}
