package provision

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
)

// What a model has not is refused with the field and a sentence; what only may be
// missing, or has no parameter, is a warning.
func TestWhatModelsHaveNot(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		vendor               phone.Vendor
		model                string
		line                 int
		setting              string
		field, want, warning string
	}{
		{phone.Yealink, "T27G", 6, "", "", "", ""},
		{phone.Yealink, "T27G", 7, "", "lines[0].line", "the T27G has 6 lines", ""},
		{phone.Polycom, "VVX 311", 7, "", "lines[0].line", "the VVX 311 has 6 lines", ""},
		{phone.Polycom, "Edge E220", 7, "", "", "", "lines[0].line: the catalogue knows 4 lines of the Edge E220"},
		{phone.Grandstream, "HT802", 3, "", "lines[0].line", "the HT802 has 2 lines", ""},
		{phone.Grandstream, "GXP2130", 4, "", "", "", "lines[0].line: the catalogue knows 3 lines of the GXP2130"},
		{phone.Grandstream, "GXP2170", 7, "", "lines[0].line", "the parameters of accounts above 6 of Grandstream phones are not known", ""},
		{phone.Yealink, "T21P_E2", 1, "modules.2.keys.1.type", "settings.modules.2.keys.1.type", "the T21P_E2 takes no expansion modules", ""},
		{phone.Yealink, "T43U", 1, "modules.4.keys.1.type", "settings.modules.4.keys.1.type", "the T43U takes 3 expansion modules", ""},
		{phone.Yealink, "T43U", 1, "modules.3.keys.61.type", "settings.modules.3.keys.61.type", "an expansion module of the T43U has 60 keys", ""},
		{phone.Grandstream, "GRP2614", 1, "keys.6.type", "", "", ""},
		{phone.Grandstream, "GRP2614", 1, "keys.7.type", "", "", "settings.keys.7.type: no parameter is known that makes this key of the GRP2614 a blf; it is left out"},
	} {
		d := phone.Device{Vendor: tt.vendor, Model: tt.model, Settings: map[string]string{}, Lines: []phone.Line{{Number: tt.line, Extension: "1"}}}
		if tt.setting != "" {
			d.Settings[tt.setting] = "blf"
		}
		warnings, err := b.CheckPhone(d)
		var field *phone.FieldError
		if errors.As(err, &field) != (tt.field != "") || field != nil && (field.Field != tt.field || field.Reason != tt.want) {
			t.Errorf("%s line %d %s: %v, want %q", tt.model, tt.line, tt.setting, err, tt.want)
		}
		if got := strings.Join(warnings, "|"); got != tt.warning {
			t.Errorf("%s line %d %s: warnings %q, want %q", tt.model, tt.line, tt.setting, got, tt.warning)
		}
	}
}

// A phone that is exchanged for a smaller one, or a layer for many, leaves out what
// this model has not.
func TestKeysThatDoNotFitAreLeftOut(t *testing.T) {
	t.Parallel()
	stack := settings.NewStack(1, []phone.Layer{{Scope: "global", Settings: map[string]string{
		"keys.2.value": "102", "keys.3.value": "103", "modules.1.keys.1.value": "201", "modules.4.keys.1.value": "204",
	}}})
	b := newBench(t, func(o *Options) { o.Layers = func() *settings.Stack { return stack } })
	for model, want := range map[string]string{"T46S": "102 103 201 204", "T43U": "102 103 201", "T21P_E2": "102", "no such": "102 103 201 204"} {
		d := device(phone.Yealink, yeaMAC)
		d.Model = model
		v, err := b.view(d, b.facts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range append(v.Keys, v.ModuleKeys...) {
			got = append(got, k.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has keys %q, want %q", model, got, want)
		}
	}
}

func TestLinesOfKeysCountFromZero(t *testing.T) {
	t.Parallel()
	for model, line := range map[string]string{"T32G": "0", "SIP-T38G": "0", "T28P": "1"} {
		b := newBench(t, nil)
		d := device(phone.Yealink, yeaMAC)
		d.Model, d.Settings = model, map[string]string{"keys.2.type": "blf", "keys.2.value": "102"}
		b.shelf.devices[yeaMAC] = d
		text, _, err := b.fetch("/805ec0aabbcc.cfg")
		if err != nil || !strings.Contains(text, "\nlinekey.2.line = "+line+"\n") {
			t.Errorf("%s: %v\n%s", model, err, text)
		}
	}
}

// An adapter's second port has P-values of its own; those of a phone's second account
// would leave it silent.
func TestSecondPortOfAdapters(t *testing.T) {
	t.Parallel()
	for model, want := range map[string][]string{
		"HT802":   {"P747>sip.pbx.dev:5060<", "P735>102<", "P736>102_b<", "P734>second<", "P703>Second<", "P752>0<", "P489>1<", "P401>1<", "P860>102<", "P757>8<"},
		"HT-503":  {"P747>sip.pbx.dev:5060<"},
		"GXP2170": {"P402>sip.pbx.dev:5060<", "P404>102<", "P411>0<", "P2403>1<", "P451>8<"},
	} {
		b := newBench(t, nil)
		d := device(phone.Grandstream, gsMAC)
		d.Model, d.Settings = model, map[string]string{"dtmf": "info", "codecs": "pcma"}
		d.Lines = append(d.Lines, phone.Line{Number: 2, Extension: "102", AuthUser: "102_b", DisplayName: "Second", Secret: phone.NewSecret("second")})
		b.shelf.devices[gsMAC] = d
		text, _, err := b.fetch("/cfg000b82123456.xml")
		for _, w := range want {
			if err != nil || !strings.Contains(text, "<"+w) {
				t.Errorf("%s: %v, no %s in\n%s", model, err, w, text)
			}
		}
		if strings.Contains(text, "<P402>") == strings.HasPrefix(model, "HT") {
			t.Errorf("%s:\n%s", model, text)
		}
	}
}

// A phone that restarts must not take the other contacts of its extension away, on
// any of its lines; +sip.instance is how the registrar tells phones apart.
func TestForkRingPresets(t *testing.T) {
	t.Parallel()
	for vendor, presets := range map[phone.Vendor]map[string][]string{
		phone.Yealink: {"T46S": {"account.%d.unregister_on_reboot = 0"}},
		phone.Grandstream: {
			"GXP2170": {"<P81>0<", "<P288>1<", "<P411>0<", "<P489>1<", "<P511>0<", "<P589>1<", "<P611>0<", "<P689>1<", "<P1711>0<", "<P1789>1<", "<P1811>0<", "<P1889>1<"},
			"HT802":   {"<P81>0<", "<P288>1<", "<P752>0<", "<P489>1<"},
		},
		// Of a Polycom no list knows a parameter that would unregister at a restart.
		phone.Polycom: {"VVX 450": {`reg.%d.server.1.register="1"`}},
	} {
		for model, want := range presets {
			b := newBench(t, nil)
			mac := map[phone.Vendor]phone.MAC{phone.Polycom: polyMAC, phone.Yealink: yeaMAC, phone.Grandstream: gsMAC}[vendor]
			d := device(vendor, mac)
			d.Model = model
			for n := 2; n <= 6 && model != "HT802" || n <= 2; n++ {
				d.Lines = append(d.Lines, phone.Line{Number: n, Extension: fmt.Sprint(100 + n), AuthUser: "u"})
			}
			b.shelf.devices[mac] = d
			names := Names(d)
			text, _, err := b.fetch("/" + names[len(names)-1])
			for _, l := range d.Lines {
				for _, w := range want {
					if strings.Contains(w, "%d") {
						w = fmt.Sprintf(w, l.Number)
					}
					if err != nil || !strings.Contains(text, w) {
						t.Errorf("%s: %v, no %s in\n%s", model, err, w, text)
					}
				}
			}
		}
	}
}

func TestZonesThatCannotBeSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil) // in January 2027
	for _, tt := range []struct {
		vendor     phone.Vendor
		zone, want string
	}{
		{phone.Yealink, "Europe/Dublin", ""},
		{phone.Yealink, "Australia/Lord_Howe", ""},
		{phone.Polycom, "Australia/Lord_Howe", "settings.timezone: the file of phones of Polycom cannot say all of Australia/Lord_Howe: in the next 3 years their clock is wrong for 543 days"},
		{phone.Polycom, "Pacific/Chatham", "settings.timezone: the file of phones of Polycom cannot say all of Pacific/Chatham: in the next 3 years their clock is wrong for 4.5 hours"},
		{phone.Grandstream, "Africa/Casablanca", "settings.timezone: the file of phones of Grandstream cannot say all of Africa/Casablanca: in the next 3 years their clock is wrong for "},
		{"snom", "Africa/Casablanca", ""},
	} {
		set := map[string]string{"timezone": tt.zone}
		warnings, err := b.CheckPhone(phone.Device{Vendor: tt.vendor, Settings: set})
		if got := strings.Join(warnings, "|"); err != nil || !strings.HasPrefix(got, tt.want) || tt.want == "" && strings.Contains(got, "clock") {
			t.Errorf("%s %s: %v, %q", tt.vendor, tt.zone, err, got)
		}
		warnings, err = b.CheckLayer("vendor", string(tt.vendor), set)
		if got := strings.Join(warnings, "|"); err != nil || !strings.HasPrefix(got, tt.want) {
			t.Errorf("layer %s %s: %v, %q", tt.vendor, tt.zone, err, got)
		}
	}
	if warnings, err := b.CheckLayer("global", "", map[string]string{"timezone": "Africa/Casablanca"}); err != nil || len(warnings) != 3 {
		t.Errorf("for all: %v, %q", err, warnings)
	}
}

// A parameter of the vendor that can lock the phone out or break ringing together is
// taken, and warned of.
func TestDangerousParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		vendor            phone.Vendor
		name, value, want string
	}{
		{phone.Polycom, "device.dhcp.enabled", "0", "turns DHCP off (lockout)"},
		{phone.Yealink, "static.auto_provision.server.url", "http://x/", "changes where the phone gets its configuration (lockout)"},
		{phone.Yealink, "account.2.unregister_on_reboot", "1", "(fork-ring)"},
		{phone.Yealink, "account.2.unregister_on_reboot", "0", ""},
		{phone.Grandstream, "P81", "1", "(fork-ring)"},
		{phone.Grandstream, "P752", "1", "(fork-ring)"},
		{phone.Grandstream, "P8", "1", "turns DHCP off (lockout)"},
		{phone.Grandstream, "P57", "9", ""},
	} {
		set := map[string]string{tt.name: tt.value}
		warnings, err := b.CheckPhone(phone.Device{Vendor: tt.vendor, Settings: set})
		if got := strings.Join(warnings, "|"); err != nil || !strings.HasSuffix(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s: %v, %q", tt.name, err, got)
		}
		warnings, err = b.CheckLayer("global", "", set)
		if got := strings.Join(warnings, "|"); err != nil || !strings.HasSuffix(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("layer %s: %v, %q", tt.name, err, got)
		}
	}
}

// The busy lamps of a Polycom take the watched numbers in order: the list has no
// gaps, wherever the keys are.
func TestBusyLampsOfPolycom(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	d := device(phone.Polycom, polyMAC)
	d.Model = "VVX 450"
	d.Settings = map[string]string{"keys.2.type": "blf", "keys.2.value": "102", "keys.4.value": "104", "keys.9.type": "blf", "keys.9.value": "109"}
	b.shelf.devices[polyMAC] = d
	text, _, err := b.fetch("/0004f2abcdef-dialtone.cfg")
	for _, want := range []string{
		`lineKey.2.category="BLF" lineKey.2.index="0"`, `attendant.resourceList.1.address="102"`,
		`lineKey.4.category="SpeedDial" lineKey.4.index="4"`, `lineKey.9.category="BLF" lineKey.9.index="0"`, `attendant.resourceList.2.address="109"`,
	} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%v, no %s in\n%s", err, want, text)
		}
	}
}

// A phone whose own settings do not fit its model any more is not changed silently.
func TestSmallerModelIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	d := device(phone.Yealink, yeaMAC)
	d.Settings = map[string]string{"keys.20.type": "blf"}
	for model, want := range map[string]string{"T46S": "", "T21P_E2": "settings.keys.20.type"} {
		d.Model = model
		_, err := b.CheckPhone(d)
		var field *phone.FieldError
		if errors.As(err, &field) != (want != "") || field != nil && field.Field != want {
			t.Errorf("%s: %v", model, err)
		}
	}
}
