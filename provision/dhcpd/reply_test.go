package dhcpd

import (
	"encoding/hex"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// testLink is the interface of the tests without sockets.
func testLink() *link {
	return &link{
		name: "eth0", addr: netip.MustParseAddr("10.9.0.1"), own: []netip.Addr{netip.MustParseAddr("10.9.0.1")},
		prefix: netip.MustParsePrefix("10.9.0.0/24"), serverID: netip.MustParseAddr("10.9.0.1"), inRange: true,
	}
}

var fromClient = netip.MustParseAddrPort("0.0.0.0:68")

// testOUI knows the OUIs of testdata.
func testOUI(m phone.MAC) (phone.Vendor, bool) {
	v, ok := map[string]phone.Vendor{
		"0004f2": phone.Polycom, "64167f": phone.Polycom, "f04ea4": phone.Polycom, "805ec0": phone.Yealink,
		"001565": phone.Yealink, "000b82": phone.Grandstream, "000413": "snom",
	}[m.Hex()[:6]]
	return v, ok
}

// newEngine makes an engine without sockets; change may alter the options.
func newEngine(t testing.TB, mode Mode, change func(*Options)) *engine {
	t.Helper()
	o := Options{
		Mode: mode, Interfaces: []string{"eth0"}, Facts: func() Facts { return testFacts }, PhonesOnly: true, VendorOf: testOUI,
		Now: func() time.Time { return testNow }, LeaseTime: time.Hour, Leases: &memLeases{},
		Range:  [2]netip.Addr{netip.MustParseAddr("10.9.0.100"), netip.MustParseAddr("10.9.0.109")},
		Router: netip.MustParseAddr("10.9.0.254"), DNS: []netip.Addr{netip.MustParseAddr("10.9.0.53")},
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if mode == Lease {
		if err := s.engine.openPool(t.Context(), []*link{testLink()}); err != nil {
			t.Fatal(err)
		}
	}
	return s.engine
}

// talk lets the engine answer a packet.
func talk(t testing.TB, e *engine, b []byte) result {
	t.Helper()
	res, err := e.answer(t.Context(), b, fromClient, testLink())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func readHex(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRows: what each kind of phone is given, as the bytes of each option.
func TestRows(t *testing.T) {
	t.Parallel()
	const bare, slash = "http://10.9.0.1:8081", "http://10.9.0.1:8081/"
	sip, ntp, tftp := "\x01\x0a\x09\x00\x01", "\x0a\x09\x00\x02", "\x0a\x09\x00\x01"
	for _, tc := range []struct {
		file, row, class string
		want             map[uint8]string
	}{
		{
			"polycom_binary", "polycom",
			"Polycom SoundPointIP-SPIP_601 2345-11605-001,2 SIP/2.2.0.0047/08-Jun-07 BR/4.0.0.0423/08-Jun-07",
			map[uint8]string{66: bare, 160: bare, 42: ntp, 120: sip, 2: "\x00\x00\x0e\x10"},
		},
		{
			"polycom_ascii", "polycom", "Polycom-VVX410",
			map[uint8]string{66: bare, 160: bare, 42: ntp, 2: "\x00\x00\x0e\x10", 128: "VLAN-A=10;", 144: "VLAN-A=10;"},
		},
		{"yealink", "yealink", "yealink", map[uint8]string{66: slash, 43: "\x01\x15" + slash, 42: ntp, 2: "\x00\x00\x0e\x10", 132: "10"}},
		{"yealink_nul", "yealink", "yealink", map[uint8]string{66: slash}},
		{
			"grandstream_ht8xx", "grandstream", "HT8XX dslforum.org",
			map[uint8]string{66: bare, 160: bare, 43: "\x02\x14" + bare, 150: tftp, 42: ntp, 2: "\x00\x00\x0e\x10", 120: sip},
		},
		{"grandstream_no_prl", "grandstream", "Grandstream GXP2170 dslforum.org", map[uint8]string{66: bare}},
		{"no_prl_polycom", "polycom", "Polycom-SSIP6000", map[uint8]string{66: bare, 160: bare}},
		{"overload", "yealink", "yealink", map[uint8]string{66: slash, 43: "\x01\x15" + slash}},
		{"no_end", "yealink", "yealink", map[uint8]string{66: slash}},
		{"relayed_option82", "yealink", "yealink", map[uint8]string{66: slash}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, Proxy, func(o *Options) {
				o.VendorOf = nil // option 60 alone
				o.Facts = func() Facts {
					f := testFacts
					f.VLAN, f.TimeZone = 10, time.FixedZone("CET", 3600)
					return f
				}
			})
			res := talk(t, e, readHex(t, tc.file))
			if res.id.row == nil || res.id.row.name != tc.row || res.id.class != tc.class {
				t.Fatalf("identity %+v, want %s %q; plan %+v", res.id, tc.row, tc.class, res.plan)
			}
			got := mustParse(t, res.reply)
			opts := map[uint8]string{}
			for code, v := range got.Options {
				if !slices.Contains([]uint8{53, 54, 61, 82}, code) {
					opts[code] = string(v)
				}
			}
			if d := cmp.Diff(tc.want, opts); d != "" {
				t.Error(d)
			}
			given := slices.Sorted(slices.Values(res.given))
			if d := cmp.Diff(slices.Sorted(maps.Keys(tc.want)), given); d != "" {
				t.Errorf("given: %s", d)
			}
			if !got.YourIPAddr.IsUnspecified() || got.ServerIPAddr.String() != "10.9.0.1" || got.ServerHostName != "10.9.0.1" {
				t.Errorf("header: %s", got.Summary())
			}
		})
	}
}

// TestBootfile: option 67 and the file field, when asked for.
func TestBootfile(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Proxy, nil)
	for class, want := range map[string]string{
		"Polycom-VVX410": "001565aabbcc.cfg", "yealink": "001565aabbcc.boot", "Grandstream GRP2614": "cfg001565aabbcc.xml",
	} {
		got := mustParse(t, talk(t, e, packet1(dhcpv4.MessageTypeDiscover, withClass(class), withAsked(66, 67))).reply)
		if got.BootFileName != want || got.BootFileNameOption() != want {
			t.Errorf("%s: file %q, option 67 %q, want %q", class, got.BootFileName, got.BootFileNameOption(), want)
		}
	}
}

// TestIdentify: which sign tells what.
func TestIdentify(t *testing.T) {
	t.Parallel()
	poly := phone.MAC{0x00, 0x04, 0xf2, 1, 2, 3}
	nobody := phone.MAC{0x52, 0x54, 0, 1, 2, 3}
	hp := phone.MAC{0xf0, 0x4e, 0xa4, 1, 2, 3}
	for _, tc := range []struct {
		class     string
		mac       phone.MAC
		asked     []byte
		everybody bool
		row, by   string
	}{
		{class: "", mac: poly, row: "polycom", by: "OUI"},
		{class: "yealink", mac: poly, row: "yealink", by: "vendor class"},
		{class: "something", mac: poly, row: "polycom", by: "OUI"},
		{class: "udhcp 1.24.2", mac: testMAC, row: "yealink", by: "OUI"},
		{class: "MSFT 5.0", mac: hp},
		{class: "PXEClient:Arch:00000:UNDI:002001", mac: nobody, asked: []byte{66, 67}, everybody: true},
		{class: "", mac: nobody, asked: []byte{66}},
		{class: "", mac: nobody, asked: []byte{66}, everybody: true, row: "generic", by: "options asked for"},
		{class: "", mac: nobody, asked: []byte{1, 3}, everybody: true},
		{class: "dslforum.org", mac: nobody},
		{class: "Avaya E129 dslforum.org", mac: nobody, row: "grandstream", by: "vendor class"},
		{class: "GXP2000 dslforum.org", mac: nobody, row: "grandstream-legacy", by: "vendor class"},
		{class: "Grandstream HT286", mac: nobody, row: "grandstream-legacy", by: "vendor class"},
		{class: "BT200", mac: nobody},
		{class: "snomD785", mac: nobody, row: "other", by: "vendor class"},
		{class: "CP-8841-3PCC\x00", mac: nobody, row: "other", by: "vendor class"},
		{class: "Poly-VVX-D230", mac: poly, row: "other", by: "vendor class"},
		{class: "", mac: phone.MAC{0, 4, 0x13, 1, 2, 3}, row: "other", by: "OUI"},
		{class: "\x00\x00\x36\x3d\xff\x02\x0cVVX-VVX_410\x00", mac: nobody, row: "polycom", by: "vendor class"}, // length beyond the end
		{class: "\x00\x00\x36\x3d", mac: nobody},
	} {
		e := newEngine(t, Proxy, func(o *Options) { o.PhonesOnly = !tc.everybody })
		r, err := parse(packet1(dhcpv4.MessageTypeDiscover, withClass(tc.class), withAsked(tc.asked...), withMAC(tc.mac)), fromClient)
		if err != nil {
			t.Fatal(err)
		}
		id := e.identify(r)
		name := ""
		if id.row != nil {
			name = id.row.name
		}
		if name != tc.row || id.by != tc.by {
			t.Errorf("%q from %s: %q by %q, want %q by %q", tc.class, tc.mac, name, id.by, tc.row, tc.by)
		}
	}
	e := newEngine(t, Proxy, nil)
	r, err := parse(packet1(dhcpv4.MessageTypeDiscover, with(125, []byte("\x00\x00\x36\x3d\x0d\x02\x0bVVX-VVX_410")...), withMAC(nobody)), fromClient)
	if err != nil {
		t.Fatal(err)
	}
	if id := e.identify(r); id.row == nil || id.row.name != "polycom" || id.class != "VVX-VVX_410" {
		t.Errorf("option 125: %+v", id)
	}
}

// TestTable: every row is complete and says where it is from.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || r.name == "" {
			t.Errorf("row %q twice or without name", r.name)
		}
		seen[r.name] = true
		if r.class != nil && r.source == "" {
			t.Errorf("%s: class without source", r.name)
		}
		codes := map[uint8]bool{}
		for _, o := range r.options {
			if codes[o.code] || o.source == "" {
				t.Errorf("%s: option %d twice or without source", r.name, o.code)
			}
			codes[o.code] = true
		}
		for _, c := range r.forced {
			if !codes[c] {
				t.Errorf("%s: forced option %d has no form", r.name, c)
			}
		}
	}
	for _, v := range phone.Vendors() {
		if !seen[string(v)] {
			t.Errorf("no row for %s", v)
		}
	}
}

// TestFacts: what may and may not go out.
func TestFacts(t *testing.T) {
	t.Parallel()
	long := "http://10.9.0.1/" + strings.Repeat("a", 250)
	for _, tc := range []struct {
		name  string
		facts Facts
		row   string
		want  string // option 66
	}{
		{"http first", Facts{HTTPURL: "http://a/", HTTPSURL: "https://a/", TFTPHost: "a"}, "yealink", "http://a/"},
		{"https", Facts{HTTPSURL: "https://a:8443/p", TFTPHost: "a"}, "yealink", "https://a:8443/p/"},
		{"tftp with port", Facts{TFTPHost: "10.9.0.1:6969"}, "polycom", "tftp://10.9.0.1:6969"},
		{"legacy host", Facts{HTTPURL: "http://a/", TFTPHost: "10.9.0.1:69"}, "grandstream-legacy", "10.9.0.1"},
		{"legacy cannot say a port", Facts{HTTPURL: "http://a/", TFTPHost: "10.9.0.1:6969"}, "grandstream-legacy", ""},
		{"credentials", Facts{HTTPURL: "http://u:p@a/"}, "yealink", ""},
		{"too long", Facts{HTTPURL: long}, "yealink", ""},
		{"line break", Facts{HTTPURL: "http://a/\r\n"}, "yealink", ""},
		{"scheme", Facts{HTTPURL: "file:///etc"}, "yealink", ""},
		{"nothing", Facts{}, "yealink", ""},
	} {
		e := newEngine(t, Proxy, nil)
		row := e.rowNamed(tc.row)
		got := row.value(bootOption{code: 66, form: formURL}, &tc.facts, testMAC, testNow)
		if string(got) != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		ok := tc.want != "" || tc.row == "grandstream-legacy"
		if err := tc.facts.check(); (err == nil) != ok {
			t.Errorf("%s: check says %v", tc.name, err)
		}
	}
	for _, tc := range []struct{ server, want string }{
		{"10.9.0.1", "\x01\x0a\x09\x00\x01"},
		{"sip.pbx.dev", "\x00\x03sip\x03pbx\x03dev\x00"},
		{"sip.pbx.dev.", "\x00\x03sip\x03pbx\x03dev\x00"},
		{"a..b", ""},
		{strings.Repeat("a", 64) + ".dev", ""},
		{"2001:db8::1", ""},
		{strings.Repeat("abcdefgh.", 40), ""},
		{"", ""},
	} {
		if got := string(sipServers(tc.server)); got != tc.want {
			t.Errorf("option 120 of %.20q: %q, want %q", tc.server, got, tc.want)
		}
	}
}

// TestLimit: option 57 is respected, and what matters most stays in.
func TestLimit(t *testing.T) {
	t.Parallel()
	long := "http://10.9.0.1/" + strings.Repeat("a", 230)
	e := newEngine(t, Lease, func(o *Options) { o.Facts = func() Facts { f := testFacts; f.HTTPURL = long; return f } })
	for _, tc := range []struct {
		size []byte
		most int
		want []uint8
	}{
		{nil, 548, []uint8{66, 42}},
		{[]byte{0, 100}, 548, []uint8{66, 42}}, // below the least of RFC 2132
		{[]byte{3, 64}, 804, []uint8{66, 160, 42}},
		{[]byte{255, 255}, 1472, []uint8{66, 160, 42, 120, 150}},
	} {
		mods := []dhcpv4.Modifier{withClass("Polycom-VVX410"), withAsked(120, 42, 160, 66, 67, 150)}
		if tc.size != nil {
			mods = append(mods, with(57, tc.size...))
		}
		res := talk(t, e, packet1(dhcpv4.MessageTypeDiscover, mods...))
		if len(res.reply) > tc.most {
			t.Errorf("limit %v: %d bytes", tc.size, len(res.reply))
		}
		for _, c := range tc.want {
			if !slices.Contains(res.given, c) {
				t.Errorf("limit %v: %v without %d", tc.size, res.given, c)
			}
		}
		if p := mustParse(t, res.reply); p.SubnetMask() == nil || p.IPAddressLeaseTime(0) != time.Hour {
			t.Errorf("limit %v: %s", tc.size, p.Summary())
		}
	}
}

// TestDestination: RFC 2131 section 4.1.
func TestDestination(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		typ    dhcpv4.MessageType
		reply  dhcpv4.MessageType
		mods   []dhcpv4.Modifier
		port   int
		want   string
		source string
	}{
		{"no address", dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeOffer, nil, 67, "255.255.255.255:68", "0.0.0.0:68"},
		{"relay", dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeOffer, []dhcpv4.Modifier{withGiaddr("10.8.0.2")}, 67, "10.8.0.2:67", "10.8.0.2:67"},
		{"renew", dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeAck, []dhcpv4.Modifier{withCiaddr("10.9.0.100")}, 67, "10.9.0.100:68", "10.9.0.100:68"},
		{"nak", dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeNak, []dhcpv4.Modifier{withCiaddr("10.9.0.100")}, 67, "255.255.255.255:68", "10.9.0.100:68"},
		{"inform", dhcpv4.MessageTypeInform, dhcpv4.MessageTypeAck, []dhcpv4.Modifier{withCiaddr("10.9.0.7"), withGiaddr("10.9.0.2")}, 67, "10.9.0.7:68", "10.9.0.2:67"},
		{"other port", dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeAck, []dhcpv4.Modifier{withCiaddr("127.0.0.1")}, 6767, "127.0.0.1:9999", "127.0.0.1:9999"},
	} {
		r, err := parse(packet1(tc.typ, tc.mods...), netip.MustParseAddrPort(tc.source))
		if err != nil {
			t.Fatal(err)
		}
		if got := destination(r, plan{typ: tc.reply}, tc.port); got != netip.MustParseAddrPort(tc.want) {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestReplyHeader: fixed fields of RFC 2131 table 3, option 61 (RFC 6842), 82 last.
func TestReplyHeader(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Lease, nil)
	b := packet1(dhcpv4.MessageTypeDiscover, withClass("yealink"), withAsked(66), withGiaddr("10.9.0.2"), dhcpv4.WithBroadcast(true),
		with(61, 1, 0, 0x15, 0x65, 0xaa, 0xbb, 0xcc), with(82, 1, 4, 'e', 't', 'h', '1'))
	res := talk(t, e, b)
	got := mustParse(t, res.reply)
	if got.OpCode != dhcpv4.OpcodeBootReply || got.TransactionID != testXID || !got.IsBroadcast() || got.GatewayIPAddr.String() != "10.9.0.2" ||
		got.ClientHWAddr.String() != "00:15:65:aa:bb:cc" || got.HopCount != 0 || !got.ClientIPAddr.IsUnspecified() {
		t.Errorf("header: %s", got.Summary())
	}
	if len(got.Options.Get(dhcpv4.OptionClientIdentifier)) != 7 {
		t.Error("option 61 is not echoed")
	}
	tail := "R\x06\x01\x04eth1\xff"
	if !strings.Contains(string(res.reply), tail) {
		t.Error("option 82 is not echoed as the last")
	}
	if got.IPAddressLeaseTime(0) != time.Hour || got.IPAddressRenewalTime(0) != 30*time.Minute || got.IPAddressRebindingTime(0) != 3150*time.Second {
		t.Errorf("times: %s", got.Summary())
	}
	if got.Router()[0].String() != "10.9.0.254" || got.DNS()[0].String() != "10.9.0.53" || got.BroadcastAddress().String() != "10.9.0.255" {
		t.Errorf("network: %s", got.Summary())
	}
}
