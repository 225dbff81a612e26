package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// script returns the shell block of the README that follows the marker.
func script(t *testing.T, marker string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- quickstart: " + marker + " -->\n```sh\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatalf("README.md has no quickstart block for %s", marker)
	}
	return string(m[1])
}

// The quickstart of the README works as it stands there, in a network of its own
// so that its ports are free, on a copy of the sources without any data.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	unshare, bash := testkit.Need(t, "unshare"), testkit.Need(t, "bash")
	dir := filepath.Join(t.TempDir(), "dialtone")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", "mkdir "+dir+" && cd "+root+" && tar c --exclude=./data --exclude=./bin --exclude=./.git . | tar x -C "+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// Terminal 2 starts when terminal 1 says ready; both share the namespace.
	both := "ip link set lo up\n" +
		"(" + script(t, "terminal 1") + ") > server.out 2> server.err &\n" +
		"for i in $(seq 600); do grep -qx ready server.out && break; sleep 0.2; done\n" +
		script(t, "terminal 2") + "\nkill %1; pkill -P $$ -x dialtone; exit 0\n"
	cmd := exec.Command(unshare, "--net", "--kill-child", bash, "-c", both)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(4*time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timeout.Stop()
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	go func() { w.CloseWithError(cmd.Wait()) }()
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), `"totalPhones"`) {
			break
		}
	}
	errs, _ := os.ReadFile(filepath.Join(dir, "server.err"))
	for _, want := range []string{
		`"sipUsername":"101_`, `fetch     http://127.0.0.1:8081/001565aabb01.cfg 200`, `register  line 1: 101@sip.pbx.dev 200`,
		`"macAddress":"00:15:65:AA:BB:01"`, `"registered":true`, `"model":"T46S"`, `"manufacturer":"Yealink"`, `"totalPhones":1`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s\nserver:\n%s", want, text.String(), errs)
			break
		}
	}
}
