package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// The addresses of the two ends of a Lab.
const (
	LabServer = "198.18.0.1"
	LabRelay  = "198.18.0.2"
	// The pool that every server gives: room for 10 000 clients and more.
	labFirst, labLast = "198.18.16.0", "198.18.250.255"
)

// Lab is two network namespaces with a cable between them: a DHCP server in one, a
// relay in the other. It needs root.
type Lab struct{ server, relay, dev string }

// NewLab makes the namespaces; Close removes them.
func NewLab(ctx context.Context) (*Lab, error) {
	id := fmt.Sprint(os.Getpid())
	l := &Lab{server: "dbs" + id, relay: "dbr" + id, dev: "dbs0"}
	for _, args := range [][]string{
		{"netns", "add", l.server},
		{"netns", "add", l.relay},
		{"link", "add", l.dev, "netns", l.server, "type", "veth", "peer", "name", "dbr0", "netns", l.relay},
		{"-n", l.server, "addr", "add", LabServer + "/16", "dev", l.dev},
		{"-n", l.relay, "addr", "add", LabRelay + "/16", "dev", "dbr0"},
		{"-n", l.server, "link", "set", "lo", "up"},
		{"-n", l.server, "link", "set", l.dev, "up"},
		{"-n", l.relay, "link", "set", "dbr0", "up"},
	} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			l.Close()
			return nil, fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return l, nil
}

// Close removes the namespaces.
func (l *Lab) Close() {
	for _, ns := range []string{l.server, l.relay} {
		_ = exec.CommandContext(context.Background(), "ip", "netns", "del", ns).Run() // best effort
	}
}

// Relay is the socket of a relay, port 67 in its namespace.
func (l *Lab) Relay() (*net.UDPConn, error) {
	var conn *net.UDPConn
	err := inNamespace(l.relay, func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(LabRelay), Port: 67})
		return err
	})
	return conn, err
}

// inNamespace runs do in a network namespace; sockets stay where they were opened.
func inNamespace(name string, do func() error) error {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer here.Close()
	there, err := os.Open("/var/run/netns/" + name)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = do()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// start runs a server in the namespace and waits for port 67.
func (l *Lab) start(ctx context.Context, core int, name string, args ...string) (*Process, error) {
	p, err := Start(ctx, core, "ip", append([]string{"netns", "exec", l.server, name}, args...)...)
	if err != nil {
		return nil, err
	}
	p.Name = filepath.Base(name)
	return p, await(p, func() bool {
		taken := false
		err := inNamespace(l.server, func() error {
			c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 67})
			if err != nil {
				taken = true
				return nil
			}
			return c.Close()
		})
		return err == nil && taken
	})
}

// Dialtone starts our server in lease mode, leases durable.
func (l *Lab) Dialtone(ctx context.Context, core int, binary, dir string) (*Process, error) {
	return l.start(ctx, core, binary, "serve", "--data_dir", filepath.Join(dir, "data"), "--advertise", LabServer,
		"--https.listen", "off", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off", "--log.level", "error",
		"--dhcp.mode", "lease", "--dhcp.interface", l.dev, "--dhcp.range", labFirst+"-"+labLast)
}

// Kea starts Kea with a lease file, which it does not sync, single-threaded: the
// fastest peer of BASELINES.md.
func (l *Lab) Kea(ctx context.Context, core int, dir string) (*Process, error) {
	conf := fmt.Sprintf(`{"Dhcp4": {
 "interfaces-config": {"interfaces": ["%s/%s"], "dhcp-socket-type": "udp"},
 "lease-database": {"type": "memfile", "persist": true, "name": "%s/leases.csv"},
 "multi-threading": {"enable-multi-threading": false},
 "dhcp-ddns": {"enable-updates": false}, "valid-lifetime": 43200,
 "client-classes": [{"name": "phones", "test": "substring(option[60].hex,0,7) == 'yealink'",
  "option-data": [{"name": "tftp-server-name", "data": "http://%s:8081/"}, {"name": "boot-file-name", "data": "x.boot"}]}],
 "subnet4": [{"subnet": "198.18.0.0/16", "pools": [{"pool": "%s - %s"}]}],
 "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "stderr"}]}]}}`,
		l.dev, LabServer, dir, LabServer, labFirst, labLast)
	path := filepath.Join(dir, "kea.json")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return l.start(ctx, core, "env", "KEA_PIDFILE_DIR="+dir, "KEA_LOCKFILE_DIR="+dir, "KEA_DHCP_DATA_DIR="+dir, "/usr/sbin/kea-dhcp4", "-c", path)
}

// Dnsmasq starts dnsmasq without its lease file, which is its fastest form.
func (l *Lab) Dnsmasq(ctx context.Context, core int) (*Process, error) {
	return l.start(ctx, core, "/usr/sbin/dnsmasq", "-k", "-u", "root", "--port=0", "--conf-file=/dev/null", "--pid-file=", "--interface="+l.dev, "--bind-interfaces",
		"--dhcp-range="+labFirst+","+labLast+",255.255.0.0,12h", "--dhcp-lease-max=60000", "--no-ping", "--dhcp-authoritative", "--leasefile-ro", "--quiet-dhcp",
		"--dhcp-vendorclass=set:phone,yealink", "--dhcp-option=tag:phone,66,http://"+LabServer+":8081/", "--dhcp-option=tag:phone,67,x.boot")
}
