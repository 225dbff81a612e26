package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/simphone/fleet"
	"pbx.dev/dialtone/internal/testkit"
)

// officeIP is the one address of both nodes: wherever the desk's route to it leads.
const officeIP = "10.9.9.9"

// branch is a desk that has a cable to each of two nodes.
type branch struct {
	t    *testing.T
	desk string
	node [2]string // namespaces
}

func newBranch(t *testing.T) *branch {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.Need(t, "ip")
	id := fmt.Sprintf("%d-%d", os.Getpid(), lanCount.Add(1))
	b := &branch{t: t, desk: "dtb" + id, node: [2]string{"dt1" + id, "dt2" + id}}
	t.Cleanup(func() {
		for _, ns := range []string{b.desk, b.node[0], b.node[1]} {
			_ = exec.Command("ip", "netns", "del", ns).Run()
		}
	})
	b.ip("netns add " + b.desk)
	b.ip("-n " + b.desk + " link set lo up")
	b.ip("-n " + b.desk + " addr add 10.9.0.5/32 dev lo")
	for i, ns := range b.node {
		dev := fmt.Sprint("eth", i)
		b.ip("netns add " + ns)
		b.ip("-n " + ns + " link set lo up")
		b.ip("-n " + ns + " addr add " + officeIP + "/32 dev lo")
		b.ip("-n " + ns + " link add lan0 type veth peer name " + dev + " netns " + b.desk)
		b.ip("-n " + ns + fmt.Sprintf(" addr add 10.9.%d.1/24 dev lan0", i+1))
		b.ip("-n " + ns + " link set lan0 up")
		b.ip("-n " + b.desk + fmt.Sprintf(" addr add 10.9.%d.2/24 dev %s", i+1, dev))
		b.ip("-n " + b.desk + " link set " + dev + " up")
		b.ip("-n " + ns + fmt.Sprintf(" route add default via 10.9.%d.2", i+1))
	}
	if out, err := exec.Command("ip", "netns", "exec", b.desk, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	b.lead(0)
	return b
}

func (b *branch) ip(args string) {
	b.t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		b.t.Fatalf("ip %s: %v %s", args, err, out)
	}
}

// lead moves the address to a node.
func (b *branch) lead(node int) {
	b.t.Helper()
	b.ip(fmt.Sprintf("-n %s route replace %s/32 via 10.9.%d.1 src 10.9.0.5", b.desk, officeIP, node+1))
}

// importCSV imports what write makes.
func (d *daemon) importCSV(what string, write func(io.Writer, int) error, size int) {
	d.t.Helper()
	var text bytes.Buffer
	if err := write(&text, size); err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.addr["admin"]+"/v1/pbx/"+what+"/import", &text)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("import %s: %v %s %s", what, err, res.Status, answer)
	}
}

// TestOneAddress: an office of phones knows one address, which two nodes serve in turn.
// The node that has it is killed and the address moves: every phone goes on at the other
// with its next try, none is ever gone from the list, and new ones boot there.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	const size, expires = 30, 16
	b := newBranch(t)
	redis, cli := startRedis(t)
	shared := []string{"--database.url", postgres.URL(t), "--redis.url", redis, "--sip.min_expires", "2", "--sip.default_expires", fmt.Sprint(expires), "--sip.max_expires", fmt.Sprint(expires)}
	desk := serve(t, append(shared, "--node", "desk")...) // where the administrator is
	desk.importCSV("extensions", fleet.WriteExtensions, 2*size)
	desk.importCSV("phones", fleet.WritePhones, 2*size)
	var nodes [2]*daemon
	for i := range nodes {
		own := fmt.Sprintf("10.9.%d.1:0", i+1)
		d := desk.sibling(append(shared, "--node", fmt.Sprint("node", i), "--sip.node_listen", own)...)
		d.netns = b.node[i]
		d.args = append(d.args, "--advertise", officeIP, "--sip.server", officeIP, "--http.listen", officeIP+":8081", "--sip.udp", officeIP+":5060")
		d.start()
		nodes[i] = d
	}
	registered := func() int {
		var stats struct{ Stats struct{ Registered int } }
		desk.call("GET", "/v1/pbx/phones/stats", nil, &stats)
		return stats.Stats.Registered
	}
	boot := func(size int) *syncBuffer {
		out := &syncBuffer{}
		cmd := exec.Command("ip", "netns", "exec", b.desk, binary, "phone", "--fleet", fmt.Sprint(size), "--storm",
			"--server", "http://"+officeIP+":8081/", "--for", "5m")
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return out
	}
	at := func(node string) int {
		keys := strings.Fields(cli("--scan", "--pattern", "dialtone:*:contact:*"))
		if len(keys) == 0 {
			return 0
		}
		return strings.Count(cli(append([]string{"mget"}, keys...)...), `"node":"`+node+`"`)
	}
	first := boot(size)
	eventually(t, 60*time.Second, "the office is registered", func() bool { return registered() == size })

	start := time.Now()
	_ = nodes[0].kill(syscall.SIGKILL)
	b.lead(1)
	least := size
	eventually(t, 60*time.Second, "every phone has registered at the other node", func() bool {
		least = min(least, registered())
		return at("node1") == size
	})
	t.Logf("all %d phones were at the other node %v after the kill; of the list %d at least were registered", size, time.Since(start).Round(100*time.Millisecond), least)
	if least < size || registered() != size {
		t.Errorf("%d phones at least, %d now, want %d\n%s", least, registered(), size, first)
	}
	boot(2 * size) // those that are there already move to where they boot now
	eventually(t, 60*time.Second, "new phones boot at the other node", func() bool { return registered() == 2*size })
}
