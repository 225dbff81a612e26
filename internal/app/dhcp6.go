package app

import (
	"context"
	"slices"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision/dhcp6d"
	"pbx.dev/dialtone/provision/dhcpd"
)

// openDHCP6 answers DHCPv6 requests for information, when the configuration wants it.
func (a *App) openDHCP6(ctx context.Context) (err error) {
	if !a.cfg.DHCP.V6 {
		return nil
	}
	url := a.baseURL()
	a.dhcp6, err = dhcp6d.New(dhcp6d.Options{
		Interfaces: names(a.cfg.DHCP.Interface), Recorder: a.record, Logger: a.log, Registerer: a.registry,
		Answer: func(mac phone.MAC, class string) (string, bool) {
			return url, !a.cfg.DHCP.PhonesOnly || isPhone(mac, class)
		},
	})
	if err != nil {
		return err
	}
	a.onStop("dhcp6", a.dhcp6.Close)
	return a.dhcp6.Listen(ctx)
}

// isPhone reports whether a MAC address or a vendor class is of a maker whose files
// there are.
func isPhone(mac phone.MAC, class string) bool {
	if v, ok := vendorOf(mac); ok && slices.Contains(phone.Vendors(), v) {
		return true
	}
	return dhcpd.IsPhoneClass(class)
}
