package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestDHCPv6: a phone that asks for information by DHCPv6 is told the URL; a client
// whose MAC address is nobody's is not.
func TestDHCPv6(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.deskIP("192.168.50.7", "00:15:65:aa:bb:07")
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--dhcp.v6", "--dhcp.interface", "lan0",
	}}
	d.start()
	dir := t.TempDir()
	env := filepath.Join(dir, "env")
	conf := writeFile(t, filepath.Join(dir, "dhclient.conf"), "also request dhcp6.bootfile-url;\ntimeout 20;\n")
	hook := writeFile(t, filepath.Join(dir, "hook"), "#!/bin/sh\nif [ -n \"$new_dhcp6_bootfile_url\" ]; then env > "+env+"; fi\nexit 0\n")
	if err := os.Chmod(hook, 0o700); err != nil {
		t.Fatal(err)
	}
	// The address of the link has to be usable first.
	eventually(t, 20*time.Second, "a link-local address", func() bool {
		out, err := l.at("ip", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative").Output()
		return err == nil && strings.Contains(string(out), "fe80")
	})
	cmd := l.at(testkit.Need(t, "dhclient"), "-6", "-S", "-v", "-d", "-D", "LL", "-cf", conf, "-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), "-sf", hook, "eth0")
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		t.Log(log)
	})
	eventually(t, 20*time.Second, "an answer", func() bool {
		text, err := os.ReadFile(env)
		return err == nil && strings.Contains(string(text), "new_dhcp6_bootfile_url=http://"+serverIP+":8081/")
	})
	if text := l.curl("http://" + d.addr["admin"] + "/metrics"); !strings.Contains(text, `dialtone_dhcp6_requests_total{outcome="answered"}`) {
		t.Error("not counted")
	}
}
