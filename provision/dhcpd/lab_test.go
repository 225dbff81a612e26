package dhcpd

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
)

// patience bounds every wait of the end-to-end tests.
const patience = 30 * time.Second

// lab is a set of network namespaces, gone when the test ends.
type lab struct {
	t     *testing.T
	ports int
}

var labNumber atomic.Int32

func newLab(t *testing.T) *lab {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.Need(t, "ip")
	return &lab{t: t}
}

// ip runs one ip command.
func (l *lab) ip(args ...string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// host makes a namespace.
func (l *lab) host(name string) string {
	l.t.Helper()
	ns := fmt.Sprintf("dd%d-%d-%s", os.Getpid(), labNumber.Add(1), name)
	l.ip("netns", "add", ns)
	l.t.Cleanup(func() { l.ip("netns", "del", ns) })
	l.ip("-n", ns, "link", "set", "lo", "up")
	return ns
}

// wire is a switch: a bridge in a namespace of its own.
func (l *lab) wire() string {
	l.t.Helper()
	ns := l.host("sw")
	l.ip("-n", ns, "link", "add", "br0", "type", "bridge")
	l.ip("-n", ns, "link", "set", "br0", "up")
	return ns
}

// plug connects a host to a switch; addr such as "10.9.0.1/24" may be empty.
func (l *lab) plug(ns, dev, wire, addr string) {
	l.t.Helper()
	l.ports++
	port := fmt.Sprintf("p%d", l.ports)
	l.ip("link", "add", dev, "netns", ns, "type", "veth", "peer", "name", port, "netns", wire)
	l.ip("-n", wire, "link", "set", port, "master", "br0", "up")
	l.ip("-n", ns, "link", "set", dev, "up")
	if addr != "" {
		l.ip("-n", ns, "addr", "add", addr, "dev", dev)
	}
}

// mac is the hardware address of a host's interface.
func (l *lab) mac(ns, dev string) phone.MAC {
	l.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", ns, "cat", "/sys/class/net/"+dev+"/address").Output()
	if err != nil {
		l.t.Fatal(err)
	}
	m, err := phone.ParseMAC(strings.TrimSpace(string(out)))
	if err != nil {
		l.t.Fatal(err)
	}
	return m
}

// proc is a program running in a namespace; its output comes line by line.
type proc struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines chan string
	ended chan struct{}
}

// run starts a program; it is stopped when the test ends at the latest.
func (l *lab) run(ns string, env []string, name string, args ...string) *proc {
	l.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns, name}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, in, err := os.Pipe()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	_ = in.Close()
	p := &proc{t: l.t, name: filepath.Base(name), cmd: cmd, lines: make(chan string, 4096), ended: make(chan struct{})}
	go p.read(out)
	go func() { _ = cmd.Wait(); close(p.ended) }()
	l.t.Cleanup(p.stop)
	return p
}

func (p *proc) read(r io.ReadCloser) {
	defer close(p.lines)
	defer func() { _ = r.Close() }()
	for s := bufio.NewScanner(r); s.Scan(); {
		p.lines <- s.Text()
	}
}

// line waits for a line with text in it.
func (p *proc) line(text string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case s, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended before %q", p.name, text)
			}
			p.t.Logf("%s: %s", p.name, s)
			if strings.Contains(s, text) {
				return s
			}
		case <-deadline:
			p.t.Fatalf("%s: no %q in %v", p.name, text, patience)
		}
	}
}

func (p *proc) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// wait waits for the end of the program.
func (p *proc) wait() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
}

func (p *proc) stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	for range p.lines { // until the pipe is closed
	}
}

// told is what a client's script was told, by the client's own names.
type told map[string]string

// script writes the script of udhcpc or dhclient: it puts the address on the
// interface and prints what it was told as one line.
func script(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	body := `#!/bin/sh
act=${1:-$reason}
case "$act" in
bound|renew) ip addr replace "$ip/$mask" dev "$interface" ;;
BOUND|RENEW|REBIND|REBOOT) ip addr replace "$new_ip_address/24" dev "$interface" ;;
esac
echo "told act=$act|$(env | grep -E '^(ip|subnet|mask|siaddr|boot_file|sname|bootfile|tftp|opt[0-9]+|lease|serverid|router|dns|ntpsrv|message|sipsrv|timezone|vlanid|new_[a-z0-9_]+)=' | tr '\n' '|')"
exit 0
`
	if err := os.WriteFile(path, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// told waits for the script to be called with act and returns its environment.
func (p *proc) told(act string) told {
	p.t.Helper()
	m := told{}
	for f := range strings.SplitSeq(p.line("told act="+act+"|"), "|") {
		if k, v, ok := strings.Cut(f, "="); ok {
			m[k] = v
		}
	}
	return m
}

// udhcpc starts busybox's client with vendor class and requested options. It
// stays in the foreground; SIGUSR1 makes it renew, SIGUSR2 release.
func (l *lab) udhcpc(ns, dev, class string, opts ...string) *proc {
	l.t.Helper()
	args := []string{"-i", dev, "-f", "-V", class, "-s", script(l.t), "-t", "3", "-T", "2", "-A", "2"}
	for _, o := range opts {
		if strings.HasPrefix(o, "-") {
			args = append(args, strings.Fields(o)...)
			continue
		}
		args = append(args, "-O", o)
	}
	return l.run(ns, nil, testkit.Need(l.t, "udhcpc"), args...)
}

// dhclient starts ISC's client in the foreground with a folder of its own.
func (l *lab) dhclient(ns, dev, dir, class string) *proc {
	l.t.Helper()
	conf := filepath.Join(dir, "dhclient.conf")
	body := fmt.Sprintf(`
option tftp-servers code 150 = array of ip-address;
option boot-server code 160 = text;
send vendor-class-identifier %q;
request subnet-mask, routers, domain-name-servers, tftp-server-name, tftp-servers, boot-server, ntp-servers;
timeout 20;
retry 2;
initial-interval 1;
reboot 2;
`, class)
	if err := os.WriteFile(conf, []byte(body), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return l.run(ns, nil, testkit.Need(l.t, "dhclient"), "-4", "-d", "-v", "-cf", conf, "-sf", script(l.t),
		"-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), dev)
}

// helperOptions is what a server in a namespace is started with.
type helperOptions struct {
	Mode        Mode
	Interfaces  []string
	Facts       Facts
	First, Last string
	Router      string
	LeaseTime   time.Duration
	Everybody   bool   // not phones only
	Store       string // file of the leases
	Poll        time.Duration
}

// Set in the environment, these make the test binary another program.
const (
	helperEnv = "DIALTONE_TEST_DHCPD"
	askEnv    = "DIALTONE_TEST_DHCP_ASK"
)

// serve starts the server in a namespace, by running this test binary again.
func (l *lab) serve(ns string, o helperOptions) *proc {
	l.t.Helper()
	p := l.tryServe(ns, o)
	p.line("ready")
	return p
}

func (l *lab) tryServe(ns string, o helperOptions) *proc {
	l.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.run(ns, []string{helperEnv + "=" + string(b)}, os.Args[0])
}

// question is a datagram to send from a namespace.
type question struct {
	Dev, From, To string
	Packet        []byte
}

// ask sends a datagram until a reply comes and returns that.
func (l *lab) ask(ns, dev, from, to string, packet []byte) *dhcpv4.DHCPv4 {
	l.t.Helper()
	b, err := json.Marshal(question{Dev: dev, From: from, To: to, Packet: packet})
	if err != nil {
		l.t.Fatal(err)
	}
	_, text, _ := strings.Cut(l.run(ns, []string{askEnv + "=" + string(b)}, os.Args[0]).line("reply "), "reply ")
	raw, err := hex.DecodeString(text)
	if err != nil {
		l.t.Fatal(err)
	}
	pkt, err := dhcpv4.FromBytes(raw)
	if err != nil {
		l.t.Fatal(err)
	}
	return pkt
}

// event waits for a timeline entry with the outcome and a detail that has text.
func (p *proc) event(typ, outcome, text string) phone.Event {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		var ev phone.Event
		s := p.line(`"kind":"dhcp"`)
		if err := json.Unmarshal([]byte(s), &ev); err != nil {
			p.t.Fatalf("event %q: %v", s, err)
		}
		if ev.Path == typ && ev.Outcome == outcome && strings.Contains(ev.Detail, text) {
			return ev
		}
	}
	p.t.Fatalf("no event %s %s %q", typ, outcome, text)
	return phone.Event{}
}
