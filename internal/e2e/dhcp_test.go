package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// lan is two network namespaces joined by a cable: the server's and a desk's.
type lan struct {
	t            testing.TB
	server, desk string // names of the namespaces
}

var lanCount atomic.Int32

const serverIP = "192.168.50.1"

func newLAN(t testing.TB) *lan {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.Need(t, "ip")
	id := fmt.Sprintf("%d-%d", os.Getpid(), lanCount.Add(1))
	l := &lan{t: t, server: "dts" + id, desk: "dtd" + id}
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", l.server).Run()
		exec.Command("ip", "netns", "del", l.desk).Run()
	})
	for _, args := range [][]string{
		{"ip", "netns", "add", l.server},
		{"ip", "netns", "add", l.desk},
		{"ip", "-n", l.server, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", l.desk},
		{"ip", "-n", l.server, "addr", "add", serverIP + "/24", "dev", "lan0"},
		{"ip", "-n", l.server, "link", "set", "lan0", "up"},
		{"ip", "-n", l.server, "link", "set", "lo", "up"},
		{"ip", "-n", l.desk, "link", "set", "eth0", "up"},
		{"ip", "-n", l.desk, "link", "set", "lo", "up"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	return l
}

// at is a command in the desk's namespace.
func (l *lan) at(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.desk, name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// api calls the REST API from within the server's namespace, with curl.
func (l *lan) api(d *daemon, path, body string) string {
	l.t.Helper()
	args := []string{"netns", "exec", l.server, "curl", "-sS", "--max-time", "10", "-H", "Authorization: Bearer " + d.key, "http://" + d.addr["admin"] + path}
	if body != "" {
		args = append(args, "-H", "Content-Type: application/json", "-d", body)
	}
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v %s", path, err, out)
	}
	return string(out)
}

// dhclient gets a lease with the vendor's class and takes the address; it
// returns the variables that its script was given.
func (l *lan) dhclient(mac, class string) map[string]string {
	l.t.Helper()
	dir := l.t.TempDir()
	for _, args := range [][]string{
		{"link", "set", "eth0", "down"},
		{"addr", "flush", "dev", "eth0"},
		{"link", "set", "eth0", "address", mac},
		{"link", "set", "eth0", "up"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", l.desk}, args...)...).CombinedOutput(); err != nil {
			l.t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	conf := writeFile(l.t, filepath.Join(dir, "dhclient.conf"), fmt.Sprintf(`option tftp150 code 150 = array of ip-address;
option boot160 code 160 = text;
send vendor-class-identifier "%s";
request subnet-mask, routers, ntp-servers, tftp-server-name, bootfile-name, tftp150, boot160, vendor-encapsulated-options;
timeout 10;
`, class))
	env := filepath.Join(dir, "env")
	hook := writeFile(l.t, filepath.Join(dir, "hook"), "#!/bin/sh\nif [ \"$reason\" = BOUND ]; then ip addr add $new_ip_address/24 dev eth0; env > "+env+"; fi\nexit 0\n")
	if err := os.Chmod(hook, 0o700); err != nil {
		l.t.Fatal(err)
	}
	cmd := l.at(testkit.Need(l.t, "dhclient"), "-1", "-v", "-d", "-cf", conf, "-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), "-sf", hook, "eth0")
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	vars := map[string]string{}
	eventually(l.t, 20*time.Second, "a lease\n"+log.String(), func() bool {
		text, err := os.ReadFile(env)
		for line := range strings.Lines(string(text)) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			vars[k] = v
		}
		return err == nil && vars["new_ip_address"] != "" && vars["PWD"] != ""
	})
	return vars
}

// One phone of each vendor: plugged in, it gets an address and the URL by DHCP,
// boots, registers, and a call to its extension rings and is answered.
func TestFromDHCPToARingingCall(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ vendor, mac, class, option string }{
		{"polycom", "00:04:f2:ab:cd:ef", "Polycom-VVX450", "new_boot160"},
		{"yealink", "00:15:65:aa:bb:01", "yealink", "new_tftp_server_name"},
		{"grandstream", "00:0b:82:12:34:56", "HT8XX dslforum.org", "new_tftp_server_name"},
	} {
		t.Run(v.vendor, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
				"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
				"--dhcp.mode", "lease", "--dhcp.interface", "lan0", "--dhcp.range", "192.168.50.100-192.168.50.120", "--dhcp.router", serverIP,
			}}
			d.start()
			for _, number := range []string{"101", "102"} {
				l.api(d, "/v1/pbx/extensions", `{"number":"`+number+`","sipUsername":"u`+number+`","sipPassword":"secret`+number+`"}`)
			}
			l.api(d, "/v1/pbx/phones", `{"macAddress":"`+v.mac+`","lines":[{"line":1,"extensionNumber":"101"}]}`)

			vars := l.dhclient(v.mac, v.class)
			if !strings.HasPrefix(vars["new_ip_address"], "192.168.50.1") || vars["new_routers"] != serverIP {
				t.Errorf("lease: %v", vars)
			}
			url := vars[v.option]
			if !strings.HasPrefix(url, "http://"+serverIP) {
				t.Fatalf("%s is %q in %v", v.option, url, vars)
			}
			sim := l.at(binary, "phone", "--vendor", v.vendor, "--mac", v.mac, "--server", url, "--answer-after", "300ms")
			out := &syncBuffer{}
			sim.Stdout, sim.Stderr = out, out
			if err := sim.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				sim.Process.Kill()
				sim.Wait()
			}()
			eventually(t, 20*time.Second, "the phone registers", func() bool { return strings.Contains(out.String(), "200, expires") })

			call := l.at(testkit.Need(t, "sipp"), serverIP+":5060", "-sf", "testdata/sipp/call.xml", "-m", "1", "-i", vars["new_ip_address"],
				"-timeout", "15s", "-timeout_error", "-nostdin", "-key", "from", "102", "-key", "to", "101", "-au", "u102", "-ap", "secret102")
			if text, err := call.CombinedOutput(); err != nil {
				t.Errorf("call: %v\n%s\nphone:\n%s\nserver:\n%s", err, tail(text), out, d.log)
			}
			for _, want := range []string{"call from", "answered", "the other side hung up"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the phone did not say %q:\n%s", want, out)
				}
			}
			_, id, _ := strings.Cut(l.api(d, "/v1/pbx/phones?macAddress="+v.mac, ""), `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			timeline := l.api(d, "/v1/pbx/phones/"+id+"/timeline", "")
			for _, want := range []string{
				`"kind":"dhcp"`, `"path":"DISCOVER"`, `"path":"REQUEST"`, `"kind":"file"`, `"status":200`, `"bytes":`, `"revision":1`,
				`"kind":"register"`, `"kind":"call"`, `"outcome":"answered"`, `"stuckAt":null`,
			} {
				if !strings.Contains(timeline, want) {
					t.Errorf("no %s on the timeline: %s", want, timeline)
				}
			}
			if list := l.api(d, "/v1/pbx/phones?registered=true", ""); !strings.Contains(list, strings.ToUpper(v.mac)) || !strings.Contains(list, vars["new_ip_address"]) {
				t.Errorf("listed as %s", list)
			}
		})
	}
}
