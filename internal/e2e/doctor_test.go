package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestDoctor: what a phone would get, who answers on the segment, and a second server
// that sends phones elsewhere.
func TestDoctor(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--dhcp.mode", "lease", "--dhcp.interface", "lan0", "--dhcp.range", "192.168.50.100-192.168.50.120", "--dhcp.vlan", "7",
	}}
	d.start()
	doctor := func(args ...string) (string, error) {
		args = append([]string{
			"doctor", "dhcp", "--mac", "00:15:65:aa:bb:01", "--advertise", serverIP,
			"--dhcp.mode", "lease", "--dhcp.range", "192.168.50.100-192.168.50.120", "--dhcp.interface", "eth0", "--dhcp.vlan", "7",
		}, args...)
		out, err := l.at(binary, args...).CombinedOutput()
		return string(out), err
	}
	out, err := doctor("--vendor-class", "yealink", "--ask", "66,132,9", "--interface", "eth0")
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, d.log)
	}
	for _, want := range []string{
		"a phone of kind yealink, known by its vendor class", "http://" + serverIP + ":8081/", "nobody knows what a phone of this kind",
		"server " + serverIP + " offers 192.168.50.1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "not this server") {
		t.Errorf("our own server is taken for another:\n%s", out)
	}
	if out, err = doctor("--vendor-class", "MSFT 5.0"); err != nil || !strings.Contains(out, "ignored: not a phone") {
		t.Errorf("a computer: %v %s", err, out)
	}
	if out, err = doctor("--ask", "66,256"); err == nil || !strings.Contains(out, "--ask") {
		t.Errorf("option 256: %v %s", err, out)
	}

	if out, err := exec.Command("ip", "-n", l.server, "addr", "add", "192.168.50.2/24", "dev", "lan0").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	d.kill(syscall.SIGTERM)
	site := exec.Command("ip", "netns", "exec", l.server, testkit.Need(t, "dnsmasq"), "-k", "-u", "root", "--port=0", "--conf-file=/dev/null",
		"--bind-interfaces", "-i", "lan0", "--log-facility=-", "--no-ping", "--dhcp-range=192.168.50.150,192.168.50.160,1h",
		"--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--pid-file=", "--dhcp-option=66,old-pbx.example")
	log := &syncBuffer{}
	site.Stdout, site.Stderr = log, log
	if err := site.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		site.Process.Kill()
		site.Wait()
	})
	eventually(t, 20*time.Second, "dnsmasq starts", func() bool { return strings.Contains(log.String(), "DHCP, IP range") })
	if out, err = doctor("--vendor-class", "yealink", "--interface", "eth0"); err == nil ||
		!strings.Contains(out, `"old-pbx.example"  <- not this server`) || !strings.Contains(out, "sends phones elsewhere") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSnippetsOfTheAPI: what the page shows is what the doctor prints.
func TestSnippetsOfTheAPI(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
	}}
	d.start()
	text := l.api(d, "/v1/pbx/dhcp/snippets", "")
	for _, want := range []string{`"server":"isc"`, `"server":"windows"`, "http://" + serverIP + ":8081"} {
		if !strings.Contains(strings.ReplaceAll(text, `": "`, `":"`), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	out, err := l.at(binary, "doctor", "snippet", "kea", "--advertise", serverIP).Output()
	if err != nil || !strings.Contains(string(out), "http://"+serverIP+":8081/") {
		t.Errorf("%v: %s", err, out)
	}
}
