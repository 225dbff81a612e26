package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGTERM ends the server with exit code 0 in less than ten seconds, with a
// call and a download under way or not.
func TestTerm(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, text := d.raw("GET", path, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	began := time.Now()
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Errorf("ended with %v\n%s", err, d.log)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// A second start with the same data keeps key, CA and inventory.
func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	d.phone("001565aabb01", "T46S", "101")
	ca, err := os.ReadFile(filepath.Join(d.dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	_, auth, password := rendered(t, d, "001565aabb01")
	key := d.key
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.start()
	if d.key != key {
		t.Error("another admin key")
	}
	if again, err := os.ReadFile(filepath.Join(d.dir, "tls", "ca.pem")); err != nil || string(again) != string(ca) {
		t.Error("another CA", err)
	}
	if _, a, p := rendered(t, d, "001565aabb01"); a != auth || p != password {
		t.Error("other credentials")
	}
}

// A port that is taken is an error that names the listener, before anything serves.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	args := append([]string{"serve", "--data_dir", t.TempDir()}, loopback()...)
	out, err := exec.Command(binary, append(args, "--http.listen", l.Addr().String())...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "http: ") || strings.Contains(string(out), "\nready") {
		t.Errorf("%v: %s", err, out)
	}
}

// The mistakes of a configuration are told, and end the program with code 1.
func TestCheck(t *testing.T) {
	t.Parallel()
	good := writeFile(t, filepath.Join(t.TempDir(), "good.yaml"), "sip: {max_contacts: 3}\n")
	bad := writeFile(t, filepath.Join(t.TempDir(), "bad.yaml"), "sip: {max_contact: 3}\n")
	if out, err := exec.Command(binary, "check", "--config", good).CombinedOutput(); err != nil {
		t.Errorf("good: %v %s", err, out)
	}
	if out, err := exec.Command(binary, "check", "--config", bad).CombinedOutput(); err == nil || !strings.Contains(string(out), "sip.max_contact") {
		t.Errorf("bad: %v %s", err, out)
	}
	example, err := exec.Command(binary, "example").Output()
	if err != nil {
		t.Fatal(err)
	}
	name := writeFile(t, filepath.Join(t.TempDir(), "example.yaml"), string(example))
	if out, err := exec.Command(binary, "check", "--config", name).CombinedOutput(); err != nil {
		t.Errorf("example: %v %s", err, out)
	}
}

// SIGHUP reloads; a certificate that is broken changes nothing.
func TestHUP(t *testing.T) {
	t.Parallel()
	d := serve(t)
	name := filepath.Join(d.dir, "tls", "server.pem")
	if err := os.WriteFile(name, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, 5*time.Second, "a word about the reload", func() bool { return strings.Contains(d.log.String(), "reload") })
	macs := deskPhones(d)
	if fetchers(t, d)["https"](macs["yealink"]+".cfg") == nil {
		t.Error("https stopped working after a bad reload")
	}
}

// Keys can be made, listed and revoked while the server runs.
func TestKeyCommand(t *testing.T) {
	t.Parallel()
	d := serve(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(binary, append(append([]string{"key"}, args...), "--data_dir", d.dir)...).CombinedOutput()
		if err != nil {
			t.Fatalf("key %v: %v %s", args, err, out)
		}
		return string(out)
	}
	admin := d.key
	d.key = strings.TrimSpace(run("create", "--name", "reader", "--scopes", "pbx:phones:read"))
	if status, text := d.raw("GET", "/v1/pbx/phones", nil); status != http.StatusOK {
		t.Errorf("with the new key: %d %s", status, text)
	}
	if status, _ := d.raw("POST", "/v1/pbx/extensions", map[string]string{"number": "101"}); status != http.StatusForbidden {
		t.Errorf("beyond its scope: %d", status)
	}
	id := ""
	for line := range strings.Lines(run("list")) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "reader" {
			id = f[0]
		}
	}
	run("revoke", id)
	eventually(t, 15*time.Second, "401 after the key was revoked", func() bool {
		status, _ := d.raw("GET", "/v1/pbx/phones", nil)
		return status == http.StatusUnauthorized
	})
	d.key = admin
	if status, _ := d.raw("GET", "/v1/pbx/phones", nil); status != http.StatusOK {
		t.Errorf("the admin key: %d", status)
	}
}
