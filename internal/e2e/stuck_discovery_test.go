package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestFaultsOfDiscovery: what goes wrong before a phone asks for its first file, with
// DHCP clients and multicast on a cable.
func TestFaultsOfDiscovery(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off", "--pnp.interface", "lan0",
		"--dhcp.mode", "lease", "--dhcp.interface", "lan0", "--dhcp.range", "192.168.50.100-192.168.50.120", "--dhcp.router", serverIP,
	}}
	d.start()
	l.api(d, "/v1/pbx/extensions", `{"number":"101"}`)
	id := func(mac string) string {
		_, rest, _ := strings.Cut(l.api(d, "/v1/pbx/phones", `{"macAddress":"`+mac+`","model":"T46S","lines":[{"line":1,"extensionNumber":"101"}]}`), `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	stuck := func(id, want string) {
		t.Helper()
		text := ""
		eventually(t, 20*time.Second, want, func() bool {
			text = l.api(d, "/v1/pbx/phones/"+id+"/timeline", "")
			return strings.Contains(text, want)
		})
		_, sentence, _ := strings.Cut(text, `"stuckAt":`)
		t.Log(sentence)
	}

	const leased, incurious, multicast = "00:15:65:aa:cc:01", "00:15:65:aa:cc:02", "00:15:65:aa:cc:03"
	first := id(leased)
	l.dhclient(leased, "yealink")
	stuck(first, "but never fetched a file: check that it uses option 66 or 160")

	second := id(incurious)
	l.deskIP("192.168.50.7", incurious)
	cmd := l.at(testkit.Need(t, "udhcpc"), "-i", "eth0", "-f", "-n", "-q", "-V", "yealink", "-o", "-O", "subnet", "-s", "/bin/true")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("udhcpc: %v %s", err, out)
	}
	stuck(second, "not where its configuration is (options 66 and 160)")

	third := id(multicast)
	l.deskIP("192.168.50.8", multicast)
	ask := l.at(testkit.Need(t, "socat"), "-t", "5", "-T", "5", "STDIO", "UDP4-DATAGRAM:224.0.1.75:5060,ip-multicast-if=192.168.50.8,bind=192.168.50.8:5071")
	ask.Stdin = strings.NewReader(strings.ReplaceAll(`SUBSCRIBE sip:MAC001565aacc03@224.0.1.75 SIP/2.0
Via: SIP/2.0/UDP 192.168.50.8:5071;branch=z9hG4bK1
From: <sip:MAC001565aacc03@224.0.1.75>;tag=1
To: <sip:MAC001565aacc03@224.0.1.75>
Call-ID: deaf
CSeq: 1 SUBSCRIBE
Contact: <sip:MAC001565aacc03@192.168.50.8:5071>
Event: ua-profile;profile-type="device";vendor="yealink";model="T46S";version="1"
Content-Length: 0

`, "\n", "\r\n"))
	if err := ask.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ask.Process.Kill(); _ = ask.Wait() })
	eventually(t, 60*time.Second, "PnP alone", func() bool {
		text := l.api(d, "/v1/pbx/phones/"+third+"/timeline", "")
		return strings.Contains(text, "did not answer (at ") && strings.Contains(text, "and never fetched a file")
	})
}

// TestFaultOfAnotherDHCPServer: the site's own server wins, and does not tell phones
// where their files are.
func TestFaultOfAnotherDHCPServer(t *testing.T) {
	t.Parallel()
	dnsmasq := testkit.Need(t, "dnsmasq")
	l := newLAN(t)
	site := l.server + "s"
	t.Cleanup(func() { exec.Command("ip", "netns", "del", site).Run() })
	// The cable to the desk and one to the site's server, on one bridge of ours.
	for _, args := range [][]string{
		{"netns", "add", site},
		{"-n", l.server, "addr", "flush", "dev", "lan0"},
		{"-n", l.server, "link", "add", "br0", "type", "bridge"},
		{"-n", l.server, "link", "set", "lan0", "master", "br0"},
		{"link", "add", "site0", "netns", l.server, "type", "veth", "peer", "name", "eth0", "netns", site},
		{"-n", l.server, "link", "set", "site0", "master", "br0", "up"},
		{"-n", l.server, "link", "set", "br0", "up"},
		{"-n", l.server, "addr", "add", serverIP + "/24", "dev", "br0"},
		{"-n", site, "addr", "add", "192.168.50.3/24", "dev", "eth0"},
		{"-n", site, "link", "set", "eth0", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
	other := exec.Command("ip", "netns", "exec", site, dnsmasq, "-k", "-u", "root", "--port=0", "--conf-file=/dev/null", "--bind-interfaces", "-i", "eth0", "--no-ping",
		"--dhcp-range=192.168.50.50,192.168.50.59,1h", "--dhcp-leasefile="+t.TempDir()+"/leases", "--pid-file=")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--dhcp.mode", "proxy", "--dhcp.interface", "br0",
	}}
	d.start()
	l.api(d, "/v1/pbx/extensions", `{"number":"101"}`)
	_, rest, _ := strings.Cut(l.api(d, "/v1/pbx/phones", `{"macAddress":"00:15:65:aa:cc:04","model":"T46S","lines":[{"line":1,"extensionNumber":"101"}]}`), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if vars := l.dhclient("00:15:65:aa:cc:04", "yealink"); !strings.HasPrefix(vars["new_ip_address"], "192.168.50.5") {
		t.Fatalf("the site's server is not there: %v", vars)
	}
	eventually(t, 20*time.Second, "the other server is named", func() bool {
		return strings.Contains(l.api(d, "/v1/pbx/phones/"+id+"/timeline", ""), "took its address from another DHCP server at") &&
			strings.Contains(l.api(d, "/v1/pbx/phones/"+id+"/timeline", ""), "192.168.50.3")
	})
}
