package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// redisAt is a redis-server on a port of loopback.
type redisAt struct {
	t    *testing.T
	port string
	cmd  *exec.Cmd
}

// startRedisPort starts one; the arguments are those of redis-server.
func startRedisPort(t *testing.T, args ...string) *redisAt {
	t.Helper()
	r := &redisAt{t: t, port: strconv.Itoa(testkit.FreePort(t))}
	dir := t.TempDir()
	list := []string{"--port", r.port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes"}
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") { // a file of its own
		list = append([]string{args[0], "--port", r.port, "--bind", "127.0.0.1", "--dir", dir}, args[1:]...)
		args = nil
	}
	r.cmd = exec.Command(testkit.Need(t, "redis-server"), append(list, args...)...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	eventually(t, 15*time.Second, "redis-server", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return r
}

func (r *redisAt) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisAt) cli(args ...string) string {
	out, _ := exec.Command(testkit.Need(r.t, "redis-cli"), append([]string{"-p", r.port}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// registerAt registers a phone at a node.
func registerAt(t *testing.T, d *daemon, c credentials, contact string) {
	t.Helper()
	p := newRawPhone(t, d.addr["sip.udp"])
	if got := p.register(c.Number, c.SIPUsername, c.SIPPassword, contact, 3600); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Fatalf("register %s: %s", contact, got)
	}
}

// listedAt waits until all nodes list so many contacts of an extension.
func listedAt(t *testing.T, number string, n int, nodes ...*daemon) {
	t.Helper()
	for _, d := range nodes {
		soon(t, fmt.Sprintf("%d contacts of %s", n, number), func() bool { return len(d.contactList(number)) == n })
	}
}

// TestSentinelFailover: the master behind two nodes is killed and Sentinel makes the
// replica the master. What was acknowledged is there, phones go on at both nodes, and the
// events of both are in one stream again.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master := startRedisPort(t)
	replica := startRedisPort(t, "--replicaof", "127.0.0.1", master.port)
	conf := writeFile(t, filepath.Join(t.TempDir(), "sentinel.conf"), "sentinel monitor main 127.0.0.1 "+master.port+" 1\n"+
		"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n")
	sentinel := startRedisPort(t, conf, "--sentinel")
	eventually(t, 20*time.Second, "sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.cli("sentinel", "replicas", "main"), replica.port) && strings.Contains(replica.cli("info", "replication"), "master_link_status:up")
	})
	one, two := serveClusterAt(t, "redis+sentinel://127.0.0.1:"+sentinel.port+"/main")
	e := one.extension("101", "Desk")
	soon(t, "the extension at the other", func() bool { return len(two.contactList("101")) == 0 })
	registerAt(t, one, e, "desk1")
	registerAt(t, two, e, "desk2")
	listedAt(t, "101", 2, one, two)
	eventually(t, 10*time.Second, "both are at the replica", func() bool {
		return len(strings.Fields(replica.cli("--scan", "--pattern", "dialtone:*:contact:*"))) == 2
	})
	events := one.listen()

	master.kill()
	p := newRawPhone(t, two.addr["sip.udp"])
	start := time.Now()
	eventually(t, 60*time.Second, "a new phone registers again", func() bool {
		return strings.HasPrefix(p.register("101", e.SIPUsername, e.SIPPassword, "desk3", 3600), "SIP/2.0 200 ")
	})
	t.Logf("registrations are stored again %v after the master was killed", time.Since(start).Round(100*time.Millisecond))
	for _, d := range []*daemon{one, two} {
		eventually(t, 30*time.Second, "ready", func() bool {
			status, _ := d.raw(http.MethodGet, "/readyz", nil)
			return status == http.StatusOK
		})
	}
	listedAt(t, "101", 3, one, two)
	if got := len(strings.Fields(replica.cli("--scan", "--pattern", "dialtone:*:contact:*"))); got != 3 {
		t.Errorf("the new master has %d contacts", got)
	}
	eventually(t, 30*time.Second, "the stream of one node has what the other one did", func() bool {
		registerAt(t, two, e, "desk4")
		return strings.Contains(events.String(), "sip:desk4@")
	})
}

// TestRedisClusterOfTwoNodes: two nodes with a Redis Cluster of three share registrations
// and events; one is killed, and its phones register at the other.
func TestRedisClusterOfTwoNodes(t *testing.T) {
	t.Parallel()
	var hosts []string
	var first *redisAt
	for range 3 {
		r := startRedisPort(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(testkit.FreePort(t)))
		if first == nil {
			first = r
		}
		hosts = append(hosts, "127.0.0.1:"+r.port)
	}
	out := first.cli(append(append([]string{"--cluster", "create"}, hosts...), "--cluster-replicas", "0", "--cluster-yes")...)
	eventually(t, 30*time.Second, "the cluster: "+out, func() bool { return strings.Contains(first.cli("cluster", "info"), "cluster_state:ok") })
	one, two := serveClusterAt(t, "redis+cluster://"+strings.Join(hosts, ","))
	e := one.extension("101", "Desk")
	soon(t, "the extension at the other", func() bool {
		status, _ := two.raw("GET", "/v1/pbx/extensions/101", nil)
		return status == http.StatusOK
	})
	events := one.listen()
	registerAt(t, one, e, "desk1")
	registerAt(t, two, e, "desk2")
	listedAt(t, "101", 2, one, two)
	soon(t, "the stream of one node has what the other one did", func() bool { return strings.Contains(events.String(), "sip:desk2@") })
	_ = two.kill(syscall.SIGKILL)
	registerAt(t, one, e, "desk3")
	listedAt(t, "101", 3, one)
	two.start()
	listedAt(t, "101", 3, two)
}
