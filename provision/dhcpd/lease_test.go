package dhcpd

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// memLeases is a store that can fail and be looked into.
type memLeases struct {
	mu      sync.Mutex
	m       map[phone.MAC]phone.Lease
	err     error
	entered chan struct{} // if set, SaveLease announces itself and waits for gate
	gate    chan struct{}
}

var _ Leases = (*memLeases)(nil)

func (s *memLeases) SaveLease(_ context.Context, l phone.Lease) error {
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.m == nil {
		s.m = map[phone.MAC]phone.Lease{}
	}
	s.m[l.MAC] = l
	return nil
}

func (s *memLeases) DeleteLease(_ context.Context, mac phone.MAC) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[mac]; !ok {
		return phone.ErrNotFound
	}
	delete(s.m, mac)
	return nil
}

func (s *memLeases) Leases(context.Context) ([]phone.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []phone.Lease
	for _, l := range s.m {
		out = append(out, l)
	}
	return out, s.err
}

func (s *memLeases) get(mac phone.MAC) (phone.Lease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.m[mac]
	return l, ok
}

// conversation is a phone talking to an engine.
type conversation struct {
	t     *testing.T
	e     *engine
	store *memLeases
	now   time.Time
}

func newConversation(t *testing.T, change func(*Options)) *conversation {
	c := &conversation{t: t, store: &memLeases{}, now: testNow}
	c.e = newEngine(t, Lease, func(o *Options) {
		o.Leases, o.Now = c.store, func() time.Time { return c.now }
		if change != nil {
			change(o)
		}
	})
	return c
}

func (c *conversation) send(typ dhcpv4.MessageType, mac phone.MAC, mods ...dhcpv4.Modifier) result {
	c.t.Helper()
	return talk(c.t, c.e, packet1(typ, append(mods, withClass("yealink"), withMAC(mac))...))
}

func (c *conversation) discover(mac phone.MAC, mods ...dhcpv4.Modifier) netip.Addr {
	c.t.Helper()
	res := c.send(dhcpv4.MessageTypeDiscover, mac, mods...)
	if res.reply == nil {
		return netip.Addr{}
	}
	return fromBytes(mustParse(c.t, res.reply).YourIPAddr.To4())
}

// request is the REQUEST after an OFFER of a.
func (c *conversation) request(mac phone.MAC, a netip.Addr) result {
	c.t.Helper()
	return c.send(dhcpv4.MessageTypeRequest, mac, withAddr(50, a.String()), withAddr(54, "10.9.0.1"))
}

// lease runs DISCOVER to ACK.
func (c *conversation) lease(mac phone.MAC) netip.Addr {
	c.t.Helper()
	a := c.discover(mac)
	c.want(c.request(mac, a), dhcpv4.MessageTypeAck, "gave an address")
	return a
}

// want checks what became of a request.
func (c *conversation) want(res result, typ dhcpv4.MessageType, reason string) {
	c.t.Helper()
	if res.plan.typ != typ || !strings.Contains(res.plan.reason, reason) {
		c.t.Errorf("plan %s %q, want %s %q", res.plan.typ, res.plan.reason, typ, reason)
	}
	if (res.reply == nil) != (typ == dhcpv4.MessageTypeNone) {
		c.t.Errorf("reply of %d bytes for %s", len(res.reply), typ)
	}
	if res.reply != nil {
		if got := mustParse(c.t, res.reply).MessageType(); got != typ {
			c.t.Errorf("reply is %s, want %s", got, typ)
		}
	}
}

const (
	isAck  = dhcpv4.MessageTypeAck
	isNak  = dhcpv4.MessageTypeNak
	silent = dhcpv4.MessageTypeNone
)

// TestLeaseStates: each state of RFC 2131 section 4.3.2.
func TestLeaseStates(t *testing.T) {
	t.Parallel()
	request := dhcpv4.MessageTypeRequest
	c := newConversation(t, nil)
	a := c.lease(macN(1))
	if l, ok := c.store.get(macN(1)); !ok || l.IP != a.String() || !l.ExpiresAt.Equal(testNow.Add(time.Hour)) || l.Vendor != "yealink" {
		t.Errorf("stored %+v", l)
	}
	b := c.lease(macN(2))
	if a == b {
		t.Fatalf("two phones with %s", a)
	}
	free := netip.MustParseAddr("10.9.0.100")
	for free == a || free == b {
		free = free.Next()
	}
	for _, tc := range []struct {
		name   string
		mac    int
		mods   []dhcpv4.Modifier
		typ    dhcpv4.MessageType
		reason string
	}{
		{"renewing", 1, []dhcpv4.Modifier{withCiaddr(a.String())}, isAck, "gave"},
		{"renewing another's", 1, []dhcpv4.Modifier{withCiaddr(b.String())}, isNak, "not this client's"},
		{"renewing after the store was lost", 3, []dhcpv4.Modifier{withCiaddr(free.String())}, isAck, "gave"},
		{"renewing after the store was lost, taken", 4, []dhcpv4.Modifier{withCiaddr(b.String())}, isNak, "not this client's"},
		{"renewing another server's lease", 5, []dhcpv4.Modifier{withCiaddr("10.9.0.20")}, silent, "another server's"},
		{"init-reboot", 1, []dhcpv4.Modifier{withAddr(50, a.String())}, isAck, "gave"},
		{"init-reboot with an old address", 1, []dhcpv4.Modifier{withAddr(50, b.String())}, isNak, "not this client's"},
		{"init-reboot unknown", 6, []dhcpv4.Modifier{withAddr(50, b.String())}, silent, "no lease is known"},
		{"init-reboot from another network", 6, []dhcpv4.Modifier{withAddr(50, "192.168.1.5")}, isNak, "another network"},
		{"init-reboot outside the range", 6, []dhcpv4.Modifier{withAddr(50, "10.9.0.20")}, silent, "not of the range"},
		{"selecting without an offer", 7, []dhcpv4.Modifier{withAddr(50, b.String()), withAddr(54, "10.9.0.1")}, isNak, "not this client's"},
		{"selecting nonsense", 7, []dhcpv4.Modifier{withAddr(50, "10.9.0.1"), withAddr(54, "10.9.0.1")}, isNak, "not an address of this server"},
		{"another server", 8, []dhcpv4.Modifier{withAddr(50, "10.9.0.20"), withAddr(54, "10.9.0.3")}, silent, "another DHCP server"},
		{"asks for nothing", 8, nil, silent, "asks for no address"},
		{"relay of another network", 9, []dhcpv4.Modifier{withAddr(50, a.String()), withAddr(54, "10.9.0.1"), withGiaddr("10.8.0.2")}, silent, "not of the phone's network"},
	} {
		t.Log(tc.name)
		c.want(c.send(request, macN(tc.mac), tc.mods...), tc.typ, tc.reason)
	}
	if got := c.discover(macN(10), withGiaddr("10.8.0.2")); got.IsValid() {
		t.Errorf("a phone of another network was offered %s", got)
	}
	if got := c.discover(macN(10), withGiaddr("10.8.0.2"), with(82, 5, 4, 10, 9, 0, 2)); !got.IsValid() {
		t.Error("link selection of option 82 is not read (RFC 3527)")
	}
	if got := c.discover(macN(11), withAddr(50, "10.9.0.10")); !got.IsValid() || got == netip.MustParseAddr("10.9.0.10") {
		t.Errorf("a wish outside the range gave %s", got)
	}
}

// TestAddressStays: the same phone gets the same address, also after expiry,
// release and restart, until another needs it.
func TestAddressStays(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	a := c.lease(macN(1))
	c.now = c.now.Add(2 * time.Hour)
	if got := c.lease(macN(1)); got != a {
		t.Errorf("after expiry %s, want %s", got, a)
	}
	res := c.send(dhcpv4.MessageTypeRelease, macN(1), withCiaddr(a.String()), withAddr(54, "10.9.0.1"))
	c.want(res, silent, "gave its address back")
	if _, ok := c.store.get(macN(1)); ok {
		t.Error("a released lease is still stored")
	}
	if got := c.lease(macN(1)); got != a {
		t.Errorf("after release %s, want %s", got, a)
	}
	again := newConversation(t, func(o *Options) { o.Leases = c.store })
	again.now = c.now
	if got := again.discover(macN(1)); got != a {
		t.Errorf("after restart %s, want %s", got, a)
	}
	// The range has ten addresses: nine others leave the first alone, a tenth
	// gets it once its lease is over.
	for n := 2; n <= 10; n++ {
		if c.lease(macN(n)) == a {
			t.Errorf("phone %d got the address of another", n)
		}
	}
	c.want(c.send(dhcpv4.MessageTypeDiscover, macN(11)), silent, "no address is free")
	c.now = c.now.Add(90 * time.Minute)
	for n := 2; n <= 10; n++ {
		c.lease(macN(n))
	}
	res = c.send(dhcpv4.MessageTypeDiscover, macN(11))
	if got := fromBytes(mustParse(t, res.reply).YourIPAddr.To4()); got != a || res.plan.evicted != macN(1) {
		t.Errorf("offered %s and evicted %s, want %s and %s", got, res.plan.evicted, a, macN(1))
	}
}

// TestSpoofedDiscovers: offers nobody takes up do not keep phones out for long.
func TestSpoofedDiscovers(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	for n := range 10000 {
		c.discover(macN(n))
	}
	if got := c.discover(macN(20000)); got.IsValid() {
		t.Fatalf("offered %s from a full range", got)
	}
	if n := len(c.e.pool.byMAC); n > 10 {
		t.Errorf("%d clients remembered for 10 addresses", n)
	}
	c.now = c.now.Add(offerMin)
	a := c.discover(macN(20000))
	if !a.IsValid() {
		t.Fatal("an offer of 2 s keeps a phone out")
	}
	// A phone that was offered before the flood keeps its offer for offerMin.
	for n := range 5000 {
		c.discover(macN(n))
	}
	c.want(c.request(macN(20000), a), isAck, "gave an address")
}

// TestSavedBeforeAck: nothing is acknowledged that the store does not have.
func TestSavedBeforeAck(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	a := c.discover(macN(1))
	c.store.err = errors.New("disk full")
	c.want(c.request(macN(1), a), silent, "could not be stored")
	c.store.err = nil
	c.want(c.request(macN(1), a), isAck, "gave an address")

	b := c.discover(macN(2))
	c.store.entered, c.store.gate = make(chan struct{}), make(chan struct{})
	done := make(chan result)
	go func() { done <- c.request(macN(2), b) }()
	<-c.store.entered
	select {
	case res := <-done:
		t.Fatalf("answered %s before the lease was stored", res.plan.typ)
	default:
	}
	close(c.store.gate)
	c.want(<-done, isAck, "gave an address")
}

func TestDecline(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	a := c.lease(macN(1))
	decline := func(mac phone.MAC, a netip.Addr) result {
		return c.send(dhcpv4.MessageTypeDecline, mac, withAddr(50, a.String()), withAddr(54, "10.9.0.1"))
	}
	c.want(decline(macN(2), a), silent, "does not have")
	c.want(decline(macN(1), a), silent, "rests for a while")
	if _, ok := c.store.get(macN(1)); ok {
		t.Error("a declined lease is still stored")
	}
	c.want(decline(macN(1), a), silent, "") // a second one does no harm
	b := c.lease(macN(1))
	if b == a {
		t.Fatalf("%s was given again", a)
	}
	// Declining everything takes a quarter of the range out for long, not all.
	for n := range 40 {
		if a := c.discover(macN(100 + n)); a.IsValid() {
			decline(macN(100+n), a)
		}
	}
	c.now = c.now.Add(offerHold + time.Second)
	if free, _, _, _ := c.e.pool.usage(c.now); free < 5 {
		t.Errorf("%d of 10 addresses left after declines", free)
	}
	c.now = c.now.Add(declineHold)
	if free, _, _, declined := c.e.pool.usage(c.now); declined != 0 || free != 9 {
		t.Errorf("free %d, declined %d after the rest", free, declined)
	}
}

// TestReserved: our own address, the router's and the ends of the network are never given out.
func TestReserved(t *testing.T) {
	t.Parallel()
	c := newConversation(t, func(o *Options) {
		o.Range = [2]netip.Addr{netip.MustParseAddr("10.9.0.0"), netip.MustParseAddr("10.9.0.3")}
		o.Router = netip.MustParseAddr("10.9.0.2")
	})
	if got := c.lease(macN(1)); got != netip.MustParseAddr("10.9.0.3") {
		t.Errorf("got %s", got)
	}
	c.want(c.send(dhcpv4.MessageTypeDiscover, macN(2)), silent, "no address is free")
}

// TestKnownByLease: RELEASE and DECLINE carry no option 60, so the lease tells who it is.
func TestKnownByLease(t *testing.T) {
	t.Parallel()
	c := newConversation(t, func(o *Options) { o.VendorOf = nil })
	a := c.lease(macN(1))
	b := packet1(dhcpv4.MessageTypeRelease, withMAC(macN(1)), withCiaddr(a.String()), withAddr(54, "10.9.0.1"))
	c.want(talk(t, c.e, b), silent, "gave its address back")
	c.want(talk(t, c.e, packet1(dhcpv4.MessageTypeDiscover, withMAC(macN(2)))), silent, "not a phone")
}

// TestRelayedNak: a reply without address must be broadcast by the relay.
func TestRelayedNak(t *testing.T) {
	t.Parallel()
	c := newConversation(t, nil)
	res := c.send(dhcpv4.MessageTypeRequest, macN(1), withAddr(50, "10.9.0.1"), withAddr(54, "10.9.0.1"), withGiaddr("10.9.0.2"))
	c.want(res, isNak, "")
	if p := mustParse(t, res.reply); !p.IsBroadcast() || res.to.String() != "10.9.0.2:67" {
		t.Errorf("to %s: %s", res.to, p.Summary())
	}
}
