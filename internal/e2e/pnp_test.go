package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// deskIP gives the desk an address by hand, as a site's DHCP server would.
func (l *lan) deskIP(addr, mac string) {
	l.t.Helper()
	for _, args := range [][]string{
		{"link", "set", "eth0", "down"},
		{"link", "set", "eth0", "address", mac},
		{"link", "set", "eth0", "up"},
		{"addr", "add", addr + "/24", "dev", "eth0"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", l.desk}, args...)...).CombinedOutput(); err != nil {
			l.t.Fatalf("%v: %v %s", args, err, out)
		}
	}
}

// TestPnP: a phone that knows nothing asks by multicast, gets the URL, boots and
// registers; the registrar goes on beside it on the same port.
func TestPnP(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.deskIP("192.168.50.7", "00:15:65:aa:bb:07")
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off", "--pnp.interface", "lan0",
	}}
	d.start()
	if d.addr["pnp"] != "224.0.1.75:5060%lan0" {
		t.Errorf("listeners %v", d.addr)
	}
	l.api(d, "/v1/pbx/extensions", `{"number":"101"}`)
	l.api(d, "/v1/pbx/phones", `{"macAddress":"00:15:65:aa:bb:07","model":"T46S","lines":[{"line":1,"extensionNumber":"101"}]}`)
	sim := l.at(binary, "phone", "--pnp", "--vendor", "yealink", "--mac", "00:15:65:aa:bb:07", "--answer-after", "-1s")
	out := &syncBuffer{}
	sim.Stdout, sim.Stderr = out, out
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		sim.Process.Kill()
		sim.Wait()
	}()
	t.Cleanup(func() { t.Logf("phone:\n%s\nserver:\n%s", out, d.log) })
	eventually(t, 20*time.Second, "the phone registers", func() bool { return strings.Contains(out.String(), "200, expires") })
	if !strings.Contains(out.String(), "http://"+serverIP+":8081/") {
		t.Errorf("the phone says\n%s", out)
	}
	list := l.api(d, "/v1/pbx/phones?macAddress=001565aabb07", "")
	_, id, _ := strings.Cut(list, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	eventually(t, 20*time.Second, "the timeline has it", func() bool {
		text := l.api(d, "/v1/pbx/phones/"+id+"/timeline", "")
		return strings.Contains(text, `"kind":"pnp"`) && strings.Contains(text, "and took it") && strings.Contains(text, "Yealink SIP-T46S")
	})
}

// TestPnPSilence: who is no phone, or unknown where enrollment is closed, gets nothing,
// and a lie in Via and Contact sends nothing to anybody else.
func TestPnPSilence(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.deskIP("192.168.50.7", "00:15:65:aa:bb:07")
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--pnp.interface", "lan0", "--provision.enroll", "closed",
	}}
	d.start()
	l.api(d, "/v1/pbx/extensions", `{"number":"101"}`)
	l.api(d, "/v1/pbx/phones", `{"macAddress":"00:15:65:aa:bb:07","lines":[{"line":1,"extensionNumber":"101"}]}`)
	text, err := l.at(binary, "phone", "--pnp", "--vendor", "yealink", "--mac", "00:15:65:aa:bb:08").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "nobody answered") {
		t.Errorf("an unknown phone: %v %s", err, text)
	}
	metrics := l.curl("http://" + d.addr["admin"] + "/metrics")
	if !strings.Contains(metrics, `dialtone_pnp_requests_total{outcome="unknown"}`) || strings.Contains(metrics, `outcome="answered"`) {
		t.Errorf("metrics:\n%s", metrics)
	}

	// A Via and a Contact of somebody else: the answers come to the source all the same.
	message := strings.ReplaceAll(`SUBSCRIBE sip:MAC001565aabb07@224.0.1.75 SIP/2.0
Via: SIP/2.0/UDP 192.168.50.99:9;branch=z9hG4bK1
From: <sip:MAC001565aabb07@224.0.1.75>;tag=1
To: <sip:MAC001565aabb07@224.0.1.75>
Call-ID: liar
CSeq: 1 SUBSCRIBE
Contact: <sip:MAC001565aabb07@192.168.50.99:9>
Event: ua-profile;profile-type="device";vendor="yealink";model="T46S";version="1"
Content-Length: 0

`, "\n", "\r\n")
	sipp := l.at(testkit.Need(t, "socat"), "-t", "5", "-T", "5", "STDIO", "UDP4-DATAGRAM:224.0.1.75:5060,ip-multicast-if=192.168.50.7,bind=192.168.50.7:5071")
	sipp.Stdin = bytes.NewBufferString(message)
	got := &syncBuffer{}
	sipp.Stdout, sipp.Stderr = got, got
	if err := sipp.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "both answers", func() bool {
		return strings.Contains(got.String(), "SIP/2.0 200 OK") && strings.Contains(got.String(), "NOTIFY sip:MAC001565aabb07@192.168.50.99:9 SIP/2.0")
	})
	sipp.Wait()
}

// curl fetches a URL from the server's namespace.
func (l *lan) curl(url string) string {
	l.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", l.server, "curl", "-sS", "--max-time", "10", url).CombinedOutput()
	if err != nil {
		l.t.Fatalf("GET %s: %v %s", url, err, out)
	}
	return string(out)
}
