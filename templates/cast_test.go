package templates

import (
	"strings"
	"sync"
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

// castZones keeps the zones that several views have.
var castZones = sync.OnceValues(NewZones)

func zone(t testing.TB, name string) TimeZone {
	t.Helper()
	zones, err := castZones()
	if err != nil {
		t.Fatal(err)
	}
	tz, err := zones.Lookup(name)
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
		DisplayName: "Front Desk", Label: "101", Server: view.Server,
	}}
	return view
}

func everything(t testing.TB, v phone.Vendor) View {
	view := ordinary(t, v)
	view.TimeZone = zone(t, "Australia/Sydney")
	view.ProvisionURL = "https://provision.pbx.dev:8443/"
	view.UserPassword = phone.NewSecret("user-secret")
	view.ProvisionUser, view.ProvisionPassword = "0004f2abcdef", phone.NewSecret("provision-secret")
	view.Server.Transport, view.Server.Port, view.Server.Expires = "tls", 5061, 600
	view.Server.OutboundProxy = HostPort{Host: "2001:db8::5", Port: 5061}
	view.Lines = append(view.Lines, Line{
		Number: 3, User: "102", AuthUser: "102_d4e5f6", Password: phone.NewSecret("line-three-secret"),
		DisplayName: "Zoë & Søn", Label: "Back office",
	})
	for i := range view.Lines {
		full(&view.Lines[i])
		view.Lines[i].Server = view.Server
	}
	fullDevice(&view)
	view.Raw = map[phone.Vendor]map[string]string{
		phone.Polycom:     {"voice.codecPref.G722": "1", "device.prov.tagSerialNo": "0"},
		phone.Yealink:     {"account.1.codec.g722.enable": "1", "local_time.time_format": "0"},
		phone.Grandstream: {"P30": "192.0.2.123", "P57": "9"},
	}[v]
	return view
}

// full gives a line all that it can have.
func full(l *Line) {
	l.SRTP, l.DTMF, l.Voicemail, l.MWI, l.Ring, l.DND = "optional", "rfc2833", "*97", "1", "2", "0"
	l.ForwardAlways, l.ForwardBusy, l.ForwardNoAnswer, l.NoAnswerSeconds = "off", "201", "202", "25"
	for i, name := range []string{"g722", "pcma", "pcmu", "opus", "g729", "ilbc", "g726", "g723"} {
		c := Codec{Name: name, Enabled: "0"}
		if i < 4 {
			c.Enabled, c.Priority = "1", i+1
		}
		l.Codecs = append(l.Codecs, c)
	}
}

func fullDevice(v *View) {
	v.TimeFormat, v.Language, v.LLDP, v.CDP = "24", "de", "1", "0"
	v.VLAN, v.QoS, v.Web = VLAN{"120", "5", "30"}, QoS{"26", "46"}, Web{"1", "1"}
	v.Syslog, v.Volume = Syslog{"log.pbx.dev", "info"}, Volume{"5", "1"}
	v.Call = Call{Waiting: "0", DNDAllowed: "1", ForwardAllowed: "0", Pickup: "*8"}
	v.Wallpaper, v.PhonebookURL = "http://files.pbx.dev/wall.jpg", v.ProvisionURL+v.MAC.Hex+"/"
	v.PhonebookPages = []int{1, 2}
	v.Schedule = Schedule{Minutes: "120"}
	v.Firmware = Firmware{URL: "http://files.pbx.dev/fw/x.rom", Dir: "fw/", DirURL: "http://files.pbx.dev/fw/", File: "sip.ld", Version: "66.86.0.15"}
	v.Keys = []Key{
		{Number: 1, Type: "line", Line: 1},
		{Number: 2, Type: "blf", Value: "103", Label: "Ben", Line: 1, Pickup: "*8103", Lamp: 1},
		{Number: 3, Type: "speeddial", Value: "200", Label: "Zoë", Line: 1},
		{Number: 4, Type: "park", Value: "*68", Label: "Park", Line: 1},
		{Number: 5, Type: "dtmf", Value: "123", Label: "Door", Line: 3},
		{Number: 6, Type: "none", Line: 1},
	}
	v.ModuleKeys = []Key{{Module: 1, Number: 2, Type: "blf", Value: "104", Label: "Ann", Line: 1, Pickup: "*8104"}, {Module: 2, Number: 1, Type: "none", Line: 1}}
	v.Contacts = []Contact{{Number: "101", Name: "Front Desk"}, {Number: "102", Name: "Zoë & Søn", Speed: 3}}
}

const hostileText = "R&D <Desk>\"'\n#;%{{"

// hostile has the text in every string that a person can have written.
func hostile(t testing.TB, v phone.Vendor) View { return withText(t, v, hostileText) }

func withText(t testing.TB, v phone.Vendor, text string) View {
	view := ordinary(t, v)
	secret := phone.NewSecret(text)
	view.Model, view.Name, view.NTP, view.AdminPassword, view.UserPassword = "GXP2100", text, text, secret, secret
	view.ProvisionURL = "http://" + text
	view.ProvisionUser, view.ProvisionPassword = text, secret
	view.TimeZone.YealinkZone, view.TimeZone.YealinkName = text, text
	view.TimeZone.Grandstream = text
	server := view.Server
	server.Host, server.Domain, server.OutboundProxy.Host = text, text, text
	view.Lines[0] = Line{
		Number: 1, User: text, AuthUser: text, Password: secret, DisplayName: text, Label: text, Server: server,
		Voicemail: text, ForwardAlways: text, ForwardBusy: text, ForwardNoAnswer: text,
	}
	view.Syslog.Server, view.Call.Pickup, view.Wallpaper, view.PhonebookURL = text, text, "http://"+text, "http://"+text
	view.Firmware.URL, view.Firmware.DirURL = "http://"+text, "http://"+text
	view.Keys = []Key{{Number: 1, Type: "blf", Value: text, Label: text, Line: 1, Pickup: text, Lamp: 1}}
	view.ModuleKeys = []Key{{Module: 1, Number: 2, Type: "blf", Value: text, Label: text, Line: 1}}
	view.Contacts, view.PhonebookPages = []Contact{{Number: text, Name: text}}, []int{1}
	view.Raw = map[string]string{map[phone.Vendor]string{
		phone.Polycom: "np.normal.label", phone.Yealink: "features.hostile", phone.Grandstream: "P9999",
	}[v]: text}
	return view
}

// files lists the templates of a vendor: name of the file, template, view.
func files(v phone.Vendor) map[string]string {
	mac := macOf(v).Hex()
	switch v {
	case phone.Polycom:
		return map[string]string{
			mac + ".cfg": "polycom/master", mac + "-dialtone.cfg": "polycom/phone", mac + "-directory.xml": "polycom/directory",
			"000000000000.cfg": "polycom/master-common", "dialtone-common.cfg": "polycom/common",
		}
	case phone.Yealink:
		return map[string]string{
			mac + ".boot": "yealink/boot", mac + ".cfg": "yealink/phone", mac + "-phonebook.xml": "yealink/phonebook",
			"y000000000000.boot": "yealink/boot-common", "y000000000000.cfg": "yealink/common",
		}
	default:
		return map[string]string{"cfg" + mac + ".xml": "grandstream/phone", "phonebook.xml": "grandstream/phonebook", "cfg.xml": "grandstream/common"}
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
