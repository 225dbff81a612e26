package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/simphone/fleet"
	"pbx.dev/dialtone/internal/testkit"
)

// stormLAN is a lan whose desk has the addresses of a whole office: what the server
// leases out of 10.77.128.0/17 is the desk's own, by way of one neighbour.
func stormLAN(t testing.TB) *lan {
	t.Helper()
	l := newLAN(t)
	for _, args := range [][]string{
		{"-n", l.server, "addr", "flush", "dev", "lan0"},
		{"-n", l.server, "addr", "add", "10.77.0.1/16", "dev", "lan0"},
		{"-n", l.server, "route", "add", "10.77.128.0/17", "via", "10.77.0.2"},
		{"-n", l.desk, "addr", "add", "10.77.0.2/16", "dev", "eth0"},
		{"-n", l.desk, "route", "add", "local", "10.77.128.0/17", "dev", "lo"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
	return l
}

// An office whose power comes back: every phone gets its lease, its files and its
// registration, whatever the server has to make wait.
func TestStorm(t *testing.T) {
	t.Parallel()
	const size = 300
	testkit.Need(t, "curl")
	l := stormLAN(t)
	d := &daemon{t: t, netns: l.server, dir: t.TempDir(), args: []string{
		"--advertise", "10.77.0.1", "--admin.listen", "127.0.0.1:8080",
		"--dhcp.mode", "lease", "--dhcp.interface", "lan0", "--dhcp.range", "10.77.128.1-10.77.191.254",
		"--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
	}}
	d.start()
	l.importCSV(d, "extensions", fleet.WriteExtensions, size)
	l.importCSV(d, "phones", fleet.WritePhones, size)

	out, err := l.at(binary, "phone", "--fleet", fmt.Sprint(size), "--storm", "--dhcp", "eth0").CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("registered %d, failed 0", size)) {
		t.Fatalf("%v\n%s\n%s", err, out, d.log)
	}
	t.Logf("%s", out)
	if stats := l.api(d, "/v1/pbx/phones/stats", ""); !strings.Contains(stats, fmt.Sprintf(`"registered":%d`, size)) {
		t.Errorf("stats %s, want %d registered", stats, size)
	}
}

// importCSV imports what write makes, with curl.
func (l *lan) importCSV(d *daemon, what string, write func(io.Writer, int) error, size int) {
	l.t.Helper()
	var text bytes.Buffer
	if err := write(&text, size); err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", l.server, "curl", "-sS", "--fail-with-body", "--max-time", "60",
		"-H", "Authorization: Bearer "+d.key, "-H", "Content-Type: text/csv", "--data-binary", "@-",
		"http://"+d.addr["admin"]+"/v1/pbx/"+what+"/import")
	cmd.Stdin = &text
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("import %s: %v %s", what, err, out)
	}
}
