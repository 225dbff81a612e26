package templates

import (
	"encoding/xml"
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

// What a hostile phone's files read back as: the very text, except that a Yealink
// file cannot hold the line feed.
func TestHostilePhoneReadsBack(t *testing.T) {
	t.Parallel()
	for _, vendor := range phone.Vendors() {
		want := hostileText
		if vendor == phone.Yealink {
			want = strings.ReplaceAll(want, "\n", "")
		}
		got, err := readFile(vendor, render(t, string(vendor)+"/phone", hostile(t, vendor)))
		if err != nil {
			t.Errorf("%s: %v", vendor, err)
			continue
		}
		for param, expect := range map[phone.Vendor]map[string]string{
			phone.Polycom: {
				"reg.1.address": want, "reg.1.displayName": want, "reg.1.label": want, "reg.1.auth.userId": want,
				"reg.1.auth.password": want, "reg.1.server.1.address": want, "reg.1.outboundProxy.address": want,
				"device.auth.localAdminPassword": want, "device.auth.localUserPassword": want,
				"tcpIpApp.sntp.address": want, "device.prov.serverName": want, "np.normal.label": want,
				"msg.mwi.1.callBack": want, "divert.1.contact": want, "divert.busy.1.contact": want, "divert.noanswer.1.contact": want,
				"device.syslog.serverName": want, "bg.color.bm.1.name": "http://" + want, "call.directedCallPickupString": want,
				"device.prov.user": want, "device.prov.password": want,
				"attendant.resourceList.1.address": want, "attendant.resourceList.1.label": want,
			},
			phone.Yealink: {
				"account.1.user_name": want, "account.1.display_name": want, "account.1.label": want, "account.1.auth_name": want,
				"account.1.password": want, "account.1.sip_server.1.address": want, "account.1.outbound_proxy.1.address": want,
				"static.security.user_password(admin)": "admin:" + want, "security.user_password(user)": "user:" + want, "local_time.ntp_server1": want,
				"local_time.time_zone": want, "static.auto_provision.server.url": "http://" + want, "features.hostile": want,
				"static.auto_provision.server.username": want, "static.auto_provision.server.password": want,
				"voice_mail.number.1": want, "account.1.always_fwd.target": want, "account.1.busy_fwd.target": want,
				"account.1.timeout_fwd.target": want, "static.syslog.server": want, "wallpaper_upload.url": "http://" + want,
				"features.pickup.direct_pickup_code": want, "linekey.1.value": want, "linekey.1.label": want, "linekey.1.extension": want,
				"expansion_module.1.key.2.label": want, "static.firmware.url": "http://" + want, "remote_phonebook.data.1.url": "http://" + want + "phonebook.xml",
			},
			phone.Grandstream: {
				"P35": want, "P3": want, "P270": want, "P36": want, "P34": want, "P47": want + ":5060",
				"P48": want, "P2": want, "P196": want, "P30": want, "P237": want, "P64": want, "P9999": want,
				"P33": want, "P207": want, "P2916": want, "P1347": want, "P302": want, "P303": want, "P6402": want, "P331": want, "P192": want, "P1360": want, "P1361": want,
			},
		}[vendor] {
			if got[param] != expect {
				t.Errorf("%s: %s reads back as %q, want %q", vendor, param, got[param], expect)
			}
		}
	}
}

// Every file that ordinary phones get reads back without complaint, and names only
// parameters that the vendor's firmware knows.
func TestParametersExist(t *testing.T) {
	t.Parallel()
	lists := map[phone.Vendor]string{
		phone.Polycom: "polycom_params_all.txt", phone.Yealink: "yealink_params_all.txt", phone.Grandstream: "grandstream_pvalues_all.txt",
	}
	// Not parameters: the master file and the line of the boot file.
	structure := regexp.MustCompile(`^(version|encoding|standalone|APP_FILE_PATH|CONFIG_FILES|MISC_FILES|[A-Z_]+_DIRECTORY|overwrite_mode)$`)
	digits := regexp.MustCompile(`(^|\.)[0-9]+(\.|$)`)
	for _, vendor := range phone.Vendors() {
		text, err := os.ReadFile("data/" + lists[vendor])
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for name := range strings.FieldsSeq(string(text)) {
			known[name] = true
		}
		for file, tmpl := range files(vendor) {
			params, err := readFile(vendor, render(t, tmpl, everything(t, vendor)))
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if len(params) == 0 && !strings.Contains(file, "boot") && !strings.Contains(file, "book") && !strings.Contains(file, "directory") {
				t.Errorf("%s has no parameters", file)
			}
			for name := range params {
				shape := digits.ReplaceAllString(name, "${1}N${2}")
				shape = digits.ReplaceAllString(shape, "${1}N${2}")
				shape, _, _ = strings.Cut(shape, "(")
				if !known[shape] && !structure.MatchString(name) {
					t.Errorf("%s: the vendor does not know %s", file, name)
				}
			}
		}
	}
}

func TestLineEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain-1.2:x_y":        "plain-1.2:x_y",
		"%NULL%":               "NULL%",
		"%EMPTY%":              "EMPTY%",
		" %% %NULL% ":          "NULL%",
		"50% off":              "50% off",
		"#101":                 "#101",
		"a = b # c ; d":        "a = b # c ; d",
		"  both ends \t":       "both ends",
		"a\r\nP34 = x\x00\x7f": "aP34 = x",
		"a\u0085b\u2028c":      "abc",
		"\n% x":                "x",
		"":                     "",
		"Zoë":                  "Zoë",
	} {
		if got := lineEscape(in); got != want {
			t.Errorf("lineEscape(%q) = %q, want %q", in, got, want)
		}
		if got := string(appendLine(nil, in)); got != want {
			t.Errorf("appendLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestXMLEscapeReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		want := strings.Map(func(r rune) rune {
			if xmlChar(r) || r == '\n' || r == '\r' || r == '\t' {
				return r
			}
			return -1
		}, s)
		var doc struct {
			A string `xml:"a,attr"`
			B string `xml:"b,attr"`
			T string `xml:",chardata"`
		}
		e := string(appendXML(nil, s))
		if err := xml.Unmarshal([]byte(`<x a="`+e+`" b='`+e+`'>`+e+`</x>`), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.A != want || doc.B != want || doc.T != want {
			t.Errorf("%q reads back as %q, %q, %q", s, doc.A, doc.B, doc.T)
		}
	})
}

func TestLineEscapeIsOneLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		e := lineEscape(s)
		got, err := readYealink("#!version:1.0.0.1\nkey = " + e + "\n")
		if err != nil || got["key"] != e || lineEscape(e) != e || string(appendLine(nil, s)) != e {
			t.Errorf("%q is written as %q and reads back as %q, %v", s, e, got["key"], err)
		}
		if Carries(phone.Yealink, s) && e != s {
			t.Errorf("Carries says that %q is carried", s)
		}
	})
}

func TestCarries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		vendor phone.Vendor
		text   string
		want   bool
	}{
		{phone.Yealink, "Tr0ub4dor&3", true},
		{phone.Yealink, "%NULL%", false},
		{phone.Yealink, " blank", false},
		{phone.Yealink, "two\nlines", false},
		{phone.Polycom, "two\nlines", true},
		{phone.Polycom, "%NULL%", true},
		{phone.Polycom, "bell\a", false},
		{phone.Grandstream, "\xff", false},
		{phone.Grandstream, `<&>"'`, true},
	} {
		if got := Carries(tt.vendor, tt.text); got != tt.want {
			t.Errorf("Carries(%s, %q) = %t", tt.vendor, tt.text, got)
		}
	}
}
