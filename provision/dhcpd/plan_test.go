package dhcpd

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// TestInform answers with options, and never to strangers.
func TestInform(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Lease, nil)
	ask := func(ciaddr, peer, giaddr string) result {
		mods := []dhcpv4.Modifier{withClass("yealink"), withAsked(1, 3, 66, 51)}
		if ciaddr != "" {
			mods = append(mods, withCiaddr(ciaddr))
		}
		if giaddr != "" {
			mods = append(mods, withGiaddr(giaddr))
		}
		res, err := e.answer(t.Context(), packet1(dhcpv4.MessageTypeInform, mods...), netip.MustParseAddrPort(peer), testLink())
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := ask("10.9.0.30", "10.9.0.30:68", "")
	p := mustParse(t, res.reply)
	if p.MessageType() != isAck || p.ClientIPAddr.String() != "10.9.0.30" || !p.YourIPAddr.IsUnspecified() ||
		p.Options.Has(dhcpv4.OptionIPAddressLeaseTime) || len(p.Router()) != 1 || p.Options.Has(dhcpv4.OptionDomainNameServer) {
		t.Errorf("ack: %s", p.Summary())
	}
	for _, tc := range []struct {
		ciaddr, peer, giaddr, to string
	}{
		{"10.9.0.30", "0.0.0.0:68", "", "10.9.0.30:68"},
		{"10.20.0.30", "10.20.0.30:68", "", "10.20.0.30:68"},
		{"10.20.0.30", "10.8.0.2:67", "10.20.0.1", "10.20.0.30:68"},
		{"", "0.0.0.0:68", "", "255.255.255.255:68"},
		{"198.51.100.1", "0.0.0.0:68", "", ""},
		{"10.9.0.255", "0.0.0.0:68", "", ""},
		{"224.0.0.1", "10.8.0.2:67", "10.20.0.1", ""},
		{"255.255.255.255", "255.255.255.255:68", "", ""},
	} {
		res := ask(tc.ciaddr, tc.peer, tc.giaddr)
		got := ""
		if res.reply != nil {
			got = res.to.String()
		}
		if got != tc.to {
			t.Errorf("inform of %q by %s through %q: reply to %q, want %q", tc.ciaddr, tc.peer, tc.giaddr, got, tc.to)
		}
	}
}

// TestProxyPlans: what proxy mode does with each message.
func TestProxyPlans(t *testing.T) {
	t.Parallel()
	now := testNow
	e := newEngine(t, Proxy, func(o *Options) { o.Now = func() time.Time { return now } })
	c := &conversation{t: t, e: e}
	phone66 := withAsked(66)
	for _, tc := range []struct {
		name   string
		typ    dhcpv4.MessageType
		mods   []dhcpv4.Modifier
		want   dhcpv4.MessageType
		reason string
	}{
		{"discover", dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{phone66}, dhcpv4.MessageTypeOffer, "up to the site's server"},
		{"asks for nothing of ours", dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{withAsked(1, 3)}, silent, "asks for no option"},
		{"other server", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{phone66, withAddr(50, "10.9.0.50"), withAddr(54, "10.9.0.3")}, silent, "another DHCP server"},
		{"init-reboot", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{phone66, withAddr(50, "10.9.0.50")}, silent, "another DHCP server"},
		{"renew", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{phone66, withCiaddr("10.9.0.50")}, silent, "another DHCP server"},
		{"has an address and asks us", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{phone66, withCiaddr("10.9.0.50"), withAddr(54, "10.9.0.1")}, isAck, "gave options"},
		{"release", dhcpv4.MessageTypeRelease, []dhcpv4.Modifier{withCiaddr("10.9.0.50"), withAddr(54, "10.9.0.1")}, silent, "nothing to do"},
		{"takes the offer for an address", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{phone66, withAddr(54, "10.9.0.1")}, isNak, "no addresses here"},
		{"discover after that", dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{phone66}, silent, "none for a while"},
	} {
		t.Log(tc.name)
		res := c.send(tc.typ, macN(1), tc.mods...)
		c.want(res, tc.want, tc.reason)
		if res.reply != nil && mustParse(t, res.reply).Options.Has(dhcpv4.OptionIPAddressLeaseTime) {
			t.Error("lease time in proxy mode")
		}
	}
	now = now.Add(muteFor)
	c.want(c.send(dhcpv4.MessageTypeDiscover, macN(1), phone66), dhcpv4.MessageTypeOffer, "offered options")
	c.want(talk(t, e, readHex(t, "windows")), silent, "not a phone")
	c.want(talk(t, e, readHex(t, "snom")), silent, "no files for this maker")
}

func TestMuteListIsBounded(t *testing.T) {
	t.Parallel()
	var m muteList
	for n := range maxMuted + 100 {
		m.add(macN(n), testNow.Add(time.Minute), testNow)
	}
	if len(m.until) != maxMuted || m.has(macN(maxMuted), testNow) || !m.has(macN(0), testNow) {
		t.Errorf("%d muted", len(m.until))
	}
	m.add(macN(9999), testNow.Add(2*time.Hour), testNow.Add(time.Hour))
	if len(m.until) != 1 || !m.has(macN(9999), testNow.Add(time.Hour)) {
		t.Errorf("%d muted after the others are over", len(m.until))
	}
}

// TestOptions: what New and the pool refuse.
func TestOptions(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	for name, change := range map[string]func(*Options){
		"mode":        func(o *Options) { o.Mode = "on" },
		"interface":   func(o *Options) { o.Interfaces = nil },
		"port":        func(o *Options) { o.Port = 70000 },
		"server":      func(o *Options) { o.ServerIP = addr("::1") },
		"no facts":    func(o *Options) { o.Facts = nil },
		"credentials": func(o *Options) { o.Facts = func() Facts { return Facts{HTTPURL: "http://a:b@c/"} } },
		"no url":      func(o *Options) { o.Facts = func() Facts { return Facts{} } },
		"vlan":        func(o *Options) { o.Facts = func() Facts { return Facts{HTTPURL: "http://c/", VLAN: 4095} } },
		"backwards":   func(o *Options) { o.Range[0], o.Range[1] = o.Range[1], o.Range[0] },
		"too large":   func(o *Options) { o.Range[1] = addr("10.11.0.0") },
		"no range":    func(o *Options) { o.Range[1] = netip.Addr{} },
		"lease time":  func(o *Options) { o.LeaseTime = time.Second },
		"no store":    func(o *Options) { o.Leases = nil },
	} {
		o := Options{
			Mode: Lease, Interfaces: []string{"eth0"}, Facts: func() Facts { return testFacts }, Leases: &memLeases{},
			Range: [2]netip.Addr{addr("10.9.0.10"), addr("10.9.0.20")},
		}
		if _, err := New(o); err != nil {
			t.Fatal(err)
		}
		change(&o)
		if _, err := New(o); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Options){
		"range of another network": func(o *Options) { o.Range = [2]netip.Addr{addr("10.9.0.250"), addr("10.9.1.5")} },
		"router of another":        func(o *Options) { o.Router = addr("10.8.0.1") },
		"store":                    func(o *Options) { o.Leases = &memLeases{err: errors.New("no")} },
	} {
		o := Options{
			Mode: Lease, Interfaces: []string{"eth0"}, Facts: func() Facts { return testFacts }, Leases: &memLeases{},
			Range: [2]netip.Addr{addr("10.9.0.10"), addr("10.9.0.20")},
		}
		change(&o)
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.engine.openPool(t.Context(), []*link{testLink()}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
