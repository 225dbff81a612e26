package dhcpd

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
)

func snippet(t *testing.T, server string) string {
	t.Helper()
	list, err := Snippets(testFacts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Server == server {
			return s.Text
		}
	}
	t.Fatalf("no snippet for %s", server)
	return ""
}

func snippetFile(t *testing.T, server, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), server+".conf")
	if err := os.WriteFile(path, []byte(snippet(t, server)+more), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSnippetsAreRead: each server that can be had reads its snippet.
func TestSnippetsAreRead(t *testing.T) {
	t.Parallel()
	for server, args := range map[string][]string{
		"dnsmasq": {"dnsmasq", "--test", "--conf-file=" + snippetFile(t, "dnsmasq", "")},
		"isc":     {"dhcpd", "-t", "-4", "-cf", snippetFile(t, "isc", "\nsubnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.50 10.9.0.59; }\n")},
		"kea":     {"kea-dhcp4", "-t", snippetFile(t, "kea", "")},
	} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(testkit.Need(t, args[0]), args[1:]...)
			if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(strings.ToLower(string(out)), "error") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for _, s := range []string{"mikrotik", "windows"} {
		if text := snippet(t, s); strings.Count(text, "http://10.9.0.1:8081") < 3 || strings.Contains(text, "{{") {
			t.Errorf("%s: %s", s, text)
		}
	}
}

// TestSnippetsOfOddURLs: nothing ends a string of the other server early.
func TestSnippetsOfOddURLs(t *testing.T) {
	t.Parallel()
	list, err := Snippets(Facts{HTTPURL: `http://h/a"b'c\d$e/`})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if !strings.Contains(s.Text, "http://h/a%22b%27c%5Cd%24e") {
			t.Errorf("%s: %s", s.Server, s.Text)
		}
	}
	if _, err := Snippets(Facts{}); err == nil {
		t.Error("snippets without a URL")
	}
}

// TestSnippetServers: servers with our snippet give phones our option 66, and
// computers nothing.
func TestSnippetServers(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"dnsmasq", "isc"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			sw, site, cli, pc := l.wire(), l.host("site"), l.host("cli"), l.host("pc")
			l.plug(site, "eth0", sw, "10.9.0.3/24")
			l.plug(cli, "eth0", sw, "")
			l.plug(pc, "eth0", sw, "")
			l.startSite(t, site, server)
			for _, tc := range []struct{ ns, class, want66, want160 string }{
				{cli, "Polycom-VVX410", "http://10.9.0.1:8081", "http://10.9.0.1:8081"},
				{cli, "yealink", "http://10.9.0.1:8081/", ""},
				{cli, "HT8XX dslforum.org", "http://10.9.0.1:8081", ""},
				{pc, "MSFT 5.0", "", ""},
			} {
				d := l.dhclient(tc.ns, "eth0", t.TempDir(), tc.class)
				got := d.told("BOUND")
				if got["new_tftp_server_name"] != tc.want66 || got["new_boot_server"] != tc.want160 {
					t.Errorf("%s: 66 %q, 160 %q", tc.class, got["new_tftp_server_name"], got["new_boot_server"])
				}
				d.stop()
			}
		})
	}
}

// startSite starts a server with our snippet.
func (l *lab) startSite(t *testing.T, ns, server string) {
	t.Helper()
	dir := t.TempDir()
	switch server {
	case "dnsmasq":
		l.run(ns, nil, testkit.Need(t, "dnsmasq"), "-k", "-u", "root", "--port=0", "--conf-file="+snippetFile(t, server, ""), "--bind-interfaces", "-i", "eth0",
			"--log-facility=-", "--no-ping", "--dhcp-range=10.9.0.50,10.9.0.59,1h", "--dhcp-leasefile="+dir+"/leases", "--pid-file=").line("DHCP, IP range")
	case "isc":
		if err := os.WriteFile(dir+"/leases", nil, 0o666); err != nil {
			t.Fatal(err)
		}
		conf := snippetFile(t, server, "\nsubnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.50 10.9.0.59; }\n")
		l.run(ns, nil, testkit.Need(t, "dhcpd"), "-4", "-d", "-cf", conf, "-lf", dir+"/leases", "-pf", dir+"/pid", "eth0").line("Sending on")
	}
}

// TestOverheard: what is worth telling of other servers.
func TestOverheard(t *testing.T) {
	t.Parallel()
	reply := func(mods ...option) []byte {
		b := make([]byte, headerLen)
		b[0] = bootReply
		copy(b[fileEnd:], "\x63\x82\x53\x63")
		c := composer{b: b}
		c.force(optType, []byte{2})
		c.force(optServerID, []byte{10, 9, 0, 3})
		for _, o := range mods {
			c.force(o.code, o.data)
		}
		return c.finish(nil)
	}
	from := netip.MustParseAddrPort("10.9.0.3:67")
	for name, tc := range map[string]struct {
		mode Mode
		b    []byte
		kind string
	}{
		"lease mode":          {Lease, reply(), "server"},
		"proxy mode":          {Proxy, reply(), ""},
		"ours by the site":    {Proxy, reply(option{66, []byte("http://10.9.0.1:8081")}), ""},
		"below ours":          {Proxy, reply(option{160, []byte("http://10.9.0.1:8081/x/")}), ""},
		"our TFTP host":       {Proxy, reply(option{66, []byte("10.9.0.1\x00")}), ""},
		"another's":           {Proxy, reply(option{66, []byte("tftp.old-pbx.example")}), "options"},
		"another's, in lease": {Lease, reply(option{160, []byte("http://10.9.0.1:80811/")}), "options"},
	} {
		f, ok := parseForeign(tc.b, from)
		if !ok || f.Server.String() != "10.9.0.3" || f.Type != "OFFER" {
			t.Errorf("%s: read as %+v", name, f)
		}
		if kind, sentence := newEngine(t, tc.mode, nil).overheard(f); kind != tc.kind || (kind == "") != (sentence == "") {
			t.Errorf("%s: %q %q, want %q", name, kind, sentence, tc.kind)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "a request": packet1(1), "cut": reply()[:headerLen+4], "no cookie": make([]byte, 300)} {
		if f, ok := parseForeign(b, from); ok {
			t.Errorf("%s: read as %+v", name, f)
		}
	}
	var l listener
	for n := range 10 * maxForeign {
		l.news(macN(n).String(), testNow)
	}
	if l.news("x", testNow); l.news("x", testNow) || len(l.told) > maxForeign {
		t.Errorf("%d findings remembered", len(l.told))
	}
}

// TestForeignServer: the second server of a segment is heard of, once, and that it
// sends phones elsewhere.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, site, cli := l.wire(), l.host("srv"), l.host("site"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(site, "eth0", sw, "10.9.0.3/24")
	l.plug(cli, "eth0", sw, "")
	s := l.serve(srv, helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts})
	l.run(site, nil, testkit.Need(t, "dnsmasq"), "-k", "-u", "root", "--port=0", "--conf-file=/dev/null", "--bind-interfaces", "-i", "eth0",
		"--log-facility=-", "--no-ping", "--dhcp-range=10.9.0.50,10.9.0.59,1h", "--dhcp-leasefile="+t.TempDir()+"/leases", "--pid-file=",
		"--dhcp-option=66,old-pbx.example").line("DHCP, IP range")
	l.udhcpc(cli, "eth0", "yealink", "66", "-B").told("bound")
	var ev phone.Event
	if err := json.Unmarshal([]byte(s.line(`"kind":"network"`)), &ev); err != nil {
		t.Fatal(err)
	}
	if ev.Outcome != "foreign-options" || !strings.Contains(ev.Detail, "10.9.0.3") || !strings.Contains(ev.Detail, "old-pbx.example") {
		t.Errorf("event %+v", ev)
	}
	if out := s.line(`"other":"10.9.0.3"`); !strings.Contains(out, "old-pbx.example") {
		t.Errorf("listed as %s", out)
	}
}

// TestExplain: the plan without a server is what the server does.
func TestExplain(t *testing.T) {
	t.Parallel()
	o := Options{
		Mode: Lease, Interfaces: []string{"no-such-if"}, Facts: func() Facts { return testFacts }, VendorOf: testOUI, PhonesOnly: true,
		Range: [2]netip.Addr{netip.MustParseAddr("10.9.0.100"), netip.MustParseAddr("10.9.3.109")},
	}
	a, err := Explain(t.Context(), o, Question{MAC: testMAC, Class: "yealink", Asked: []uint8{66, 160, 132, 77}})
	if err != nil {
		t.Fatal(err)
	}
	values := map[uint8]string{}
	for _, g := range a.Options {
		values[g.Code] = g.Value
	}
	if a.Row != "yealink" || a.By != "vendor class" || values[66] != "http://10.9.0.1:8081/" || values[51] != "43200 seconds" || values[160] == "" {
		t.Errorf("%+v", a)
	}
	if len(a.Missing) != 2 || !strings.Contains(a.Missing[0].Reason, "no value") || !strings.Contains(a.Missing[1].Reason, "nobody knows") {
		t.Errorf("missing %+v", a.Missing)
	}
	if a, err = Explain(t.Context(), o, Question{MAC: testMAC, Class: "MSFT 5.0"}); err != nil || a.Row != "" || a.Outcome != outcomeIgnored {
		t.Errorf("a computer: %+v %v", a, err)
	}
	if !o.Ours("http://10.9.0.1:8081") || o.Ours("http://10.9.0.9/") {
		t.Error("Ours")
	}
}
