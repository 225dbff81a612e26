package dhcpd

import (
	"encoding/hex"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/testkit"
)

func TestLeaseUdhcpc(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "")
	store := filepath.Join(t.TempDir(), "leases.json")
	opts := helperOptions{
		Mode: Lease, Interfaces: []string{"eth0"}, Facts: testFacts, First: "10.9.0.100", Last: "10.9.0.199",
		Router: "10.9.0.254", LeaseTime: time.Hour, Store: store,
	}
	s := l.serve(srv, opts)
	c := l.udhcpc(cli, "eth0", "Polycom-VVX410", "66", "160", "150", "67")
	got := c.told("bound")
	ip := got["ip"]
	if !strings.HasPrefix(ip, "10.9.0.1") {
		t.Errorf("address %q is not of the range", ip)
	}
	for name, want := range map[string]string{
		"tftp":   "bad", // udhcpc lets nothing but host names through in option 66
		"opt160": hex.EncodeToString([]byte("http://10.9.0.1:8081")), "opt150": "0a090001",
		"router": "10.9.0.254", "subnet": "255.255.255.0", "lease": "3600", "serverid": "10.9.0.1", "siaddr": "10.9.0.1",
		"bootfile": l.mac(cli, "eth0").Hex() + ".cfg", "boot_file": l.mac(cli, "eth0").Hex() + ".cfg", "sname": "10.9.0.1",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	s.event("DISCOVER", "ok", "offered an address "+ip)
	ev := s.event("REQUEST", "ok", "gave an address "+ip)
	if ev.MAC != l.mac(cli, "eth0") || ev.UserAgent != "Polycom-VVX410" {
		t.Errorf("event %+v", ev)
	}

	c.signal(syscall.SIGUSR1) // renew by unicast
	if got := c.told("renew"); got["ip"] != ip {
		t.Errorf("renewed %q, want %q", got["ip"], ip)
	}
	if ev := s.event("REQUEST", "ok", "gave an address"); ev.Source != ip {
		t.Errorf("renewal came from %q, want %q", ev.Source, ip)
	}

	// The address is the phone's after a restart of the server and of the phone.
	s.signal(syscall.SIGTERM)
	s.wait()
	c.stop()
	s = l.serve(srv, opts)
	c = l.udhcpc(cli, "eth0", "Polycom-VVX410", "66")
	if got := c.told("bound"); got["ip"] != ip {
		t.Errorf("address after restart %q, want %q", got["ip"], ip)
	}
	c.signal(syscall.SIGUSR2) // release
	s.event("RELEASE", "ok", "gave its address back")
}

func TestLeaseDhclient(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "")
	s := l.serve(srv, helperOptions{
		Mode: Lease, Interfaces: []string{"eth0"}, Facts: testFacts, First: "10.9.0.10", Last: "10.9.0.20",
		LeaseTime: time.Hour, Store: filepath.Join(t.TempDir(), "leases.json"),
	})
	dir := t.TempDir()
	c := l.dhclient(cli, "eth0", dir, "yealink")
	got := c.told("BOUND")
	ip := got["new_ip_address"]
	for name, want := range map[string]string{
		"new_tftp_server_name": "http://10.9.0.1:8081/", "new_boot_server": "http://10.9.0.1:8081/", "new_tftp_servers": "10.9.0.1",
		"new_dhcp_lease_time": "3600", "new_subnet_mask": "255.255.255.0", "new_ntp_servers": "10.9.0.2",
		"new_dhcp_renewal_time": "1800", "new_dhcp_rebinding_time": "3150",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	c.line("bound to") // the lease file is written
	c.stop()
	// With its lease file dhclient starts in INIT-REBOOT.
	c = l.dhclient(cli, "eth0", dir, "yealink")
	if got := c.told("REBOOT"); got["new_ip_address"] != ip {
		t.Errorf("after reboot %q, want %q", got["new_ip_address"], ip)
	}
	s.event("REQUEST", "ok", "gave an address "+ip)
}

// TestPhonesOnly: a computer gets nothing, and everybody an address once asked to.
func TestPhonesOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "")
	opts := helperOptions{
		Mode: Lease, Interfaces: []string{"eth0"}, Facts: testFacts, First: "10.9.0.10", Last: "10.9.0.20",
		Store: filepath.Join(t.TempDir(), "leases.json"),
	}
	s := l.serve(srv, opts)
	c := l.udhcpc(cli, "eth0", "MSFT 5.0", "66")
	c.told("leasefail")
	c.stop()
	s.stop()
	opts.Everybody = true
	l.serve(srv, opts)
	c = l.udhcpc(cli, "eth0", "MSFT 5.0", "66")
	if got := c.told("bound"); got["tftp"] != "" || got["ip"] == "" {
		t.Errorf("a computer got %v", got)
	}
}

// TestRelay: through isc-dhcp-relay with option 82.
func TestRelay(t *testing.T) {
	t.Parallel()
	relay := testkit.Need(t, "dhcrelay")
	l := newLab(t)
	near, far := l.wire(), l.wire()
	srv, rly, cli := l.host("srv"), l.host("rly"), l.host("cli")
	// The range is of the phones' network, of which the server has an address too.
	l.plug(srv, "eth0", far, "10.8.0.1/24")
	l.plug(srv, "eth1", far, "10.9.0.1/24")
	l.plug(rly, "up0", far, "10.8.0.2/24")
	l.plug(rly, "down0", near, "10.9.0.2/24")
	l.plug(cli, "eth0", near, "")
	l.ip("-n", srv, "route", "add", "10.9.0.2/32", "via", "10.8.0.2")
	s := l.serve(srv, helperOptions{
		Mode: Lease, Interfaces: []string{"eth0", "eth1"}, Facts: testFacts, First: "10.9.0.100", Last: "10.9.0.110",
		LeaseTime: time.Hour, Store: filepath.Join(t.TempDir(), "leases.json"),
	})
	r := l.run(rly, nil, relay, "-4", "-d", "-a", "-m", "discard", "-id", "down0", "-iu", "up0", "10.8.0.1")
	r.line("Sending on")
	c := l.udhcpc(cli, "eth0", "yealink", "160")
	got := c.told("bound")
	if !strings.HasPrefix(got["ip"], "10.9.0.1") || got["opt160"] != hex.EncodeToString([]byte("http://10.9.0.1:8081/")) {
		t.Errorf("through the relay: %v", got)
	}
	s.event("REQUEST", "ok", "gave an address")
}

// site starts another DHCP server, the one that the site had all along. With
// ping it looks for some seconds whether an address is used before it offers it.
func (l *lab) site(ns string, ping bool) *proc {
	l.t.Helper()
	args := []string{
		"-k", "-u", "root", "--port=0", "--conf-file=/dev/null", "--bind-interfaces", "-i", "eth0", "--log-dhcp", "--log-facility=-",
		"--dhcp-range=10.9.0.50,10.9.0.59,1h", "--dhcp-leasefile=" + filepath.Join(l.t.TempDir(), "site"), "--pid-file=",
	}
	if !ping {
		args = append(args, "--no-ping")
	}
	p := l.run(ns, nil, testkit.Need(l.t, "dnsmasq"), args...)
	p.line("DHCP, IP range")
	return p
}

// TestProxyWithSiteServer: the site's server gives the address, quick or slow,
// and nobody ends up with 0.0.0.0.
func TestProxyWithSiteServer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ping bool
	}{{"quick", false}, {"slow", true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			sw, srv, site, one, two := l.wire(), l.host("srv"), l.host("site"), l.host("one"), l.host("two")
			l.plug(srv, "eth0", sw, "10.9.0.1/24")
			l.plug(site, "eth0", sw, "10.9.0.3/24")
			l.plug(one, "eth0", sw, "")
			l.plug(two, "eth0", sw, "")
			l.site(site, tc.ping)
			s := l.serve(srv, helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts})
			u := l.udhcpc(one, "eth0", "yealink", "66")
			if got := u.told("bound"); got["serverid"] != "10.9.0.3" || !strings.HasPrefix(got["ip"], "10.9.0.5") {
				t.Errorf("udhcpc got %v", got)
			}
			d := l.dhclient(two, "eth0", t.TempDir(), "Polycom-VVX410")
			if got := d.told("BOUND"); got["new_dhcp_server_identifier"] != "10.9.0.3" || !strings.HasPrefix(got["new_ip_address"], "10.9.0.5") {
				t.Errorf("dhclient got %v", got)
			}
			s.event("DISCOVER", "ok", "offered options")
			if tc.ping {
				s.event("REQUEST", "nak", "no addresses here")
				s.event("DISCOVER", "ignored", "gets none for a while")
			}
			s.event("REQUEST", "ignored", "another DHCP server")
		})
	}
}

// TestProxyAnswers: INFORM and DISCOVER on the wire, direct and through a relay.
func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	relay := testkit.Need(t, "dhcrelay")
	l := newLab(t)
	near, far := l.wire(), l.wire()
	srv, rly, cli := l.host("srv"), l.host("rly"), l.host("cli")
	l.plug(srv, "eth0", far, "10.8.0.1/24")
	l.plug(rly, "up0", far, "10.8.0.2/24")
	l.plug(rly, "down0", near, "10.9.0.2/24")
	l.plug(cli, "eth0", near, "10.9.0.77/24")
	l.ip("-n", srv, "route", "add", "10.9.0.0/24", "via", "10.8.0.2")
	l.ip("-n", cli, "route", "add", "default", "via", "10.9.0.2")
	l.run(rly, nil, "sysctl", "-w", "net.ipv4.ip_forward=1").wait()
	s := l.serve(srv, helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts})
	l.run(rly, nil, relay, "-4", "-d", "-a", "-m", "discard", "-id", "down0", "-iu", "up0", "10.8.0.1").line("Sending on")

	inform := packet1(dhcpv4.MessageTypeInform, withClass("yealink"), withAsked(66, 43), withCiaddr("10.9.0.77"))
	got := l.ask(cli, "eth0", "10.9.0.77:68", "10.8.0.1:67", inform)
	if got.MessageType() != dhcpv4.MessageTypeAck || !got.ClientIPAddr.Equal(net.IPv4(10, 9, 0, 77)) || !got.YourIPAddr.IsUnspecified() {
		t.Errorf("INFORM: %s", got.Summary())
	}
	if got.Options.Has(dhcpv4.OptionIPAddressLeaseTime) || string(got.Options.Get(dhcpv4.OptionTFTPServerName)) != "http://10.9.0.1:8081/" {
		t.Errorf("INFORM options: %s", got.Summary())
	}
	s.event("INFORM", "ok", "was given 66 43")

	discover := packet1(dhcpv4.MessageTypeDiscover, withClass("Polycom-VVX410"))
	got = l.ask(cli, "eth0", "0.0.0.0:68", "255.255.255.255:67", discover)
	if got.MessageType() != dhcpv4.MessageTypeOffer || !got.YourIPAddr.IsUnspecified() || !got.IsBroadcast() {
		t.Errorf("DISCOVER through the relay: %s", got.Summary())
	}
	for _, code := range []uint8{66, 160} {
		if v := string(got.Options[code]); v != "http://10.9.0.1:8081" {
			t.Errorf("option %d = %q", code, v)
		}
	}
	if ev := s.event("DISCOVER", "ok", "asked for no options; was given 66 160"); ev.Source != "10.8.0.2" && ev.Source != "10.9.0.2" {
		t.Errorf("source %q is not the relay", ev.Source)
	}
}

// TestSecondServer: the port of an interface cannot be shared.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv := l.wire(), l.host("srv")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(srv, "eth1", sw, "10.7.0.1/24")
	opts := helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts}
	l.serve(srv, opts)
	l.tryServe(srv, opts).line("address already in use")
	opts.Interfaces = []string{"eth1"}
	l.tryServe(srv, opts).line("ready")
}

// TestInterfaceReplaced: the server follows an interface that goes and comes back.
func TestInterfaceReplaced(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "10.9.0.77/24")
	s := l.serve(srv, helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts, Poll: 50 * time.Millisecond})
	inform := packet1(dhcpv4.MessageTypeInform, withClass("yealink"), withAsked(66), withCiaddr("10.9.0.77"))
	l.ask(cli, "eth0", "10.9.0.77:68", "255.255.255.255:67", inform)
	l.ip("-n", srv, "link", "del", "eth0")
	l.plug(srv, "eth0", sw, "10.9.0.4/24")
	s.line("opened again")
	got := l.ask(cli, "eth0", "10.9.0.77:68", "255.255.255.255:67", inform)
	if id := got.ServerIdentifier(); !id.Equal(net.IPv4(10, 9, 0, 4)) {
		t.Errorf("server identifier %s", id)
	}
}

// TestConflictProbe: an address that somebody took by hand is not offered, and the
// client behind it gets another at its first try.
func TestConflictProbe(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli, squatter := l.wire(), l.host("srv"), l.host("cli"), l.host("sq")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "")
	l.plug(squatter, "eth0", sw, "10.9.0.100/24")
	l.ip("-n", squatter, "addr", "add", "10.9.0.101/24", "dev", "eth0")
	s := l.serve(srv, helperOptions{
		Mode: Lease, Interfaces: []string{"eth0"}, Facts: testFacts, First: "10.9.0.100", Last: "10.9.0.102", LeaseTime: time.Hour,
	})
	c := l.udhcpc(cli, "eth0", "yealink", "66", "-r 10.9.0.100")
	if got := c.told("bound"); got["ip"] != "10.9.0.102" {
		t.Errorf("got %s", got["ip"])
	}
	if ev := s.event("DISCOVER", "ok", "offered an address 10.9.0.102"); ev.MAC != l.mac(cli, "eth0") {
		t.Errorf("event %+v", ev)
	}
	c.signal(syscall.SIGUSR1) // who has an address is not probed
	c.told("renew")
}

// dhcpcd starts the third client that phones and their like are built on. It splits
// into several processes and keeps files of its own, so it gets namespaces for both;
// the shell stays as the first process, whose end is that of all. Its own script would
// write the resolv.conf of the host.
func (l *lab) dhcpcd(ns, class string, more ...string) *proc {
	l.t.Helper()
	const alone = `mount -t tmpfs none /run && mount -t tmpfs none /var/lib/dhcpcd && mkdir -p /run/dhcpcd; "$@"; true`
	args := []string{
		"-m", "-p", "-f", "--kill-child", "sh", "-c", alone, "sh", testkit.Need(l.t, "dhcpcd"), "-B", "-4", "-d", "--nodev", "--noarp", "-f", "/dev/null",
		"-c", "/bin/true", "-i", class, "-o", "tftp_server_name",
	}
	return l.run(ns, nil, testkit.Need(l.t, "unshare"), append(append(args, more...), "eth0")...)
}

// TestDhcpcd: a lease with our option 66.
func TestDhcpcd(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "")
	s := l.serve(srv, helperOptions{
		Mode: Lease, Interfaces: []string{"eth0"}, Facts: testFacts, First: "10.9.0.100", Last: "10.9.0.110", LeaseTime: time.Hour,
	})
	c := l.dhcpcd(cli, "yealink")
	ev := s.event("REQUEST", "ok", "gave an address 10.9.0.1")
	if ev.UserAgent != "yealink" || !strings.Contains(ev.Detail, "was given 66") {
		t.Errorf("event %+v", ev)
	}
	c.line("leased 10.9.0.1")
}

// TestDhcpcdInform: a client with an address of its own asks for options only.
func TestDhcpcdInform(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sw, srv, cli := l.wire(), l.host("srv"), l.host("cli")
	l.plug(srv, "eth0", sw, "10.9.0.1/24")
	l.plug(cli, "eth0", sw, "10.9.0.77/24")
	s := l.serve(srv, helperOptions{Mode: Proxy, Interfaces: []string{"eth0"}, Facts: testFacts})
	c := l.dhcpcd(cli, "yealink", "--inform=10.9.0.77/24")
	if ev := s.event("INFORM", "ok", "was given 66"); ev.UserAgent != "yealink" {
		t.Errorf("event %+v", ev)
	}
	c.line("received approval for 10.9.0.77")
}
