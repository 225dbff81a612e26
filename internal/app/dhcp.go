package app

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision/dhcpd"
	"pbx.dev/dialtone/provision/dhcpd/leasefile"
)

// discovers reports whether phones are told where their files are, by DHCP or PnP.
func (a *App) discovers() bool { return a.cfg.DHCP.Mode != config.Off || a.cfg.PnP.Interface != "" }

// openDHCP binds the DHCP sockets, when the configuration wants a responder.
func (a *App) openDHCP(ctx context.Context) error {
	if a.cfg.DHCP.Mode == config.Off {
		return nil
	}
	o, err := dhcpOptions(a.cfg, a.id.advertise, a.sockets.port)
	if err != nil {
		return err
	}
	if o.Leases, err = a.openLeases(ctx); err != nil {
		return err
	}
	o.Recorder, o.Logger, o.Registerer = a.record, a.log, a.registry
	o.Known = a.known.Known
	o.Reservations = map[phone.MAC]netip.Addr{}
	for mac, addr := range a.known.all() {
		if addr.IsValid() {
			o.Reservations[mac] = addr
		}
	}
	if len(o.DNS) == 0 && o.Mode == dhcpd.Lease {
		a.log.WarnContext(ctx, "phones get no DNS server: set dhcp.dns")
	}
	if a.dhcp, err = dhcpd.New(o); err != nil {
		return err
	}
	if err := a.dhcp.Listen(); err != nil {
		return err
	}
	a.known.follow(a.dhcp.Reserve)
	a.onStop("dhcp", a.dhcp.Close)
	return nil
}

// openLeases is where leases are durable: a file of their own on one machine, the
// database where several nodes share it. The first file takes over what an older
// version had in the database.
func (a *App) openLeases(ctx context.Context) (dhcpd.Leases, error) {
	if a.cfg.DHCP.Mode != string(dhcpd.Lease) || !a.cfg.Database.URL.IsZero() {
		return a.inventory, nil
	}
	file, err := leasefile.Open(a.cfg.DataDir, a.log, func() ([]phone.Lease, error) { return a.inventory.Leases(ctx) })
	if err != nil {
		return nil, err
	}
	a.onStop("leases", file.Close)
	return file, nil
}

// dhcpOptions are the options of the responder as the configuration has them; port
// is that of a listener by name, 0 when it is off.
func dhcpOptions(cfg config.Config, advertise string, port func(string) int) (dhcpd.Options, error) {
	d := cfg.DHCP
	facts, err := dhcpFacts(cfg, advertise, port)
	if err != nil {
		return dhcpd.Options{}, err
	}
	o := dhcpd.Options{
		Mode: dhcpd.Mode(d.Mode), Interfaces: names(d.Interface), Port: d.ListenPort, Facts: func() dhcpd.Facts { return facts },
		LeaseTime: time.Duration(d.LeaseTime), PhonesOnly: d.PhonesOnly, VendorOf: vendorOf, DNS: nameservers(d.DNS, "/etc/resolv.conf"),
	}
	if d.Range != "" {
		if o.Range[0], o.Range[1], err = d.Addresses(); err != nil {
			return o, err
		}
	}
	if d.Router != "" {
		o.Router, err = netip.ParseAddr(d.Router)
	}
	return o, err
}

// dhcpFacts is what phones are told.
func dhcpFacts(cfg config.Config, advertise string, port func(string) int) (dhcpd.Facts, error) {
	zone, err := time.LoadLocation(cfg.Provision.TimeZone)
	facts := dhcpd.Facts{
		HTTPURL: urlOf("http", advertise, port("http")), HTTPSURL: urlOf("https", advertise, port("https")),
		SIPServer: advertise, NTP: addresses(cfg.Provision.NTP), TimeZone: zone,
		VLAN: cfg.DHCP.VLAN, VLANPriority: cfg.DHCP.VLANPriority,
	}
	if cfg.Provision.URL != "" {
		facts.HTTPURL, facts.HTTPSURL = cfg.Provision.URL, ""
	}
	if p := port("tftp"); p != 0 {
		facts.TFTPHost = net.JoinHostPort(advertise, strconv.Itoa(p))
	}
	return facts, err
}

// names splits a list of interfaces.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// addresses is the IPv4 address that host is; a name is not looked up, since
// option 42 must not depend on DNS at start.
func addresses(host string) []netip.Addr {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return []netip.Addr{ip}
	}
	return nil
}

// nameservers are the DNS servers that were given, else those in resolvConf that
// a phone could reach: not a resolver on this host's loopback.
func nameservers(given []string, resolvConf string) []netip.Addr {
	if len(given) == 0 {
		text, err := os.ReadFile(resolvConf)
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
				given = append(given, f[1])
			}
		}
	}
	var out []netip.Addr
	for _, s := range given {
		if ip, err := netip.ParseAddr(s); err == nil && ip.Is4() && !ip.IsLoopback() {
			out = append(out, ip)
		}
	}
	return out
}
