package dhcpd

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

// TestPoolModel runs random histories against what a pool must never do.
func TestPoolModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &poolModel{t: rt, now: testNow, live: map[phone.MAC]modelLease{}}
		m.size = rapid.IntRange(1, 130).Draw(rt, "size")
		first := netip.MustParseAddr("10.9.0.10")
		m.reserved = fromUint(toUint(first) + uint32(rapid.IntRange(0, m.size-1).Draw(rt, "reserved")))
		m.p = newPool(first, fromUint(toUint(first)+uint32(m.size)-1), m.reserved)
		rt.Repeat(map[string]func(*rapid.T){
			"lease": m.lease, "offer": m.offer, "renew": m.renew, "release": m.release, "decline": m.decline,
			"withdraw": func(*rapid.T) { m.p.withdraw(m.mac()) },
			"wait": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(rt, "s")) * time.Second)
			},
			"": m.check,
		})
	})
}

const modelLeaseTime = 20 * time.Minute

type modelLease struct {
	addr  netip.Addr
	until time.Time
}

// poolModel knows the live leases, which nobody else may get.
type poolModel struct {
	t        *rapid.T
	p        *pool
	now      time.Time
	size     int
	reserved netip.Addr
	live     map[phone.MAC]modelLease
}

func (m *poolModel) mac() phone.MAC { return macN(rapid.IntRange(1, 40).Draw(m.t, "mac")) }

func (m *poolModel) holder(a netip.Addr) (phone.MAC, bool) {
	for mac, l := range m.live {
		if l.addr == a && m.now.Before(l.until) {
			return mac, true
		}
	}
	return phone.MAC{}, false
}

func (m *poolModel) offer(*rapid.T) { m.offerTo(m.mac()) }

func (m *poolModel) offerTo(mac phone.MAC) netip.Addr {
	o := m.p.offer(mac, netip.Addr{}, share{}, m.now)
	a, evicted := o.addr, o.evicted
	if !a.IsValid() {
		return a
	}
	if a == m.reserved {
		m.t.Fatalf("offered the reserved address %s", a)
	}
	if h, taken := m.holder(a); taken && h != mac {
		m.t.Fatalf("offered %s to %s, %s has it", a, mac, h)
	}
	if l, ok := m.live[mac]; ok && m.now.Before(l.until) && l.addr != a {
		m.t.Fatalf("%s has %s and was offered %s", mac, l.addr, a)
	}
	if l := m.live[evicted]; m.now.Before(l.until) {
		m.t.Fatalf("%s was evicted with a live lease", evicted)
	}
	return a
}

func (m *poolModel) commit(mac phone.MAC, a netip.Addr) {
	if h, taken := m.holder(a); taken && h != mac {
		m.t.Fatalf("%s may have %s, which %s has", mac, a, h)
	}
	until := m.now.Add(modelLeaseTime)
	if !m.p.commit(mac, a, until) {
		m.t.Fatalf("%s lost %s between claim and commit", mac, a)
	}
	m.live[mac] = modelLease{a, until}
}

func (m *poolModel) lease(*rapid.T) {
	mac := m.mac()
	a := m.offerTo(mac)
	if !a.IsValid() {
		return
	}
	if v := m.p.claim(mac, a, true, share{}, m.now); v != claimed {
		m.t.Fatalf("%s was offered %s and may not have it: %d", mac, a, v)
	}
	m.commit(mac, a)
}

func (m *poolModel) renew(rt *rapid.T) {
	mac := m.mac()
	a := fromUint(m.p.first + uint32(rapid.IntRange(0, m.size-1).Draw(rt, "addr")))
	if l, ok := m.live[mac]; ok && rapid.Bool().Draw(rt, "own") {
		a = l.addr
	}
	l, has := m.live[mac]
	switch v := m.p.claim(mac, a, rapid.Bool().Draw(rt, "take"), share{}, m.now); {
	case v == claimed:
		m.commit(mac, a)
	case has && m.now.Before(l.until) && l.addr == a:
		m.t.Fatalf("%s may not renew %s: %d", mac, a, v)
	}
}

func (m *poolModel) release(*rapid.T) {
	mac := m.mac()
	if l, ok := m.live[mac]; ok && m.p.release(mac, l.addr, m.now) {
		delete(m.live, mac)
	}
}

func (m *poolModel) decline(*rapid.T) {
	mac := m.mac()
	if l, ok := m.live[mac]; ok && m.p.decline(mac, l.addr, m.now) {
		delete(m.live, mac)
	}
}

// check counts: every address is in exactly one state.
func (m *poolModel) check(*rapid.T) {
	free, offered, leased, declined := m.p.usage(m.now)
	if free < 0 || offered < 0 || declined < 0 || free+offered+leased+declined != m.size-1 {
		m.t.Fatalf("%d free, %d offered, %d leased, %d declined of %d", free, offered, leased, declined, m.size-1)
	}
	live := 0
	for _, l := range m.live {
		if m.now.Before(l.until) {
			live++
		}
	}
	if leased < live {
		m.t.Fatalf("%d leased, %d are", leased, live)
	}
}

// TestPoolLoad: what is stored is given to nobody else, whatever the store holds.
func TestPoolLoad(t *testing.T) {
	t.Parallel()
	first, last := netip.MustParseAddr("10.9.0.10"), netip.MustParseAddr("10.9.0.12")
	p := newPool(first, last, netip.MustParseAddr("10.9.0.12"))
	later := testNow.Add(time.Hour)
	n := p.load([]phone.Lease{
		{MAC: macN(1), IP: "10.9.0.10", ExpiresAt: testNow.Add(-time.Hour)},
		{MAC: macN(2), IP: "10.9.0.10", ExpiresAt: later},
		{MAC: macN(3), IP: "10.9.0.10", ExpiresAt: testNow},
		{MAC: macN(4), IP: "10.9.0.12", ExpiresAt: later},
		{MAC: macN(5), IP: "10.9.0.99", ExpiresAt: later},
		{MAC: macN(6), IP: "nonsense", ExpiresAt: later},
		{MAC: phone.MAC{}, IP: "10.9.0.11", ExpiresAt: later},
	})
	if n != 1 {
		t.Errorf("%d loaded, want 1", n)
	}
	if a := p.offer(macN(2), netip.Addr{}, share{}, testNow).addr; a != first {
		t.Errorf("the holder was offered %s", a)
	}
	if a := p.offer(macN(3), first, share{}, testNow).addr; a != first.Next() {
		t.Errorf("another was offered %s", a)
	}
}

// TestPoolHonoursWish: option 50 of a DISCOVER, when the address is free.
func TestPoolHonoursWish(t *testing.T) {
	t.Parallel()
	p := newPool(netip.MustParseAddr("10.9.0.0"), netip.MustParseAddr("10.9.255.255"))
	wish := netip.MustParseAddr("10.9.77.7")
	if a := p.offer(macN(1), wish, share{}, testNow).addr; a != wish {
		t.Errorf("offered %s", a)
	}
	if a := p.offer(macN(2), wish, share{}, testNow).addr; a == wish || !a.IsValid() {
		t.Errorf("offered %s twice", a)
	}
	p.withdraw(macN(1)) // it chose another server
	if a := p.offer(macN(3), wish, share{}, testNow).addr; a != wish {
		t.Errorf("a withdrawn address was not free: %s", a)
	}
}
