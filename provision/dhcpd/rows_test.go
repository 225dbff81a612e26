package dhcpd

import (
	"bufio"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// rowCase is one line of testdata/rows.csv.
type rowCase struct {
	row, class string
	option     uint8
	want       string
}

func rowCases(t *testing.T) []rowCase {
	t.Helper()
	f, err := os.Open("testdata/rows.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []rowCase
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		p := strings.Split(s.Text(), ",")
		n, err := strconv.Atoi(p[2])
		if err != nil || len(p) != 4 {
			t.Fatalf("line %q", s.Text())
		}
		out = append(out, rowCase{p[0], p[1], uint8(n), p[3]})
	}
	return out
}

// rowOptions are the options of a reply that are not the protocol's own.
func rowOptions(p *dhcpv4.DHCPv4) map[uint8][]byte {
	out := map[uint8][]byte{}
	for code, v := range p.Options {
		if !slices.Contains([]uint8{1, 3, 6, 28, 51, 53, 54, 58, 59}, code) {
			out[code] = v
		}
	}
	return out
}

// rowEngine is a server with the facts of testdata/rows.csv that has met nobody yet.
func rowEngine(t *testing.T) *engine {
	t.Helper()
	return newEngine(t, Lease, func(o *Options) {
		o.VendorOf, o.PhonesOnly = nil, false
		o.Facts = func() Facts {
			f := testFacts
			f.VLAN, f.VLANPriority, f.TimeZone = 10, 5, time.FixedZone("CET", 3600)
			return f
		}
	})
}

// TestEveryRow: each option of each row of data/phones.json, as bytes on the wire,
// read by the library.
func TestEveryRow(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, tc := range rowCases(t) {
		covered[tc.row+" "+strconv.Itoa(int(tc.option))] = true
		mods := []dhcpv4.Modifier{withClass(tc.class)}
		if tc.option != 0 {
			mods = append(mods, withAsked(tc.option))
		} else if tc.row == "generic" {
			continue // without option 55 there is nothing to know it by
		}
		if tc.row == "generic" {
			mods = append(mods, withAsked(66, tc.option))
		}
		res := talk(t, rowEngine(t), packet1(dhcpv4.MessageTypeDiscover, mods...))
		if res.id.row == nil || res.id.row.name != tc.row {
			t.Errorf("%s: taken for %+v", tc.class, res.id.row)
			continue
		}
		got := rowOptions(mustParse(t, res.reply))
		if tc.option != 0 {
			if v := hex.EncodeToString(got[tc.option]); v != tc.want {
				t.Errorf("%s, option %d: %s, want %s", tc.row, tc.option, v, tc.want)
			}
			continue
		}
		var codes []byte
		for c := range got {
			codes = append(codes, c)
		}
		slices.Sort(codes)
		if v := hex.EncodeToString(codes); v != tc.want {
			t.Errorf("%s asks for nothing: given %s, want %s", tc.row, v, tc.want)
		}
	}
	for _, r := range rows() {
		for _, o := range r.options {
			if !covered[r.name+" "+strconv.Itoa(int(o.code))] {
				t.Errorf("no line in testdata/rows.csv for %s, option %d", r.name, o.code)
			}
		}
		if !covered[r.name+" 0"] {
			t.Errorf("no line in testdata/rows.csv for %s asking for nothing", r.name)
		}
	}
}

// TestBadTable: what must not be in the table.
func TestBadTable(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not JSON":  `[`,
		"a form":    `[{"name":"x","options":[{"code":66,"form":"URL"}]}]`,
		"a class":   `[{"name":"x","class":"("}]`,
		"code 1000": `[{"name":"x","options":[{"code":1000,"form":"url"}]}]`,
	} {
		if _, err := readRows([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
