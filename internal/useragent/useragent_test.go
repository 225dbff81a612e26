package useragent

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// row is one line of phone-facts/user_agents.csv.
type row struct {
	ctx    Context
	ua     string
	want   Agent
	source string
}

func corpus(t testing.TB) []row {
	t.Helper()
	f, err := os.Open("testdata/user_agents.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, l := range lines[1:] {
		r := row{ctx: SIP, ua: l[1], source: l[7], want: Agent{Vendor: l[2], Model: l[3], Firmware: l[4], Type: Type(l[6])}}
		if l[0] == "http" {
			r.ctx = HTTP
		}
		if l[5] != "" {
			if r.want.MAC, err = phone.ParseMAC(l[5]); err != nil {
				t.Fatalf("mac of %q: %v", r.ua, err)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// oracle reports whether the row's expectation comes from a real sample.
func (r row) oracle() bool {
	s := strings.ToLower(r.source)
	return !strings.Contains(s, "unverified") && !strings.Contains(s, "synthetic")
}

// knownMisses are the texts of the corpus that are not read as it says. The list
// must stay exact.
var knownMisses = []string{
	// The corpus calls the maker Linksys in HTTP and Cisco in SIP. One phone must
	// have one maker, so it is Cisco in both.
	"Linksys/SPA-942-6.1.5(a) (88019FA42805)",
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	total, misses := 0, []string{}
	for _, r := range corpus(t) {
		if !r.oracle() {
			continue
		}
		total++
		if diff := cmp.Diff(r.want, Parse(r.ua, r.ctx)); diff != "" {
			t.Logf("miss %q (-want +got):\n%s", r.ua, diff)
			misses = append(misses, r.ua)
			if strings.Contains(r.source, "required example") {
				t.Errorf("required example %q is wrong", r.ua)
			}
		}
	}
	if total < 270 {
		t.Fatalf("only %d rows are oracles", total)
	}
	if right := total - len(misses); right*100 < total*98 {
		t.Errorf("%d of %d right, want 98 %%", right, total)
	}
	if diff := cmp.Diff(knownMisses, misses); diff != "" {
		t.Errorf("misses differ from the known ones (-want +got):\n%s", diff)
	}
}

// Rows that no real sample confirms are no oracles for versions, but the vendor
// and the type they are listed under must come out.
func TestUnverifiedShapes(t *testing.T) {
	t.Parallel()
	for _, r := range corpus(t) {
		if r.oracle() {
			continue
		}
		got := Parse(r.ua, r.ctx)
		if got.Vendor != r.want.Vendor || got.Type != r.want.Type {
			t.Errorf("%q: %s %s, want %s %s", r.ua, got.Vendor, got.Type, r.want.Vendor, r.want.Type)
		}
	}
}

func TestParseSpellings(t *testing.T) {
	t.Parallel()
	mac := phone.MAC{0x80, 0x5e, 0xc0, 0xaa, 0xbb, 0xcc}
	tests := []struct {
		name, ua string
		want     Agent
	}{
		{"empty", "", Agent{}},
		{"blanks", " \t ", Agent{}},
		{"unknown", "sipp-linux-3.7", Agent{}},
		{"unknown with a mac", "foo 805ec0aabbcc", Agent{}},
		{"trio plus", "PolycomRealPresenceTrio-Trio_Visual+-UA/5.9.0.1", Agent{Vendor: "Polycom", Model: "Trio Visual+", Firmware: "5.9.0.1", Type: Hardware}},
		{"yealink mac in sip", "Yealink SIP-T46S 66.86.0.15 805ec0aabbcc", Agent{Vendor: "Yealink", Model: "T46S", Firmware: "66.86.0.15", MAC: mac, Type: Hardware}},
		{"yealink video", "Yealink SIP VP-T49G 51.80.0.100", Agent{Vendor: "Yealink", Model: "T49G", Firmware: "51.80.0.100", Type: Hardware}},
		{"yealink hardware version is no mac", "Yealink-T46G 28.71.0.81 28.1.0.128.0.0.000", Agent{Vendor: "Yealink", Model: "T46G", Firmware: "28.71.0.81", Type: Hardware}},
		{"control bytes", "Yealink SIP-\x00T46S\x16 66.86.0.15\xff", Agent{Vendor: "Yealink", Model: "T46S", Firmware: "66.86.0.15", Type: Hardware}},
		{"any case", "YEALINK sip-T46S 66.86.0.15", Agent{Vendor: "Yealink", Model: "T46S", Firmware: "66.86.0.15", Type: Hardware}},
		{"vendor alone", "Grandstream", Agent{Vendor: "Grandstream", Type: Hardware}},
		{"legacy grandstream with devid", "Grandstream GXP2000 (gxp2000e.bin:1.2.5.3/boot55e.bin:1.1.6.9) DevId 805ec0aabbcc", Agent{Vendor: "Grandstream", Model: "GXP2000", Firmware: "1.2.5.3", MAC: mac, Type: Hardware}},
		{"snom m series", "Snom M900 05.20.0001 805ec0aabbcc", Agent{Vendor: "Snom", Model: "M900", Firmware: "05.20.0001", MAC: mac, Type: Hardware}},
		{"mac of another form is ignored", "PolycomVVX-VVX_450-UA/6.4.5 (SN:nonsense)", Agent{Vendor: "Polycom", Type: Hardware}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Parse(tt.ua, SIP)); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.ua, diff)
			}
		})
	}
}

func TestParseContact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, ua, transport, contact string
		want                         Type
	}{
		{"unknown over wss", "Acme Console 4", "wss", "sip:a@10.0.0.1", WebRTC},
		{"unknown over udp", "Acme Console 4", "udp", "sip:a@10.0.0.1", ""},
		{"no text, invalid host", "", "tcp", "<sip:abc@df7jal23ls0d.invalid;transport=ws>", WebRTC},
		{"invalid host with port", "", "tls", "sip:abc@x.INVALID:5060", WebRTC},
		{"invalid only in the user", "", "udp", "sip:x.invalid@10.0.0.1", ""},
		{"transport parameter", "Mozilla/5.0 (X11; Linux)", "tcp", "sip:a@10.0.0.1;ob;transport=WSS", WebRTC},
		{"other transport parameter", "", "tcp", "sip:a@10.0.0.1;transport=tcp", ""},
		{"soft phone over ws", "Linphone/3.9.0 (x)", "ws", "sip:a@10.0.0.1", WebRTC},
		{"mobile app over wss", "LinphoneiOS/4.3.0 (a phone)", "wss", "sip:a@10.0.0.1", Mobile},
		{"desk phone over wss", "PolycomVVX-VVX_450-UA/6.4.5", "wss", "sip:a@10.0.0.1", Hardware},
		{"library default over udp", "JsSIP 3.10.0", "udp", "sip:a@10.0.0.1", WebRTC},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ParseContact(tt.ua, tt.transport, tt.contact).Type; got != tt.want {
				t.Errorf("type %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"plain text", "plain text"},
		{"a\x14b\x16c\x17d\xff", "abcd"},
		{"Mi A2 \u00e9\u0085", "Mi A2 \u00e9"},
		{"nul\x00\x7f", "nul"},
		{strings.Repeat("x", 300), strings.Repeat("x", MaxLen)},
		{strings.Repeat("x", MaxLen-1) + "\u00e9", strings.Repeat("x", MaxLen-1)},
	}
	for _, tt := range tests {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range corpus(f) {
		f.Add(r.ua, r.ctx == HTTP)
	}
	f.Fuzz(func(t *testing.T, ua string, http bool) {
		ctx := SIP
		if http {
			ctx = HTTP
		}
		a := Parse(ua, ctx)
		for _, s := range []string{a.Vendor, a.Model, a.Firmware} {
			if len(s) > MaxLen+len("SoundStation IP ") || Clean(s) != s && len(s) <= MaxLen {
				t.Errorf("%q gives %q", ua, s)
			}
		}
		if again := Parse(Clean(ua), ctx); again != a {
			t.Errorf("%q: %+v, cleaned %+v", ua, a, again)
		}
		if a.Type != "" && a.Vendor == "" {
			t.Errorf("%q has a type and no vendor", ua)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, bb := range []struct{ name, ua string }{
		{"polycom", "PolycomVVX-VVX_450-UA/6.4.3.5018"},
		{"yealink", "Yealink SIP-T46U 108.86.0.90"},
		{"grandstream", "Grandstream GXP2135 1.0.9.108"},
		{"linphone", "LinphoneAndroid/5.2.5 (realme Note 50) LinphoneSDK/5.3.47 (tags/5.3.47^0)"},
		{"unknown", "Some Unknown Agent 1.2.3 with a longer tail of text"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(bb.ua, SIP)
			}
		})
	}
}
