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
	"pbx.dev/dialtone/provision/dhcpd"
)

// openDHCP binds the DHCP sockets, when the configuration wants a responder.
func (a *App) openDHCP(ctx context.Context) error {
	d := a.cfg.DHCP
	if d.Mode == config.Off {
		return nil
	}
	zone, err := time.LoadLocation(a.cfg.Provision.TimeZone)
	if err != nil {
		return err
	}
	facts := dhcpd.Facts{
		HTTPURL: a.listenerURL("http", "http"), HTTPSURL: a.listenerURL("https", "https"),
		SIPServer: a.id.advertise, NTP: addresses(a.cfg.Provision.NTP), TimeZone: zone,
	}
	if a.cfg.Provision.URL != "" {
		facts.HTTPURL, facts.HTTPSURL = a.cfg.Provision.URL, ""
	}
	if port := a.sockets.port("tftp"); port != 0 {
		facts.TFTPHost = net.JoinHostPort(a.id.advertise, strconv.Itoa(port))
	}
	o := dhcpd.Options{
		Mode: dhcpd.Mode(d.Mode), Interfaces: strings.FieldsFunc(d.Interface, func(r rune) bool { return r == ',' || r == ' ' }),
		Port: d.ListenPort, Facts: func() dhcpd.Facts { return facts }, LeaseTime: time.Duration(d.LeaseTime), Leases: a.inventory,
		PhonesOnly: d.PhonesOnly, VendorOf: vendorOf, Recorder: a.record, Logger: a.log, Registerer: a.registry,
	}
	if o.DNS = nameservers(d.DNS, "/etc/resolv.conf"); len(o.DNS) == 0 && o.Mode == dhcpd.Lease {
		a.log.WarnContext(ctx, "phones get no DNS server: set dhcp.dns")
	}
	if d.Range != "" {
		first, last, err := d.Addresses()
		if err != nil {
			return err
		}
		o.Range = [2]netip.Addr{first, last}
	}
	if d.Router != "" {
		if o.Router, err = netip.ParseAddr(d.Router); err != nil {
			return err
		}
	}
	if a.dhcp, err = dhcpd.New(o); err != nil {
		return err
	}
	if err := a.dhcp.Listen(); err != nil {
		return err
	}
	a.onStop("dhcp", a.dhcp.Close)
	return nil
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
