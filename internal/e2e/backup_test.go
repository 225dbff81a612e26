package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A backup of a running server, restored elsewhere, is the same server: its keys,
// phones, passwords and certificate authority.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	d := serve(t)
	made := d.extension("101", "Front Desk")
	d.phone("00:15:65:aa:bb:01", "T46S", "101")
	file := filepath.Join(t.TempDir(), "dialtone.tar.gz")
	run := func(args ...string) {
		if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	run("backup", "--data_dir", d.dir, "--to", file)
	d.extension("102", "Made after the backup")
	if out, err := exec.Command(binary, "restore", "--data_dir", d.dir, "--from", file).CombinedOutput(); err == nil {
		t.Errorf("restored over a data directory in use: %s", out)
	}

	other := &daemon{t: t, dir: filepath.Join(t.TempDir(), "data"), args: loopback()}
	run("restore", "--data_dir", other.dir, "--from", file)
	other.start()
	if other.key != d.key {
		t.Error("the restored server has another admin key")
	}
	if list := other.phones(""); len(list) != 1 || list[0].MAC != "00:15:65:AA:BB:01" {
		t.Errorf("phones %+v", list)
	}
	if status, answer := other.raw("GET", "/v1/pbx/extensions/102", nil); status != 404 {
		t.Errorf("what came after the backup: %d %s", status, answer)
	}
	p := newRawPhone(t, other.addr["sip.udp"])
	if answer := p.register("101", made.SIPUsername, made.SIPPassword, "restored", 600); !strings.HasPrefix(answer, "SIP/2.0 200") {
		t.Errorf("REGISTER with the password from before the backup: %s", answer)
	}
	a, b := caOf(t, d.dir), caOf(t, other.dir)
	if a == "" || a != b {
		t.Error("the restored server has another certificate authority")
	}
	other.kill(syscall.SIGTERM)
}

func caOf(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("cat", filepath.Join(dir, "tls", "ca.pem")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
