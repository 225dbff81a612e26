package dhcpd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// FuzzAnswer: no packet makes the engine panic, every reply parses, belongs to
// its request and keeps the client's limit.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatal("no testdata", err)
	}
	for _, name := range files {
		f.Add(readHex(f, strings.TrimSuffix(filepath.Base(name), ".hex")))
	}
	for _, typ := range []dhcpv4.MessageType{dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform, dhcpv4.MessageTypeDecline, dhcpv4.MessageTypeRelease} {
		f.Add(packet1(typ, withClass("yealink"), withAddr(50, "10.9.0.100"), withAddr(54, "10.9.0.1"), withCiaddr("10.9.0.100")))
	}
	lease := newEngine(f, Lease, func(o *Options) { o.PhonesOnly = false })
	proxy := newEngine(f, Proxy, func(o *Options) { o.PhonesOnly = false })
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range []*engine{lease, proxy} {
			res, err := e.answer(t.Context(), b, fromClient, testLink())
			if err != nil || res.reply == nil {
				continue
			}
			event(&res, 0, testNow)
			got := mustParse(t, res.reply)
			r := res.req
			if string(got.TransactionID[:]) != string(r.header[xidAt:xidAt+4]) || got.ClientHWAddr.String() != net.HardwareAddr(r.mac[:]).String() || !res.to.IsValid() {
				t.Fatalf("reply %s to %s", got.Summary(), res.to)
			}
			// What has to be echoed may be longer than the limit by itself.
			echoed := len(r.opts.get(61)) + len(r.opts.get(82))
			if len(res.reply) > max(300, r.limit) && len(res.reply) > 400+2*echoed {
				t.Fatalf("%d bytes, limit %d", len(res.reply), r.limit)
			}
			if e == proxy && (!got.YourIPAddr.IsUnspecified() || got.Options.Has(dhcpv4.OptionIPAddressLeaseTime)) {
				t.Fatalf("an address in proxy mode: %s", got.Summary())
			}
		}
	})
}

// FuzzPolycom: the sub-options of option 60 come from anybody.
func FuzzPolycom(f *testing.F) {
	f.Add([]byte("\x00\x00\x36\x3d\x0c\x01\x07Polycom\xff"))
	f.Add([]byte("\x00\x00\x36\x3d\xff\x02\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parsePolycom(b)
		if len(s) > 128 || (!ok && s != "") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q", s)
		}
	})
}

// TestGarbage: what is no DHCP request is an error and nothing else.
func TestGarbage(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/yealink.hex")
	if err != nil || len(good) == 0 {
		t.Fatal(err)
	}
	e := newEngine(t, Lease, nil)
	pkt := readHex(t, "yealink")
	change := func(at int, v byte) []byte {
		b := append([]byte(nil), pkt...)
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": pkt[:100], "header only": pkt[:headerLen], "cut in an option": pkt[:headerLen+8],
		"reply": change(0, 2), "not Ethernet": change(1, 6), "address of 8 bytes": change(2, 8), "no cookie": change(236, 0),
		"group address": change(chaddrAt, 1), "message type 2": change(headerLen+2, 2), "message type 99": change(headerLen+2, 99),
		"no message type": change(headerLen, 12),
	} {
		if res, err := e.answer(t.Context(), b, fromClient, testLink()); err == nil {
			t.Errorf("%s: %+v", name, res.plan)
		}
	}
}
