package provision

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// SettingAddress is the setting for the address that DHCP keeps for a phone.
const SettingAddress = "dhcp.ip"

const defaultExpires = 3600

// view is what the templates see of d: the server's facts under the layers of
// settings under the phone's own. A device without a MAC gives what is common to
// all phones of its vendor and model.
func (s *Service) view(d phone.Device, f Facts) (templates.View, error) {
	return s.viewOf(d, f, s.layers().Effective(d, modelCode(d), nil))
}

func (s *Service) viewOf(d phone.Device, f Facts, e settings.Effective) (templates.View, error) {
	b := newBuilder(d, f)
	if !d.MAC.IsZero() {
		if s.opts.Credentials != nil {
			b.view.ProvisionUser, b.view.ProvisionPassword = s.opts.Credentials(d.MAC)
		}
		b.addLines(d.Lines)
	}
	if err := b.applyAll(e); err != nil {
		return templates.View{}, err
	}
	var err error
	if b.view.TimeZone, err = s.zones.Lookup(b.zone); err != nil {
		return templates.View{}, err
	}
	b.finish()
	return b.view, nil
}

// modelCode is the spelling of a device's model that layers are named by.
func modelCode(d phone.Device) string {
	if m, ok := catalog.Lookup(string(d.Vendor), d.Model); ok {
		return m.Code
	}
	return strings.TrimSpace(d.Model)
}

// account is where a line registers, before ports follow from transports.
type account struct {
	host, transport, proxy string
	port, expires          int
	ownPort, ownProxy      bool
}

// builder collects a view.
type builder struct {
	view     templates.View
	facts    Facts
	vendor   phone.Vendor
	zone     string
	server   account
	accounts []account // of view.Lines
	keys     keyRows
	book     bool
}

func newBuilder(d phone.Device, f Facts) *builder {
	b := &builder{vendor: d.Vendor, facts: f, zone: f.TimeZone, book: true, view: templates.View{
		Vendor: string(d.Vendor), Model: d.Model, Name: d.Name, MAC: templates.NewMAC(d.MAC),
		NTP: f.NTP, ProvisionURL: f.BaseURL, Raw: map[string]string{},
	}, server: account{
		host: f.SIPServer, port: f.SIPPort, transport: f.SIPTransport, proxy: f.OutboundProxy,
		expires: cmp.Or(f.SIPExpires, defaultExpires),
	}}
	b.keys.limit(d)
	if !d.Tokens.Steady.IsZero() && f.BaseURL != "" {
		b.view.ProvisionURL, b.view.Sticky = TokenURL(f.BaseURL, d.Tokens.Steady).Reveal(), true
	}
	if !d.MAC.IsZero() {
		b.view.AdminPassword = f.AdminPassword
	}
	return b
}

func (b *builder) addLines(lines []phone.Line) {
	b.view.Lines = make([]templates.Line, len(lines))
	for i, l := range lines {
		b.view.Lines[i] = templates.Line{
			Number: l.Number, User: l.Extension, AuthUser: l.AuthUser, Password: l.Secret,
			DisplayName: cmp.Or(l.DisplayName, l.Extension), Label: cmp.Or(l.Label, l.Extension),
		}
	}
}

// applyAll takes over the settings: those of the phone and of all lines, then those
// of single lines. A name that means nothing is left out.
func (b *builder) applyAll(e settings.Effective) error {
	var single []settings.Ref
	var texts []string
	for name, v := range e {
		ref, ok := settings.Lookup(name)
		if variable, of := strings.CutPrefix(name, variablePrefix); of {
			b.variable(variable, v.Text)
			continue
		}
		if !ok {
			if rawName(b.vendor, name) {
				b.view.Raw[name] = v.Text
			}
			continue
		}
		text, err := ref.Spec.Parse(v.Text)
		if err != nil {
			return settings.Field(name, err)
		}
		switch {
		case ref.Key > 0:
			b.keys.set(ref, text)
		case ref.Line > 0 && name == ref.Spec.Key: // line 1 by its bare name: below lines.1
			single, texts = slices.Insert(single, 0, ref), slices.Insert(texts, 0, text)
		case ref.Line > 0:
			single, texts = append(single, ref), append(texts, text)
		case ref.Spec.PerLine:
			b.ofAllLines(ref.Spec.Key, text)
		default:
			if set, ok := phoneSetters[ref.Spec.Key]; ok {
				set(b, text)
			}
		}
	}
	b.accounts = slices.Repeat([]account{b.server}, len(b.view.Lines))
	for i, ref := range single {
		b.ofLine(ref, texts[i])
	}
	return nil
}

// variable takes over what a template may have declared.
func (b *builder) variable(name, text string) {
	if b.view.Vars == nil {
		b.view.Vars = map[string]string{}
	}
	b.view.Vars[name] = text
}

func (b *builder) ofAllLines(key, text string) {
	b.server.set(key, text)
	for i := range b.view.Lines {
		if set, ok := lineSetters[key]; ok {
			set(&b.view.Lines[i], text)
		}
	}
}

// ofLine sets a line of the phone, if it has that line.
func (b *builder) ofLine(ref settings.Ref, text string) {
	for i := range b.view.Lines {
		if b.view.Lines[i].Number != ref.Line {
			continue
		}
		b.accounts[i].set(ref.Spec.Key, text)
		if set, ok := lineSetters[ref.Spec.Key]; ok {
			set(&b.view.Lines[i], text)
		}
	}
}

// set takes over a setting that says where to register; Parse has checked it.
func (a *account) set(key, text string) {
	switch key {
	case "sipServer":
		a.host = text
	case "sipPort":
		a.port, _ = strconv.Atoi(text)
		a.ownPort = true
	case "transport":
		a.transport = text
	case "outboundProxy":
		a.proxy, a.ownProxy = text, true
	case "expires":
		a.expires, _ = strconv.Atoi(text)
	}
}

// finish works out what depends on several settings.
func (b *builder) finish() {
	b.view.Server = b.serverOf(b.server)
	for i := range b.view.Lines {
		b.view.Lines[i].Server = b.serverOf(b.accounts[i])
	}
	b.view.Keys, b.view.ModuleKeys = b.keys.rows(b.view.Call.Pickup)
	if b.book && b.view.ProvisionURL != "" && b.view.MAC.Hex != "" {
		b.view.PhonebookURL = b.view.ProvisionURL + b.view.MAC.Hex + "/"
	}
	if fw := &b.view.Firmware; fw.URL != "" {
		fw.DirURL = strings.TrimSuffix(fw.URL, path.Base(fw.URL))
	}
}

// serverOf gives an account its ports: TLS is on another port than UDP and TCP, and
// the server's own proxy follows the port.
func (b *builder) serverOf(a account) templates.Server {
	f := b.facts
	s := templates.Server{Host: a.host, Port: a.port, Transport: a.transport, Domain: f.SIPDomain, Expires: a.expires}
	if !a.ownPort && (a.transport == "tls") != (f.SIPTransport == "tls") {
		s.Port = 5060
		if a.transport == "tls" {
			s.Port = 5061
		}
		if f.SIPOtherPort != 0 {
			s.Port = f.SIPOtherPort
		}
	}
	host, port, err := settings.SplitAddress(a.proxy)
	if err != nil || host == "" {
		return s
	}
	s.OutboundProxy = templates.HostPort{Host: host, Port: cmp.Or(port, s.Port)}
	if !a.ownProxy && port == f.SIPPort {
		s.OutboundProxy.Port = s.Port
	}
	return s
}

// rawName reports whether name can be a parameter of the vendor. All that Polycom
// and Yealink phones know have a dot, which tells them from misspelt settings.
func rawName(v phone.Vendor, name string) bool {
	if v == phone.Grandstream {
		return grandstreamParam(name)
	}
	return templates.ValidParam(name) && strings.Contains(name, ".")
}

// Base is the settings that phones have from the server's configuration alone.
func (s *Service) Base() map[string]string {
	f := s.opts.Facts()
	base := map[string]string{
		"sipServer": f.SIPServer, "sipPort": strconv.Itoa(f.SIPPort), "transport": f.SIPTransport,
		"expires": strconv.Itoa(cmp.Or(f.SIPExpires, defaultExpires)), "outboundProxy": f.OutboundProxy,
		"ntp": f.NTP, "timezone": f.TimeZone, "phonebook": "true",
	}
	if !f.AdminPassword.IsZero() {
		base["adminPassword"] = templates.Mask
	}
	return base
}
