package templates

import (
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// The views that tests render: one ordinary phone, one with everything, one that
// means harm, and what a phone without files of its own gets.

func macOf(v phone.Vendor) phone.MAC {
	return map[phone.Vendor]phone.MAC{
		phone.Polycom:     {0x00, 0x04, 0xf2, 0xab, 0xcd, 0xef},
		phone.Yealink:     {0x80, 0x5e, 0xc0, 0xaa, 0xbb, 0xcc},
		phone.Grandstream: {0x00, 0x0b, 0x82, 0x12, 0x34, 0x56},
	}[v]
}

func zone(t testing.TB, name string) TimeZone {
	t.Helper()
	tz, err := mustZones(t).Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return tz
}

func common(t testing.TB, v phone.Vendor) View {
	return View{
		Vendor: string(v), NTP: "pool.ntp.org", TimeZone: zone(t, "UTC"), ProvisionURL: "http://192.0.2.10:8081/",
		Server: Server{Host: "sip.pbx.dev", Port: 5060, Transport: "udp", Domain: "pbx.dev", Expires: 3600},
	}
}

func ordinary(t testing.TB, v phone.Vendor) View {
	view := common(t, v)
	view.MAC = NewMAC(macOf(v))
	view.AdminPassword = phone.NewSecret("admin-secret")
	view.Lines = []Line{{
		Number: 1, User: "101", AuthUser: "101_a1b2c3", Password: phone.NewSecret("line-one-secret"),
		DisplayName: "Front Desk", Label: "101",
	}}
	return view
}

func everything(t testing.TB, v phone.Vendor) View {
	view := ordinary(t, v)
	view.TimeZone = zone(t, "Australia/Sydney")
	view.ProvisionURL = "https://provision.pbx.dev:8443/"
	view.UserPassword = phone.NewSecret("user-secret")
	view.Firmware = Firmware{
		URL: "https://provision.pbx.dev:8443/fw/0004f2abcdef/fw_1/T46S%28T48S%29-66.86.0.15.rom", Dir: "fw/0004f2abcdef/fw_1/",
		DirURL: "https://provision.pbx.dev:8443/fw/0004f2abcdef/fw_1/", File: "sip.ld", Version: "66.86.0.15",
	}
	view.ProvisionUser, view.ProvisionPassword = "0004f2abcdef", phone.NewSecret("provision-secret")
	view.Server.Transport, view.Server.Port, view.Server.Expires = "tls", 5061, 600
	view.Server.OutboundProxy = HostPort{Host: "2001:db8::5", Port: 5061}
	view.Lines = append(view.Lines, Line{
		Number: 3, User: "102", AuthUser: "102_d4e5f6", Password: phone.NewSecret("line-three-secret"),
		DisplayName: "Zoë & Søn", Label: "Back office",
	})
	view.Raw = map[phone.Vendor]map[string]string{
		phone.Polycom:     {"voice.codecPref.G722": "1", "device.prov.tagSerialNo": "0"},
		phone.Yealink:     {"account.1.codec.g722.enable": "1", "local_time.time_format": "0"},
		phone.Grandstream: {"P30": "192.0.2.123", "P57": "9"},
	}[v]
	return view
}

const hostileText = "R&D <Desk>\"'\n#;%{{"

// hostile has the text in every string that a person can have written.
func hostile(t testing.TB, v phone.Vendor) View {
	view := ordinary(t, v)
	secret := phone.NewSecret(hostileText)
	view.Model, view.Name, view.NTP, view.AdminPassword, view.UserPassword = hostileText, hostileText, hostileText, secret, secret
	view.ProvisionURL = "http://" + hostileText
	view.ProvisionUser, view.ProvisionPassword = hostileText, secret
	view.TimeZone.YealinkZone, view.TimeZone.YealinkName = hostileText, hostileText
	view.TimeZone.Grandstream = hostileText
	view.Server.Host, view.Server.Domain, view.Server.OutboundProxy.Host = hostileText, hostileText, hostileText
	view.Lines[0] = Line{
		Number: 1, User: hostileText, AuthUser: hostileText, Password: secret, DisplayName: hostileText, Label: hostileText,
	}
	view.Raw = map[string]string{map[phone.Vendor]string{
		phone.Polycom: "np.normal.label", phone.Yealink: "features.hostile", phone.Grandstream: "P9999",
	}[v]: hostileText}
	return view
}

// files lists the templates of a vendor: name of the file, template, view.
func files(v phone.Vendor) map[string]string {
	mac := macOf(v).Hex()
	switch v {
	case phone.Polycom:
		return map[string]string{
			mac + ".cfg": "polycom/master", mac + "-dialtone.cfg": "polycom/phone",
			"000000000000.cfg": "polycom/master-common", "dialtone-common.cfg": "polycom/common",
		}
	case phone.Yealink:
		return map[string]string{
			mac + ".boot": "yealink/boot", mac + ".cfg": "yealink/phone",
			"y000000000000.boot": "yealink/boot-common", "y000000000000.cfg": "yealink/common",
		}
	default:
		return map[string]string{"cfg" + mac + ".xml": "grandstream/phone", "cfg.xml": "grandstream/common"}
	}
}

func render(t testing.TB, name string, v View) string {
	t.Helper()
	var b strings.Builder
	if err := Builtin().Render(&b, name, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
