package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

// A scan of a MAC block: the answers stay what they were, the source is told to the
// firewall once, nobody is listed any more, and the inventory and the timeline are
// left alone. A phone behind the same address boots on.
func TestScan(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := newBench(t, func(o *Options) {
		o.ProbeBudget = 100
		o.Known = func(m phone.MAC) bool { return m == yeaMAC }
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	mac := func(i int) string { return fmt.Sprintf("/805ec1%06x.cfg", i) }
	for i := range 5000 {
		_, f, err := b.fetch(mac(i))
		if !errors.Is(err, phone.ErrNotFound) || f.Body != nil || errors.Is(err, ErrOverBudget) != (i >= 100) {
			t.Fatalf("probe %d: %v", i, err)
		}
		if i%100 == 0 {
			if text, _, err := b.fetch("/805ec0aabbcc.cfg"); err != nil || !strings.Contains(text, "line-secret") {
				t.Fatalf("a phone of ours meanwhile: %v", err)
			}
		}
	}
	if len(b.unknown) != 100 {
		t.Errorf("%d phones were listed, want 100", len(b.unknown))
	}
	if b.shelf.asked > 100+50+1 {
		t.Errorf("the inventory was asked %d times", b.shelf.asked)
	}
	scans := 0
	for _, e := range b.events {
		if e.Kind == phone.EventScan {
			scans++
			if e.Source != "192.0.2.77" || e.Detail == "" {
				t.Errorf("event %+v", e)
			}
		}
	}
	if scans != 1 || len(b.events) > 100+50+1 {
		t.Errorf("%d events, %d of them of the scan", len(b.events), scans)
	}
	if n := strings.Count(log.String(), `level=WARN msg="provision: ban" source=192.0.2.77 reason=scan`+"\n"); n != 1 {
		t.Errorf("%d lines for the firewall:\n%.2000s", n, log.String())
	}
	if n := testutil.ToFloat64(b.metrics.scans.WithLabelValues("scan")); n != 1 {
		t.Errorf("%v scans counted", n)
	}
	bans := b.Bans()
	if len(bans) != 1 || bans[0].Source.String() != "192.0.2.77/32" || bans[0].Until.Sub(bans[0].Since) != probeWindow {
		t.Errorf("bans %+v", bans)
	}
	if b.Pardon(netip.MustParsePrefix("192.0.2.78/32")) || !b.Pardon(bans[0].Source) || b.Pardon(bans[0].Source) || len(b.Bans()) != 0 {
		t.Errorf("pardoned: %+v", b.Bans())
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	p := newProbes(10, []phone.MAC{polyMAC})
	ask := func(source string, i int) verdict {
		return p.probe(netip.MustParseAddr(source), fmt.Sprint(i), phone.MAC{0x80, 0x5e, 0xc0, 0, 0, byte(i)}, now)
	}
	for i := range 100 {
		if v := ask("192.0.2.1", i%10); v.over {
			t.Fatalf("over by asking again for the same, %d", i)
		}
	}
	if v := ask("192.0.2.1", 11); !v.over || v.banned.Reason != "scan" {
		t.Errorf("%+v", v)
	}
	if v := ask("192.0.2.1", 12); !v.over || v.banned.Source.IsValid() {
		t.Errorf("banned twice: %+v", v)
	}
	if ask("192.0.2.2", 1).over || p.over(netip.MustParseAddr("192.0.2.2"), now) || !p.over(netip.MustParseAddr("::ffff:192.0.2.1"), now) {
		t.Error("the wrong one is banned")
	}
	now = now.Add(probeWindow + time.Second)
	if p.over(netip.MustParseAddr("192.0.2.1"), now) || ask("192.0.2.1", 20).over || len(p.bans(now)) != 0 {
		t.Error("a ban that does not end")
	}
	// Hosts of one IPv6 network are one source.
	for i := range 11 {
		if v := ask(fmt.Sprintf("2001:db8::%x", i), i); v.over != (i == 10) {
			t.Errorf("%d: %+v", i, v)
		}
	}
	if v := p.probe(netip.MustParseAddr("192.0.2.3"), "x", polyMAC, now); !v.over || v.banned.Reason != "decoy" {
		t.Errorf("decoy: %+v", v)
	}
	if v := p.probe(netip.Addr{}, "x", phone.MAC{}, now); v.over {
		t.Errorf("no address: %+v", v)
	}
	// Many sources share the work on one block.
	crowd := 0
	for i := range 300 {
		v := p.probe(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), fmt.Sprint("crowd", i), phone.MAC{0, 0x0b, 0x82, 0, byte(i >> 8), byte(i)}, now)
		if v.crowd {
			crowd++
		}
	}
	if crowd != 300-100 {
		t.Errorf("%d were too many for the block", crowd)
	}
	for i := range 3 * maxSources {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p.probe(a, "x", phone.MAC{byte(i >> 16), byte(i >> 8), byte(i), 0, 0, 1}, now)
	}
	if len(p.sources) != maxSources || p.order.Len() != maxSources || len(p.blocks) > maxBlocks {
		t.Errorf("%d sources, %d blocks", len(p.sources), len(p.blocks))
	}
}

// Requests in vain that concern no phone of ours are only so many events a second,
// whoever sends them.
func TestEventsOfStrangersAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 1000 {
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 5000)
		if _, _, err := b.fetchAs(Request{Path: fmt.Sprintf("/805ec1%06x.cfg", i), Source: source}); err == nil {
			t.Fatal("served")
		}
	}
	if len(b.events) > 250 {
		t.Errorf("%d events", len(b.events))
	}
}

// What becomes of newcomers, by what Admit says of them.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	fresh := map[phone.Vendor]phone.MAC{
		phone.Polycom: {0x00, 0x04, 0xf2, 0, 0, 9}, phone.Yealink: {0x80, 0x5e, 0xc0, 0, 0, 9}, phone.Grandstream: {0x00, 0x0b, 0x82, 0, 0, 9},
	}
	var answer func(UnknownPhone) (Admission, error)
	asked := 0
	b := newBench(t, func(o *Options) {
		o.VendorOf = func(m phone.MAC) (phone.Vendor, bool) {
			for v, mac := range fresh {
				if m[2] == mac[2] {
					return v, true
				}
			}
			return "", false
		}
		o.Admit = func(_ context.Context, u UnknownPhone) (Admission, error) { asked++; return answer(u) }
	})
	answer = func(UnknownPhone) (Admission, error) { return Admission{Claim: "Code 123456"}, nil }
	for v, mac := range fresh {
		for _, name := range Names(phone.Device{Vendor: v, MAC: mac}) {
			text, _, err := b.fetch("/" + name)
			if err != nil || strings.Contains(text, "-secret") {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
			if strings.Contains(name, mac.Hex()) && !strings.HasSuffix(name, mac.Hex()+".boot") && name != "0004f2000009.cfg" && !strings.Contains(text, "Code 123456") {
				t.Errorf("%s shows no code:\n%s", name, text)
			}
		}
		if _, _, err := b.fetch("/" + mac.Hex() + "-web.cfg"); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("a file that is not kept: %v", err)
		}
	}
	for _, e := range b.events {
		if strings.Contains(e.Detail, "123456") || e.Revision != 0 || e.DeviceID != "" {
			t.Errorf("event %+v", e)
		}
	}
	d := device(phone.Yealink, fresh[phone.Yealink])
	answer = func(UnknownPhone) (Admission, error) { return Admission{Device: d}, nil }
	if text, _, err := b.fetch("/" + d.MAC.Hex() + ".cfg"); err != nil || !strings.Contains(text, "line-secret") {
		t.Errorf("enrolled: %v\n%s", err, text)
	}
	answer = func(UnknownPhone) (Admission, error) { return Admission{}, errors.New("down") }
	if _, _, err := b.fetch("/" + d.MAC.Hex() + ".cfg"); err != phone.ErrNotFound { //nolint:errorlint // the very same error
		t.Errorf("with a store that is down: %v", err)
	}
	was := asked
	for _, path := range []string{"/020000000001.cfg", "/805ec0000009-directory.xml"} {
		if _, _, err := b.fetch(path); err == nil || asked != was {
			t.Errorf("%s: %v, asked %d times", path, err, asked-was)
		}
	}
	if _, _, err := b.fetchAs(Request{Path: "/" + d.MAC.Hex() + ".cfg", Source: netip.MustParseAddrPort("203.0.113.9:1")}); err == nil || asked != was {
		t.Error("a stranger was let in")
	}
	closed := newBench(t, func(o *Options) {
		o.Enroll = EnrollClosed
		o.Admit = func(context.Context, UnknownPhone) (Admission, error) { t.Error("asked"); return Admission{}, nil }
	})
	if _, _, err := closed.fetch("/805ec0000009.cfg"); err == nil || len(closed.unknown) != 0 {
		t.Errorf("closed: %v, %v", err, closed.unknown)
	}
}
