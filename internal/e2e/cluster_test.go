package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory/pgtest"
	"pbx.dev/dialtone/internal/testkit"
)

// postgres is the server of all tests here that need one.
var postgres = &pgtest.Server{}

// serveCluster starts two nodes that share everything: a PostgreSQL database, a
// Redis and the master key.
func serveCluster(t testing.TB, args ...string) (one, two *daemon) {
	t.Helper()
	redis, _ := startRedis(t)
	return serveClusterAt(t, redis, args...)
}

// serveClusterAt is serveCluster with a Redis that runs already.
func serveClusterAt(t testing.TB, redis string, args ...string) (one, two *daemon) {
	t.Helper()
	args = append([]string{"--database.url", postgres.URL(t), "--redis.url", redis, "--sip.node_listen", "127.0.0.1:0"}, args...)
	one = serve(t, append(args, "--node", "one")...)
	two = one.sibling(append(args, "--node", "two")...)
	two.start()
	return one, two
}

// sibling is another node, not started yet, with the keys of this one.
func (d *daemon) sibling(args ...string) *daemon {
	d.t.Helper()
	other := &daemon{t: d.t, dir: d.t.TempDir(), args: append(loopback(), args...)}
	for _, name := range []string{"secret.key", "admin.key"} {
		text, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil {
			d.t.Fatal(err)
		}
		writeFile(d.t, filepath.Join(other.dir, name), string(text))
	}
	return other
}

// soon waits until ok holds and logs how long after the call that was.
func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	start := time.Now()
	eventually(t, 15*time.Second, what, ok)
	t.Logf("%s after %v", what, time.Since(start).Round(10*time.Millisecond))
}

// TestNodesNeedNoSettings: two nodes that are told of one database and one Redis, and
// nothing else, have names of their own and ring each other's phones.
func TestNodesNeedNoSettings(t *testing.T) {
	t.Parallel()
	redis, cli := startRedis(t)
	args := []string{"--database.url", postgres.URL(t), "--redis.url", redis}
	one := serve(t, args...)
	desk, caller := one.extension("101", "Desk"), one.extension("102", "Caller")
	a := startBaresip(t, "a", one.addr["sip.tcp"], "tcp", "101", desk.SIPUsername, desk.SIPPassword)
	a.registered()
	two := one.sibling(args...)
	two.start() // and must not take the phone's connection for one of its own from before
	c := startBaresip(t, "caller", two.addr["sip.tcp"], "tcp", "102", caller.SIPUsername, caller.SIPPassword)
	c.registered()
	eventually(t, 10*time.Second, "two signs of life", func() bool {
		return len(strings.Fields(cli("--scan", "--pattern", "dialtone:node:*"))) == 2
	})
	for _, d := range []*daemon{one, two} {
		eventually(t, 10*time.Second, "both know both phones", func() bool {
			return len(d.contactList("101")) == 1 && len(d.contactList("102")) == 1
		})
	}
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	a.do("accept", "")
	c.await("CALL_ESTABLISHED")
	c.do("hangup", "")
	a.await("CALL_CLOSED")
}

// kinds are the kinds of the events on a phone's timeline.
func (d *daemon) kinds(id string) string {
	d.t.Helper()
	var timeline struct{ Events []struct{ Kind string } }
	if status := d.call("GET", "/v1/pbx/phones/"+id+"/timeline", nil, &timeline); status != http.StatusOK {
		d.t.Fatalf("timeline: %d", status)
	}
	return fmt.Sprint(timeline.Events)
}

// TestNodesShareTheInventory: a phone fetches its file from one node and registers at
// the other; both list it, with the timeline of both, and what an administrator
// changes at one is what phones get from the other.
func TestNodesShareTheInventory(t *testing.T) {
	t.Parallel()
	one, two := serveCluster(t)
	const mac = "001565aabb01"
	one.extension("101", "Front Desk")
	p := two.phone(mac, "T46S", "101")
	fileOf := func(d *daemon) string {
		out, err := exec.Command(testkit.Need(t, "curl"), "-sS", "--fail", "http://"+d.addr["http"]+"/"+mac+".cfg").CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	soon(t, "the phone of one node at the other", func() bool { return len(one.phones("macAddress="+mac)) == 1 })
	user, auth, password := rendered(t, one, mac)
	if err := sippRegister(t, two.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-T46S 66.86.0.15", 600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*daemon{one, two} {
		soon(t, "registered at both", func() bool {
			l := d.phones("macAddress=" + mac)
			return len(l) == 1 && l[0].Registered && l[0].MatchedBy == "sipUser" && l[0].State == "registered"
		})
		soon(t, "the timeline at both", func() bool {
			k := d.kinds(p.ID)
			return strings.Contains(k, "file") && strings.Contains(k, "register")
		})
	}

	changeTemplates(t, one, func() string { return fileOf(two) })
	if heard := sample(two.metrics(), `dialtone_inventory_heard_seconds_bucket{le="1"}`); heard == 0 {
		t.Error("nothing was heard within a second")
	}

	if status, text := two.raw("PATCH", "/v1/pbx/phones/"+p.ID, `{"settings":{"timezone":"Asia/Tokyo"},"site":"Attic"}`); status != http.StatusOK {
		t.Fatalf("patch: %d %s", status, text)
	}
	soon(t, "the phone's setting at the other", func() bool { return strings.Contains(fileOf(one), "= +9") })
	if status, text := two.raw("PATCH", "/v1/pbx/extensions/101", `{"name":"Reception"}`); status != http.StatusOK {
		t.Fatalf("patch: %d %s", status, text)
	}
	soon(t, "the extension's name at the other", func() bool {
		l := one.phones("macAddress=" + mac)
		return l[0].ExtensionName == "Reception" && strings.Contains(fileOf(one), "Reception")
	})
	if status, text := two.raw("DELETE", "/v1/pbx/phones/"+p.ID, nil); status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", status, text)
	}
	soon(t, "the phone is gone at the other", func() bool {
		status, _ := one.fetch("http://" + one.addr["http"] + "/" + mac + ".cfg")
		return status == "404"
	})
	for _, d := range []*daemon{one, two} {
		soon(t, "its contact is gone", func() bool { return len(d.contactList("101")) == 0 })
	}
}

// changeTemplates changes a template at a node several times, and logs how long after the
// answer its phones at another node got it. "Within a second" holds when it does at one
// of them: the others may have met a machine that is busy with something else.
func changeTemplates(t *testing.T, at *daemon, file func() string) {
	t.Helper()
	const many = 5
	took := make([]time.Duration, 0, many)
	await := func(ok func(text string) bool) {
		t.Helper()
		start := time.Now()
		eventually(t, 15*time.Second, "the template at the other", func() bool { return ok(file()) })
		took = append(took, time.Since(start))
	}
	for i := range many {
		mine := fmt.Sprintf("#!version:1.0.0.1\nphone_setting.lcd_logo.mode = %d\n{{range .Lines}}account.{{.Number}}.password = {{.Password}}\n{{end}}", i)
		if status, text := at.raw("PUT", "/v1/pbx/templates/yealink-phone", map[string]any{"content": mine}); status != http.StatusOK {
			t.Fatalf("template: %d %s", status, text)
		}
		await(func(text string) bool { return strings.Contains(text, fmt.Sprintf("lcd_logo.mode = %d", i)) })
	}
	if status := at.call("DELETE", "/v1/pbx/templates/yealink-phone", nil, nil); status != http.StatusNoContent {
		t.Fatalf("delete the template: %d", status)
	}
	await(func(text string) bool { return !strings.Contains(text, "lcd_logo") })
	slices.Sort(took)
	t.Logf("a template at the other node: %v to %v after the answer, half of them within %v", took[0], took[len(took)-1], took[len(took)/2])
	if took[0] > time.Second {
		t.Errorf("no change was at the other node within a second: %v", took)
	}
}

// sample is the value of a metric.
func sample(metrics, name string) float64 {
	_, rest, _ := strings.Cut(metrics, "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	v, _ := strconv.ParseFloat(line, 64)
	return v
}

// TestNodeDies: calls ring over the flows of both nodes; when one is killed, who is at
// the other goes on, and who was only there is not waited for.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	one, two := serveCluster(t)
	desk, caller, far := one.extension("101", "Desk"), one.extension("102", "Caller"), two.extension("103", "Far")
	a := startBaresip(t, "a", one.addr["sip.tcp"], "tcp", "101", desk.SIPUsername, desk.SIPPassword)
	b := startBaresip(t, "b", two.addr["sip.tcp"], "tcp", "101", desk.SIPUsername, desk.SIPPassword)
	c := startBaresip(t, "caller", one.addr["sip.udp"], "udp", "102", caller.SIPUsername, caller.SIPPassword)
	d := startBaresip(t, "far", two.addr["sip.tcp"], "tcp", "103", far.SIPUsername, far.SIPPassword)
	for _, p := range []*baresip{a, b, c, d} {
		p.registered()
	}
	for _, n := range []*daemon{one, two} {
		soon(t, "each node knows all contacts", func() bool { return len(n.contactList("101")) == 2 && len(n.contactList("103")) == 1 })
	}
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	b.do("accept", "")
	c.await("CALL_ESTABLISHED")
	a.await("CALL_CLOSED")
	c.do("hangup", "")
	b.await("CALL_CLOSED")

	_ = two.kill(syscall.SIGKILL)
	c.forget()
	start := time.Now()
	c.do("dial", "sip:103@pbx.dev")
	c.await("CALL_CLOSED")
	t.Logf("a call to a phone of the dead node ended after %v", time.Since(start).Round(10*time.Millisecond))
	if !strings.Contains(c.log.String(), "480 ") {
		t.Errorf("not ended with 480:\n%s", tail([]byte(c.log.String())))
	}
	a.forget()
	c.forget()
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	a.do("accept", "")
	c.await("CALL_ESTABLISHED")
	c.do("hangup", "")
	a.await("CALL_CLOSED")
}

// TestOtherMasterKey: a node whose key is not that of the database does not start,
// says what to do, and leaves no key behind that looks like the right one; with the
// key it starts, in data_dir or as a file elsewhere.
func TestOtherMasterKey(t *testing.T) {
	t.Parallel()
	url := postgres.URL(t)
	one := serve(t, "--database.url", url)
	dir := t.TempDir()
	args := append([]string{"serve", "--data_dir", dir, "--database.url", url}, loopback()...)
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "copy their secret.key") || strings.Contains(string(out), "ready") {
		t.Errorf("with an empty data_dir: %v\n%s", err, out)
	}
	name := filepath.Join(dir, "secret.key")
	if _, err := os.Stat(name); err == nil {
		t.Error("the useless key is still there")
	}
	wrong := writeFile(t, name, strings.Repeat("ab", 32))
	out, err = exec.Command(binary, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another master key") {
		t.Errorf("with another key: %v\n%s", err, out)
	}
	if _, err := os.Stat(wrong); err != nil {
		t.Errorf("a key that somebody put there is gone: %v", err)
	}
	two := one.sibling("--database.url", url, "--node", "two", "--master_key_file", filepath.Join(one.dir, "secret.key"))
	if err := os.Remove(filepath.Join(two.dir, "secret.key")); err != nil {
		t.Fatal(err)
	}
	two.start()
	one.extension("101", "Desk")
	two.phone("001565aabb01", "T46S", "101")
	rendered(t, one, "001565aabb01")
	if _, err := os.Stat(filepath.Join(two.dir, "secret.key")); err == nil {
		t.Error("a key was made although one is given")
	}
}

// TestJobsOfADeadNode: a job whose node was killed is taken over and ends in a clear
// state.
func TestJobsOfADeadNode(t *testing.T) {
	t.Parallel()
	one, two := serveCluster(t, "--database.takeover", "3s")
	one.extension("101", "Desk")
	p := one.phone("001565aabb01", "T46S", "101")
	_, auth, password := rendered(t, one, "001565aabb01")
	desk := newRawPhone(t, two.addr["sip.udp"])
	if got := desk.register("101", auth, password, "desk", 3600); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Fatal(got)
	}
	for _, d := range []*daemon{one, two} {
		soon(t, "registered at both", func() bool { return len(d.phones("registered=true")) == 1 })
	}
	j := two.startJob("/v1/pbx/phones/"+p.ID+"/resync", `{"timeoutSeconds":8}`)
	_ = two.kill(syscall.SIGKILL)
	eventually(t, time.Minute, "the job has ended at the survivor", func() bool {
		return one.call("GET", "/v1/pbx/jobs/"+j.ID, nil, &j) == http.StatusOK && j.EndedAt != ""
	})
	if j.State != "no-answer" || j.Counts.Failed != 1 {
		t.Errorf("%+v", j)
	}
	if !strings.Contains(one.log.String(), "jobs of a node that is silent are taken over") {
		t.Errorf("nothing was taken over:\n%s", one.log)
	}
}
