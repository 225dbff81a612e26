package dhcpd

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// What the leases have against who asks from where.
func TestAgainst(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	network := netip.MustParsePrefix("192.0.2.0/24")
	addr := netip.MustParseAddr
	p := newPool(addr("192.0.2.10"), addr("192.0.2.20"))
	mine, other, fixed := phone.MAC{0, 4, 0xf2, 0, 0, 1}, phone.MAC{0, 4, 0xf2, 0, 0, 2}, phone.MAC{0, 4, 0xf2, 0, 0, 3}
	if err := p.reserve(fixed, addr("192.0.2.200")); err != nil {
		t.Fatal(err)
	}
	for mac, a := range map[phone.MAC]string{mine: "192.0.2.11", other: "192.0.2.12", fixed: "192.0.2.200"} {
		if v := p.claim(mac, addr(a), true, share{}, now); v != claimed {
			t.Fatalf("%s: %v", a, v)
		}
		if !p.commit(mac, addr(a), now.Add(time.Hour)) {
			t.Fatalf("%s was not leased", a)
		}
	}
	s := &Server{engine: &engine{pool: p, network: network, opts: Options{Now: func() time.Time { return now }}}}
	check := func(mac phone.MAC, from, want string) {
		t.Helper()
		if got := s.Against(mac, addr(from)); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s from %s: %q, want %q", mac, from, got, want)
		}
	}
	check(mine, "192.0.2.11", "")
	check(mine, "::ffff:192.0.2.11", "")
	check(fixed, "192.0.2.200", "")
	check(mine, "192.0.2.12", "leased to another device, "+other.String())
	check(mine, "192.0.2.99", "was leased 192.0.2.11")
	check(fixed, "192.0.2.99", "was leased 192.0.2.200")
	check(phone.MAC{0, 4, 0xf2, 0, 0, 9}, "192.0.2.99", "")
	check(mine, "198.51.100.1", "") // it has moved
	check(mine, "2001:db8::1", "")
	now = now.Add(2 * time.Hour)
	check(mine, "192.0.2.12", "")
	s.engine.pool = nil
	check(mine, "192.0.2.12", "")
}
