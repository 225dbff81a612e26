package dhcpd

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"pbx.dev/dialtone/internal/phone"
)

var (
	inRange = netip.MustParseAddr("10.9.0.105")
	beside  = netip.MustParseAddr("10.9.0.20")
)

// TestReservations: who an address is kept for gets it, in the range or beside it,
// and nobody else does.
func TestReservations(t *testing.T) {
	t.Parallel()
	c := newConversation(t, func(o *Options) { o.Reservations = map[phone.MAC]netip.Addr{macN(1): inRange, macN(2): beside} })
	for n := 10; n < 19; n++ { // the nine that are left
		if a := c.lease(macN(n)); a == inRange || a == beside {
			t.Fatalf("phone %d got the reserved %s", n, a)
		}
	}
	c.want(c.send(dhcpv4.MessageTypeDiscover, macN(19)), silent, "no address is free")
	if a := c.lease(macN(1)); a != inRange {
		t.Errorf("in the range: %s", a)
	}
	if a := c.lease(macN(2)); a != beside {
		t.Errorf("beside the range: %s", a)
	}
	if l, ok := c.store.get(macN(2)); !ok || l.IP != beside.String() {
		t.Errorf("stored %+v", l)
	}
	c.want(c.send(dhcpv4.MessageTypeRequest, macN(2), withCiaddr(beside.String())), isAck, "gave an address")
	c.want(c.send(dhcpv4.MessageTypeRequest, macN(3), withCiaddr(beside.String())), isNak, "not this client's")
	c.want(c.send(dhcpv4.MessageTypeRelease, macN(2), withCiaddr(beside.String()), withAddr(54, "10.9.0.1")), silent, "gave its address back")
	c.want(c.send(dhcpv4.MessageTypeRequest, macN(2), withAddr(50, beside.String())), isAck, "gave an address")

	// Somebody else uses it: the phone gets another meanwhile.
	c.want(c.send(dhcpv4.MessageTypeDecline, macN(1), withAddr(50, inRange.String()), withAddr(54, "10.9.0.1")), silent, "rests")
	c.now = c.now.Add(2 * time.Hour) // the leases of the others are over
	if a := c.lease(macN(1)); a != inRange {
		t.Errorf("after the rest: %s", a)
	}
}

// TestReservationOfALivePhone: who has the address when it is reserved for another
// loses it with the next renewal, and who has another gets its own.
func TestReservationOfALivePhone(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	a, b := c.lease(macN(1)), c.lease(macN(2))
	s := &Server{engine: c.e}
	s.Reserve(macN(2), a)
	if got := c.discover(macN(2)); got != b {
		t.Errorf("phone 2 was offered %s while phone 1 has its address", got)
	}
	c.want(c.send(dhcpv4.MessageTypeRequest, macN(1), withCiaddr(a.String())), isNak, "not this client's")
	c.now = c.now.Add(2 * time.Hour)
	c.want(c.send(dhcpv4.MessageTypeRequest, macN(2), withCiaddr(b.String())), isNak, "not this client's")
	if got := c.lease(macN(2)); got != a {
		t.Errorf("phone 2 got %s, want its own %s", got, a)
	}
	if got := c.lease(macN(1)); got == a {
		t.Errorf("phone 1 got %s, which is reserved", got)
	}
	s.Reserve(macN(2), netip.Addr{}) // over
	c.lease(macN(2))

	for name, bad := range map[string]netip.Addr{
		"another network": netip.MustParseAddr("10.8.0.5"), "the router": netip.MustParseAddr("10.9.0.254"),
		"ours": netip.MustParseAddr("10.9.0.1"), "broadcast": netip.MustParseAddr("10.9.0.255"),
	} {
		s.Reserve(macN(9), bad)
		if c.e.pool.fixed[macN(9)] != nil {
			t.Errorf("%s was reserved", name)
		}
	}
	s.Reserve(macN(8), beside)
	if err := c.e.pool.reserve(macN(9), beside); !errors.Is(err, phone.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
}

// TestReservationSurvivesRestart: the lease of a reserved address is read again.
func TestReservationSurvivesRestart(t *testing.T) {
	t.Parallel()
	kept := map[phone.MAC]netip.Addr{macN(2): beside}
	c := newConversation(t, func(o *Options) { o.Reservations = kept })
	c.lease(macN(2))
	again := newConversation(t, func(o *Options) { o.Reservations, o.Leases = kept, c.store })
	again.store = c.store
	again.want(again.send(dhcpv4.MessageTypeRequest, macN(2), withCiaddr(beside.String())), isAck, "gave an address")
}

// TestStarvation: invented clients, of phone makers' blocks too, by the thousand. Known
// phones, reservations and who has a lease are served all the same, memory is bounded
// by the range, and it is counted and heard of.
func TestStarvation(t *testing.T) {
	t.Parallel()
	known := map[phone.MAC]bool{}
	for n := range 40 {
		known[macN(n)] = true
	}
	var events []phone.Event
	c := newConversation(t, func(o *Options) {
		o.Range = [2]netip.Addr{netip.MustParseAddr("10.9.0.50"), netip.MustParseAddr("10.9.0.249")}
		o.Known = func(m phone.MAC) (bool, int) { return known[m], len(known) }
		o.Reservations = map[phone.MAC]netip.Addr{macN(39): beside}
		o.Recorder = func(e phone.Event) { events = append(events, e) }
	})
	early := c.lease(macN(5000)) // a phone nobody knows yet, before the attack
	short := 0
	for n := 10000; n < 30000; n++ {
		a := c.discover(macN(n))
		if !a.IsValid() {
			continue
		}
		res := c.request(macN(n), a)
		if res.plan.lease == shortLease {
			short++
		}
	}
	if len(c.e.pool.byMAC) > 200 || c.e.pool.strange > 200 || len(c.store.m) > 200 {
		t.Errorf("%d clients remembered, %d stored for 200 addresses", len(c.e.pool.byMAC), len(c.store.m))
	}
	if short < 40 {
		t.Errorf("%d short leases", short)
	}
	for n := range 39 {
		if a := c.lease(macN(n)); !a.IsValid() {
			t.Fatalf("known phone %d got no address", n)
		}
	}
	if a := c.lease(macN(39)); a != beside {
		t.Errorf("the reservation got %s", a)
	}
	res := c.send(dhcpv4.MessageTypeRequest, macN(5000), withCiaddr(early.String()))
	c.want(res, isAck, "gave an address")
	if res.plan.lease != time.Hour {
		t.Errorf("a renewal gets %v", res.plan.lease)
	}
	if n := testutil.ToFloat64(c.e.metrics.withheld); n < 19000 {
		t.Errorf("%v counted", n)
	}
	heard := 0
	for _, e := range events {
		if e.Kind == phone.EventNetwork && e.Outcome == "withheld" {
			heard++
		}
	}
	if heard != 1 {
		t.Errorf("%d events, want one", heard)
	}
	// The invented ones do not renew: their addresses are free again soon.
	c.now = c.now.Add(shortLease + time.Second)
	if a := c.lease(macN(6000)); !a.IsValid() {
		t.Error("a new phone got no address after the attack")
	}
}
