package app

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/provision/tftpd"
	"pbx.dev/dialtone/templates"
)

// openFiles makes the service that answers what phones fetch, and its listeners.
func (a *App) openFiles(ctx context.Context) error {
	if err := a.openLayers(ctx); err != nil {
		return err
	}
	password := a.cfg.Provision.AdminPassword
	if password.IsZero() {
		var err error
		if password, _, err = secretFile(a.cfg.DataDir, "phone-admin.password", func() (string, error) { return phonePassword(a.master) }); err != nil {
			return fmt.Errorf("password of the phones' menus: %w", err)
		}
	}
	facts := a.facts(password)
	builtin, _ := templates.NewLibrary(templates.Builtin())
	a.templates = templates.NewLive(builtin)
	if err := a.openPhoneKey(); err != nil {
		return err
	}
	var err error
	a.files, err = provision.New(provision.Options{
		Inventory: readDevices{a.inventory}, Credentials: a.credentialsFor(), Renderer: a.templates, Choose: a.choose, Variables: func() map[string][]phone.TemplateVariable { return a.templates.Library().Variables() }, Facts: func() provision.Facts { return facts }, Uploads: a.uploads,
		Firmware: a.firmware.FS(), Images: images{a.firmware, a.roster},
		Recorder: a.record, VendorOf: vendorOf, MACOf: macOf,
		Layers: a.layers.Stack, Directory: a.inventory.Directory,
		AgentVendor: agentVendor, Tokens: a.inventory, Unknown: a.waiting, Admit: a.admit, Known: a.roster.Knows, Against: a.leasedOther,
		Kept: a.lastGood, ProbeBudget: a.cfg.Provision.ProbeBudget, Decoys: macs(a.cfg.Provision.Decoys),
		LAN: prefixes(a.cfg.Provision.LAN), Secrets: provision.Assurance(a.cfg.Provision.Secrets),
		Below: provision.Below(a.cfg.Provision.Below), Enroll: provision.Enroll(a.cfg.Provision.Enroll),
		Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.followDirectory()
	if a.sockets.tftp != nil {
		a.tftp, err = tftpd.New(tftpd.Options{Files: a.files, Uploads: a.files, MaxBlock: a.cfg.TFTP.Blksize, Logger: a.log, Registerer: a.registry})
		if err != nil {
			return err
		}
	}
	return a.openHTTP()
}

// readDevices gives provision devices that it reads and never changes.
type readDevices struct{ *inventory.Store }

// DeviceByMAC implements provision.Inventory.
func (r readDevices) DeviceByMAC(ctx context.Context, mac phone.MAC) (phone.Device, error) {
	return r.SharedDevice(ctx, mac)
}

// facts is what every file says of the server.
func (a *App) facts(password phone.Secret) provision.Facts {
	s := a.cfg.SIP
	port := a.sockets.port("sip." + s.Transport)
	f := provision.Facts{
		SIPServer: s.Server, SIPDomain: s.Domain, SIPPort: port, SIPTransport: s.Transport, SIPExpires: s.DefaultExpires,
		NTP: a.cfg.Provision.NTP, TimeZone: a.cfg.Provision.TimeZone, BaseURL: a.baseURL(), AdminPassword: password,
	}
	switch {
	case s.OutboundProxy != config.Auto && s.OutboundProxy != config.Off:
		f.OutboundProxy = s.OutboundProxy
	case s.OutboundProxy == config.Auto && port != 0:
		f.OutboundProxy = net.JoinHostPort(a.id.advertise, strconv.Itoa(port))
	}
	f.SIPOtherPort = a.sockets.port("sip.tls")
	if s.Transport == "tls" {
		f.SIPOtherPort = max(a.sockets.port("sip.udp"), a.sockets.port("sip.tcp"))
	}
	if f.SIPPort == 0 { // served elsewhere, on the port that its transport has
		f.SIPPort = map[string]int{"udp": 5060, "tcp": 5060, "tls": 5061}[s.Transport]
	}
	return f
}

// baseURL is where phones fetch their files: plain HTTP, since a phone fresh
// from the factory does not trust our CA, else HTTPS, else TFTP.
func (a *App) baseURL() string {
	if a.cfg.Provision.URL != "" {
		return a.cfg.Provision.URL
	}
	for _, l := range []struct{ name, scheme string }{{"http", "http"}, {"https", "https"}, {"tftp", "tftp"}} {
		if u := a.listenerURL(l.name, l.scheme); u != "" {
			return u
		}
	}
	return ""
}

// listenerURL is the URL of a listener as phones see it; empty when it is off.
func (a *App) listenerURL(name, scheme string) string {
	return urlOf(scheme, a.id.advertise, a.sockets.port(name))
}

// urlOf is empty for port 0.
func urlOf(scheme, host string, port int) string {
	if port == 0 {
		return ""
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/"}
	return u.String()
}

func vendorOf(mac phone.MAC) (phone.Vendor, bool) {
	_, v, ok := catalog.VendorOf(mac)
	return v, ok
}

func macOf(agent string) (phone.MAC, bool) {
	mac := useragent.Parse(agent, useragent.HTTP).MAC
	return mac, !mac.IsZero()
}

// agentVendor is the maker that a User-Agent names, when there are files for its
// phones.
func agentVendor(agent string) (phone.Vendor, bool) {
	v := catalog.CanonicalVendor(useragent.Parse(agent, useragent.HTTP).Vendor)
	return v, slices.Contains(phone.Vendors(), v)
}

// prefixes parses networks that the configuration has checked.
func prefixes(cidrs []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(cidrs))
	for _, c := range cidrs {
		if p, err := netip.ParsePrefix(c); err == nil {
			out = append(out, p)
		}
	}
	return out
}
