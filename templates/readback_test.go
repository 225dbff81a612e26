package templates

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

// Any text in every place where people write, in every file: it reads back as what
// was put in, except for what the dialect cannot carry, and sets nothing else.
func TestAnyTextReadsBack(t *testing.T) {
	t.Parallel()
	set := Builtin()
	for _, vendor := range phone.Vendors() {
		harmless := map[string][]string{}
		for _, file := range files(vendor) {
			harmless[file] = namesOf(t, set, file, withText(t, vendor, "text"))
		}
		t.Run(string(vendor), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) {
				text := rapid.String().Draw(r, "text")
				view := withText(t, vendor, text)
				for _, file := range files(vendor) {
					var b strings.Builder
					if err := set.Render(&b, file, view); err != nil {
						r.Fatal(err)
					}
					read := func(text string) (map[string]string, error) { return readFile(vendor, text) }
					if strings.HasSuffix(file, "/phonebook") || strings.HasSuffix(file, "/directory") {
						read = readBook
					}
					params, err := read(b.String())
					if err != nil {
						r.Fatalf("%s: %v", file, err)
					}
					checkReadBack(r, vendor, file, text, params)
				}
				if text != "" && text != "off" && !strings.Contains(text, ":") && strings.TrimSpace(text) != "" && Carries(vendor, text) {
					for _, file := range files(vendor) {
						if got := namesOf(r, set, file, view); !slices.Equal(got, harmless[file]) {
							r.Fatalf("%s sets %q, with a harmless text %q", file, got, harmless[file])
						}
					}
				}
			})
		})
	}
}

// plain are the parameters in which a text that somebody wrote stands alone, and
// written those that a file leaves out for an empty text and for "off".
var (
	plain = map[phone.Vendor][]string{
		phone.Polycom:     {"reg.1.displayName", "reg.1.label", "reg.1.auth.password", "reg.1.address", "reg.1.auth.userId", "reg.1.server.1.address", "np.normal.label", "attendant.resourceList.1.label", "attendant.resourceList.1.address", "tcpIpApp.sntp.address"},
		phone.Yealink:     {"account.1.display_name", "account.1.label", "account.1.password", "account.1.user_name", "account.1.auth_name", "account.1.sip_server.1.address", "features.hostile", "linekey.1.label", "linekey.1.value", "expansion_module.1.key.2.label", "expansion_module.1.key.2.value", "local_time.ntp_server1"},
		phone.Grandstream: {"P3", "P270", "P34", "P35", "P36", "P9999", "P302", "P303", "P6402", "P6602", "P30"},
	}
	written = map[phone.Vendor][]string{
		phone.Polycom: {
			"msg.mwi.1.callBack", "divert.1.contact", "divert.busy.1.contact", "divert.noanswer.1.contact", "device.syslog.serverName", "call.directedCallPickupString",
			"device.auth.localAdminPassword", "device.auth.localUserPassword", "device.prov.user", "device.prov.password", "reg.1.outboundProxy.address",
		},
		phone.Yealink: {
			"voice_mail.number.1", "account.1.always_fwd.target", "account.1.busy_fwd.target", "account.1.timeout_fwd.target", "static.syslog.server", "features.pickup.direct_pickup_code",
			"linekey.1.extension", "static.auto_provision.server.username", "static.auto_provision.server.password", "account.1.outbound_proxy.1.address",
			"remote_phonebook.data.1.username", "remote_phonebook.data.1.password",
		},
		phone.Grandstream: {"P33", "P207", "P1347", "P2", "P196", "P1360", "P1361"},
	}
)

// checkReadBack compares where the text stands alone.
func checkReadBack(r *rapid.T, vendor phone.Vendor, file, text string, params map[string]string) {
	names := plain[vendor]
	if text != "" && text != "off" {
		names = slices.Concat(names, written[vendor])
	}
	switch {
	case strings.HasSuffix(file, "/phonebook"), strings.HasSuffix(file, "/directory"):
		names = []string{"contact.name", "contact.number"}
	case !strings.HasSuffix(file, "/phone"):
		return
	}
	var want string
	if vendor == phone.Yealink && strings.HasSuffix(file, "/phone") {
		want = lineEscape(text)
	} else {
		want = strings.Map(func(c rune) rune {
			if c != '\n' && c != '\r' && c != '\t' && !xmlChar(c) {
				return -1
			}
			return c
		}, text)
	}
	for _, name := range names {
		got := params[name]
		if book := !strings.HasSuffix(file, "/phone"); book && vendor == phone.Yealink {
			got, want = lineEscape(got), lineEscape(want) // names of a phone book have no blanks at their ends
		}
		if got != want {
			r.Fatalf("%s: %s reads back as %q, want %q", file, name, params[name], want)
		}
	}
	if Carries(vendor, text) && want != text || !utf8.ValidString(want) {
		r.Fatalf("%q is said to be carried and is not", text)
	}
}

// namesOf is the parameters of a file, in order.
func namesOf(t interface{ Fatal(...any) }, set *Set, file string, v View) []string {
	var b strings.Builder
	if err := set.Render(&b, file, v); err != nil {
		t.Fatal(err)
	}
	params, err := Parameters(file, []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	return names
}

// A bad template never writes, however it is read back; and what reads the template
// lines is right about where they stand.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, vendor := range phone.Vendors() {
		v := everything(t, vendor)
		lines, err := Builtin().Explain(string(vendor)+"/phone", v)
		if err != nil {
			t.Fatal(err)
		}
		var b, again strings.Builder
		if err := Builtin().RenderMasked(&b, string(vendor)+"/phone", v); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, l := range lines {
			again.WriteString(l.Text + "\n")
			for _, s := range l.Settings {
				seen[s] = true
			}
			source, ok := Builtin().Source(l.Template)
			if rows := strings.Split(source, "\n"); !ok || l.Line < 1 || l.Line > len(rows) {
				t.Errorf("%q comes from line %d of %s", l.Text, l.Line, l.Template)
			}
		}
		if strings.TrimRight(again.String(), "\n") != strings.TrimRight(b.String(), "\n") {
			t.Errorf("%s: explained as\n%s\nwritten as\n%s", vendor, again.String(), b.String())
		}
		for _, want := range []string{"timezone", "lines.3.displayName", "vlan.id"} {
			if !seen[want] {
				t.Errorf("%s: no line shows %s; seen %v", vendor, want, seen)
			}
		}
	}
	lines, _ := Builtin().Explain("yealink/phone", everything(t, phone.Yealink))
	i := slices.IndexFunc(lines, func(l Written) bool { return l.Text == "account.3.label = Back office" })
	if i < 0 || lines[i].Template != "yealink/phone" || !slices.Contains(lines[i].Settings, "lines.3.label") {
		t.Fatalf("line %d: %+v", i, lines[max(i, 0)])
	}
	source, _ := Builtin().Source("yealink/phone")
	if row := strings.Split(source, "\n")[lines[i].Line-1]; !strings.Contains(row, ".label = {{.Label}}") {
		t.Errorf("explained by line %d: %q", lines[i].Line, row)
	}
}
