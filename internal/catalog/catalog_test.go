package catalog

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
)

func TestVendorOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mac, name string
		vendor    phone.Vendor
		ok        bool
	}{
		{"00:04:F2:AB:CD:EF", "Polycom", phone.Polycom, true},
		{"48-25-67-12-b9-42", "Polycom", phone.Polycom, true},
		{"805ec0aabbcc", "Yealink", phone.Yealink, true},
		{"000b82123456", "Grandstream", phone.Grandstream, true},
		{"000413111111", "Snom", "snom", true},
		{"d0ec35000001", "Cisco MPP", "cisco mpp", true},
		{"0050c2622fff", "2N", "2n", true},               // 36 bits
		{"0050c2623000", "", "", false},                  // the block beside it
		{"2836381abcde", "Panasonic", "panasonic", true}, // 28 bits
		{"2836382abcde", "", "", false},
		{"000000000000", "", "", false},
		{"ffffffffffff", "", "", false},
	}
	for _, tt := range tests {
		mac, err := phone.ParseMAC(tt.mac)
		if err != nil {
			t.Fatal(err)
		}
		name, v, ok := VendorOf(mac)
		if name != tt.name || v != tt.vendor || ok != tt.ok {
			t.Errorf("VendorOf(%s) = %q, %q, %v; want %q, %q, %v", tt.mac, name, v, ok, tt.name, tt.vendor, tt.ok)
		}
	}
}

func TestLongestPrefixWins(t *testing.T) {
	t.Parallel()
	const head = "prefix,bits,vendor,registrant,source\n"
	table, err := parseOUI(head + "0050c2,24,Registry,,x\n0050c26,28,Middle,,x\n0050c2622,36,Inner,,x\n")
	if err != nil {
		t.Fatal(err)
	}
	for mac, want := range map[phone.MAC]string{
		{0x00, 0x50, 0xc2, 0x62, 0x2f, 0xff}: "Inner",
		{0x00, 0x50, 0xc2, 0x62, 0x30, 0x00}: "Middle",
		{0x00, 0x50, 0xc2, 0x70, 0x00, 0x00}: "Registry",
		{0x00, 0x50, 0xc3, 0x62, 0x2f, 0xff}: "",
	} {
		if got, _ := table.find(mac); got.name != want {
			t.Errorf("%s: %q, want %q", mac, got.name, want)
		}
	}
	for _, bad := range []string{"0050c2,28,Short,,x\n", "xyz,24,NotHex,,x\n", "0050c2,20,Odd,,x\n", "0050c2,24\n"} {
		if _, err := parseOUI(head + bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, err := parseOUI("a,b\n1,2\n"); err == nil {
		t.Error("a wrong header is accepted")
	}
}

// Every prefix of the file is found, by its first address and by its last.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	rows := readCSV(t, "data/oui.csv")
	for _, r := range rows {
		want, _, _ := strings.Cut(r[2], " (")
		for _, fill := range []string{"000000000000", "ffffffffffff"} {
			mac, err := phone.ParseMAC(r[0] + fill[len(r[0]):])
			if err != nil {
				t.Fatal(err)
			}
			if name, _, ok := VendorOf(mac); !ok || name != want {
				t.Errorf("%s (%s): %q", r[0], mac, name)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		vendor, name string
		want         string // code; "" for not found
	}{
		{"polycom", "VVX450", "VVX450"},
		{"Polycom", "vvx 450", "VVX450"},
		{"polycom", "VVX_450", "VVX450"},
		{"polycom", "Polycom VVX 450", "VVX450"},
		{"poly", "VVX 450", "VVX450"},
		{"polycom", "SoundPoint IP 650", "SPIP650"},
		{"polycom", "SPIP_650", "SPIP650"},
		{"polycom", "SoundStation IP 6000", "SSIP6000"},
		{"Poly", "Edge E450", "EdgeE450"},
		{"polycom", "e450", "EdgeE450"},
		{"polycom", "Trio_8800", "Trio8800"},
		{"yealink", "SIP-T46S", "T46S"},
		{"yealink", "t46s", "T46S"},
		{"Yealink", "Yealink SIP-T46S", "T46S"},
		{"yealink", "T21P E2", "T21P_E2"},
		{"yealink", "T46", ""},
		{"grandstream", "GXP-2170", "GXP2170"},
		{"grandstream", "ht-503", "HT503"},
		{"grandstream", "Grandstream GXV3175v2", "GXV3175V2"},
		{"", "GXP2170", "GXP2170"},
		{"", "SIP-T46S", "T46S"},
		{"yealink", "VVX450", ""},
		{"snom", "D785", ""},
		{"", "", ""},
		{"polycom", strings.Repeat("x", 10000), ""},
	}
	for _, tt := range tests {
		m, ok := Lookup(tt.vendor, tt.name)
		if ok != (tt.want != "") || m.Code != tt.want {
			t.Errorf("Lookup(%q, %.40q) = %q, %v; want %q", tt.vendor, tt.name, m.Code, ok, tt.want)
		}
	}
}

func TestModelFields(t *testing.T) {
	t.Parallel()
	vvx, _ := Lookup("polycom", "VVX 450")
	want := Model{
		Vendor: phone.Polycom, Maker: "Polycom", Name: "VVX 450", Code: "VVX450", Family: "VVX", Lines: 12, LineKeys: 12,
		ConfigFiles: vvx.ConfigFiles, PartNumbers: []string{"3111-48840-001"}, LDFiles: []string{"3111-48840-001.sip.ld"},
		FirmwareVersion: vvx.FirmwareVersion, Unverified: vvx.Unverified, Source: vvx.Source, Expansion: vvx.Expansion, linesSure: true,
	}
	if diff := cmp.Diff(want, vvx, cmp.AllowUnexported(Model{})); diff != "" {
		t.Errorf("VVX 450 (-want +got):\n%s", diff)
	}
	t46, _ := Lookup("yealink", "T46S")
	if t46.YealinkCommon != "y000000000066.cfg" || t46.Lines != 16 || t46.LineKeys != 27 || t46.FirmwarePrefix != "66" {
		t.Errorf("T46S: %+v", t46)
	}
	edge, _ := Lookup("poly", "Edge E450")
	if edge.Lines != 14 || !edge.Unverified || edge.LineKeys != -1 || edge.Maker != "Poly" || len(edge.LDFiles) != 0 {
		t.Errorf("Edge E450: %+v", edge)
	}
	if t46.Unverified {
		t.Error("T46S is marked unverified")
	}
}

// Every row is found by its own name, by its display name and by the name with
// the maker in front, and no two rows of a vendor share a key.
func TestWhatIsSure(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{ // lines are sure, takes no modules
		"T46S": {true, false}, "T21P_E2": {true, true}, "VVX 450": {true, false}, "VVX 201": {true, true}, "Edge E450": {false, false},
		"CCX600": {false, false}, "GXP2170": {false, false}, "GXP2110": {false, false}, "HT802": {true, true}, "T18P": {false, false}, "W70B": {true, true},
	} {
		m, ok := Lookup("", name)
		if got := [2]bool{m.SureLines(), m.NoModules()}; !ok || got != want {
			t.Errorf("%s: %t, %v", name, ok, got)
		}
	}
}

func TestEveryModel(t *testing.T) {
	t.Parallel()
	rows := readCSV(t, "data/models.csv")
	n := 0
	for _, v := range phone.Vendors() {
		for _, m := range Models(v) {
			n++
			for _, name := range []string{m.Code, m.Name, m.Maker + " " + m.Name, strings.ToLower(m.Name)} {
				if got, ok := Lookup(m.Maker, name); !ok || got.Source != m.Source || got.Code != m.Code {
					t.Errorf("Lookup(%q, %q) = %q, %v", m.Maker, name, got.Code, ok)
				}
			}
		}
	}
	if n != len(rows) {
		t.Errorf("%d models, the table has %d", n, len(rows))
	}
	if len(models().byKey) != len(rows) {
		t.Errorf("%d keys for %d models", len(models().byKey), len(rows))
	}
}

func TestSameModel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		vendor, a, b string
		want         bool
	}{
		{"polycom", "VVX450", "VVX 450", true},
		{"Poly", "EdgeE450", "Edge E450", true},
		{"polycom", "VVX 450", "VVX 411", false},
		{"yealink", "T58", "T58A", true},
		{"yealink", "T58", "T58V", true},
		{"yealink", "T58A", "T58V", false},
		{"yealink", "T46S", "T46U", false},
		{"grandstream", "HT-503", "HT503", true},
		{"snom", "D-785", "D785", true},
		{"snom", "D785", "D717", false},
	}
	for _, tt := range tests {
		if got := SameModel(tt.vendor, tt.a, tt.b); got != tt.want {
			t.Errorf("SameModel(%q, %q, %q) = %v", tt.vendor, tt.a, tt.b, got)
		}
	}
}

// What the User-Agent classifier calls a model is found here: the roster
// compares the two.
func TestClassifierNames(t *testing.T) {
	t.Parallel()
	for ua, code := range map[string]string{
		"PolycomVVX-VVX_450-UA/6.4.5":                    "VVX450",
		"PolycomSoundPointIP-SPIP_650-UA/3.3.1.0933":     "SPIP650",
		"PolycomRealPresenceTrio-Trio_8800-UA/5.4.0.121": "Trio8800",
		"PolyEdge-Edge_E220-UA/8.0.0.13670":              "EdgeE220",
		"Yealink SIP-T21P_E2 52.83.0.35":                 "T21P_E2",
		"Grandstream GXP2135 1.0.9.108":                  "GXP2135",
	} {
		a := useragent.Parse(ua, useragent.SIP)
		if m, ok := Lookup(a.Vendor, a.Model); !ok || m.Code != code || m.Name != a.Model {
			t.Errorf("%q: model %q, found %q named %q", ua, a.Model, m.Code, m.Name)
		}
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func BenchmarkVendorOf(b *testing.B) {
	mac := phone.MAC{0x80, 0x5e, 0xc0, 1, 2, 3}
	b.ReportAllocs()
	for b.Loop() {
		VendorOf(mac)
	}
}

func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Lookup("polycom", "VVX 450")
	}
}
