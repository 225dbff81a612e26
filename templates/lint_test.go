package templates

import (
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// Of each way to lose a phone, and of what keeps phones from ringing together, every
// vendor has at least one parameter that is noticed. Where a vendor has none, the facts
// name none.
func TestLintOfEachVendor(t *testing.T) {
	t.Parallel()
	const none = ""
	for about, byVendor := range map[string]map[phone.Vendor]string{
		"another VLAN":             {phone.Polycom: "device.net.vlanId=7", phone.Yealink: "static.network.vlan.internet_port_vid=7", phone.Grandstream: "P51=7"},
		"turns DHCP off":           {phone.Polycom: "device.dhcp.enabled=0", phone.Yealink: "static.network.internet_port.type=2", phone.Grandstream: "P8=1"},
		"a fixed address":          {phone.Polycom: "device.net.ipAddress=192.0.2.1", phone.Yealink: "static.network.internet_port.ip=192.0.2.1", phone.Grandstream: "P9=192"},
		"gets its configuration":   {phone.Polycom: "device.prov.serverName=other", phone.Yealink: "static.auto_provision.server.url=http://other/", phone.Grandstream: "P237=other"},
		"which servers the phone":  {phone.Polycom: "device.sec.TLS.customCaCert1=x", phone.Yealink: "static.security.trust_certificates=1", phone.Grandstream: "P22030=x"},
		"unregisters every phone ": {phone.Polycom: none, phone.Yealink: "account.1.unregister_on_reboot=1", phone.Grandstream: "P81=1"},
	} {
		for vendor, parameter := range byVendor {
			if parameter == none {
				continue
			}
			name, value, _ := strings.Cut(parameter, "=")
			file := string(vendor) + "/phone"
			set := []Parameter{{Name: name, Value: value, Line: 3}}
			found := Lint(file, set, nil)
			if len(found) != 1 || !strings.Contains(found[0].Reason, about) || found[0].Parameter != name || found[0].Line != 3 {
				t.Errorf("%s %s: %+v, want one that says %q", vendor, parameter, found, about)
			}
			if again := Lint(file, set, set); len(again) != 0 {
				t.Errorf("%s %s: what the built-in template sets as well is noticed: %+v", vendor, parameter, again)
			}
		}
	}
}
