package provision

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

func TestSettingsOverFacts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	d := device(phone.Yealink, yeaMAC)
	d.Lines = append(d.Lines, phone.Line{Number: 2, Extension: "102"})
	d.Settings = map[string]string{
		"timezone": "Asia/Kolkata", "ntp": "ntp.site", "adminPassword": "a", "userPassword": "u", "sipServer": "sip.site",
		"transport": "TLS", "expires": "120", "label": "One", "lines.2.label": "Two", "lines.2.displayName": "Second",
		"lines.9.label": "nobody", "account.1.codec.g722.enable": "1", "misspelt": "x", "bad name.x": "y",
	}
	v, err := b.view(d, b.facts)
	if err != nil {
		t.Fatal(err)
	}
	if v.TimeZone.Offset != 19800 || v.NTP != "ntp.site" || v.AdminPassword.Reveal() != "a" || v.UserPassword.Reveal() != "u" {
		t.Errorf("view is %+v", v)
	}
	// The port and the proxy's port go with the transport.
	want := templates.Server{
		Host: "sip.site", Port: 5061, Transport: "tls", Domain: "pbx.dev", Expires: 120,
		OutboundProxy: templates.HostPort{Host: "192.0.2.10", Port: 5061},
	}
	if diff := cmp.Diff(want, v.Server); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if v.Lines[0].Label != "One" || v.Lines[0].DisplayName != "Front Desk" || v.Lines[1].Label != "Two" || v.Lines[1].DisplayName != "Second" {
		t.Errorf("lines are %+v", v.Lines)
	}
	if diff := cmp.Diff(map[string]string{"account.1.codec.g722.enable": "1"}, v.Raw); diff != "" {
		t.Errorf("raw (-want +got):\n%s", diff)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for name, tt := range map[string]struct {
		facts    func(*Facts)
		settings map[string]string
		port     int
		proxy    templates.HostPort
	}{
		"facts":          {nil, nil, 5060, templates.HostPort{Host: "192.0.2.10", Port: 5060}},
		"own port":       {nil, map[string]string{"sipPort": "5080", "transport": "tls"}, 5080, templates.HostPort{Host: "192.0.2.10", Port: 5080}},
		"tcp":            {nil, map[string]string{"transport": "tcp"}, 5060, templates.HostPort{Host: "192.0.2.10", Port: 5060}},
		"other port":     {func(f *Facts) { f.SIPOtherPort = 5071 }, map[string]string{"transport": "tls"}, 5071, templates.HostPort{Host: "192.0.2.10", Port: 5071}},
		"back to udp":    {func(f *Facts) { f.SIPTransport, f.SIPPort = "tls", 5061 }, map[string]string{"transport": "udp"}, 5060, templates.HostPort{Host: "192.0.2.10", Port: 5060}},
		"proxy off":      {nil, map[string]string{"outboundProxy": "off"}, 5060, templates.HostPort{}},
		"own proxy":      {nil, map[string]string{"outboundProxy": "edge:5060", "transport": "tls"}, 5061, templates.HostPort{Host: "edge", Port: 5060}},
		"proxy, no port": {nil, map[string]string{"outboundProxy": "[2001:db8::1]"}, 5060, templates.HostPort{Host: "2001:db8::1", Port: 5060}},
		"foreign proxy":  {func(f *Facts) { f.OutboundProxy = "sbc:5099" }, map[string]string{"transport": "tls"}, 5061, templates.HostPort{Host: "sbc", Port: 5099}},
	} {
		facts := b.facts
		if tt.facts != nil {
			tt.facts(&facts)
		}
		d := device(phone.Polycom, polyMAC)
		d.Settings = tt.settings
		v, err := b.view(d, facts)
		if err != nil || v.Server.Port != tt.port || v.Server.OutboundProxy != tt.proxy {
			t.Errorf("%s: %v, port %d, proxy %+v", name, err, v.Server.Port, v.Server.OutboundProxy)
		}
	}
}

func TestCheckPhone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		vendor      phone.Vendor
		name, value string
		ok          bool
	}{
		{phone.Polycom, "timezone", "Europe/Paris", true},
		{phone.Polycom, "timezone", "Paris", false},
		{phone.Polycom, "transport", "udp", true},
		{phone.Polycom, "transport", "sctp", false},
		{phone.Polycom, "sipPort", "5060", true},
		{phone.Polycom, "sipPort", "70000", false},
		{phone.Polycom, "expires", "5", false},
		{phone.Polycom, "outboundProxy", "host:port", false},
		{phone.Polycom, "outboundProxy", "off", true},
		{phone.Polycom, "lines.2.label", "x", true},
		{phone.Polycom, "lines.0.label", "x", true}, // has a dot: taken for a parameter
		{phone.Polycom, "voice.codecPref.G722", "1", true},
		{phone.Polycom, "timezon", "UTC", false},
		{phone.Polycom, `x.y="1" z`, "1", false},
		{phone.Polycom, "ntp", "bell\a", false},
		{phone.Yealink, "adminPassword", "%NULL%", false},
		{phone.Yealink, "account.1.label", "a\nb", false},
		{phone.Yealink, "account.1.label", "a b", true},
		{phone.Grandstream, "P57", "9", true},
		{phone.Grandstream, "P57x", "9", false},
		{phone.Grandstream, "account.1", "9", false},
	} {
		_, err := b.CheckPhone(phone.Device{Vendor: tt.vendor, Settings: map[string]string{tt.name: tt.value}})
		var field *phone.FieldError
		if (err == nil) != tt.ok || err != nil && (!errors.As(err, &field) || field.Field != "settings."+tt.name) {
			t.Errorf("%s %s=%q: %v", tt.vendor, tt.name, tt.value, err)
		}
	}
}
