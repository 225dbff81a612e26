package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// binary is the dialtone under test, built once by TestMain as a user would.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dialtone-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "dialtone")
	build := exec.Command("go", "build", "-o", binary, "pbx.dev/dialtone/cmd/dialtone")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if testkit.Race { // the daemon watches itself when the tests do, which needs cgo
		build = exec.Command("go", "build", "-race", "-o", binary, "pbx.dev/dialtone/cmd/dialtone")
	}
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		panic(err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// faults are what no test may make a daemon write, whatever else it is about: a race,
// or a panic, though the process has survived it.
var faults = regexp.MustCompile(`WARNING: DATA RACE|.*\bpanic\b.*stack=`)

// daemon is one running "dialtone serve" and a client of its API.
type daemon struct {
	t     testing.TB
	netns string // runs in this namespace; empty: here
	dir   string
	args  []string
	cmd   *exec.Cmd
	addr  map[string]string // listener name: address
	log   *syncBuffer
	key   string
}

// syncBuffer is a bytes.Buffer for a process that writes while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// loopback are the flags that keep a daemon on free loopback ports.
func loopback() []string {
	return []string{
		"--advertise", "127.0.0.1", "--sip.server", "127.0.0.1",
		"--admin.listen", "127.0.0.1:0", "--http.listen", "127.0.0.1:0", "--https.listen", "127.0.0.1:0", "--tftp.listen", "127.0.0.1:0",
		"--sip.udp", "127.0.0.1:0", "--sip.tcp", "127.0.0.1:0", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
	}
}

// serve starts a daemon with the loopback flags and args, waits for ready, and
// stops it when the test ends.
func serve(t testing.TB, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), args: append(loopback(), args...)}
	d.start()
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	args := append([]string{"serve", "--data_dir", d.dir}, d.args...)
	name := binary
	if d.netns != "" {
		name, args = "ip", append([]string{"netns", "exec", d.netns, binary}, args...)
	}
	d.cmd = exec.Command(name, args...)
	d.log = &syncBuffer{}
	d.cmd.Stderr = d.log
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	log := d.log // of this process; the next one has another
	d.t.Cleanup(func() {
		d.kill(syscall.SIGKILL)
		if fault := faults.FindString(log.String()); fault != "" {
			d.t.Errorf("the daemon wrote:\n%s\n%s", fault, log)
		}
	})
	d.awaitReady(out)
	key, err := os.ReadFile(filepath.Join(d.dir, "admin.key"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.key = strings.TrimSpace(string(key))
}

// awaitReady reads standard output: the line "ready", then the listener table
// up to an empty line.
func (d *daemon) awaitReady(out io.Reader) {
	d.t.Helper()
	d.addr = map[string]string{}
	timeout := time.AfterFunc(30*time.Second, func() { d.cmd.Process.Kill() })
	defer timeout.Stop()
	lines := bufio.NewScanner(out)
	ready := false
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case lines.Text() == "ready":
			ready = true
		case ready && len(fields) == 0:
			go io.Copy(io.Discard, out)
			return
		case ready && len(fields) == 3:
			d.addr[fields[0]] = fields[2]
		}
	}
	d.t.Fatalf("not ready: %v\n%s", d.cmd.Wait(), d.log)
}

// kill ends the process and returns how it ended.
func (d *daemon) kill(sig syscall.Signal) error {
	if d.cmd.ProcessState != nil {
		return nil
	}
	d.cmd.Process.Signal(sig)
	done := make(chan error, 1)
	go func() { done <- d.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(15 * time.Second):
		d.cmd.Process.Kill()
		return fmt.Errorf("did not stop in 15 s: %w", <-done)
	}
}

// call does one API request and decodes the answer into out (unless nil).
func (d *daemon) call(method, path string, body, out any) int {
	d.t.Helper()
	status, text := d.raw(method, path, body)
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			d.t.Fatalf("%s %s: %d %s: %v", method, path, status, text, err)
		}
	}
	return status
}

func (d *daemon) raw(method, path string, body any) (int, []byte) {
	d.t.Helper()
	status, text, err := d.try(method, path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	return status, text
}

// try is raw for a daemon that may be dead.
func (d *daemon) try(method, path string, body any) (int, []byte, error) {
	var in io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.addr["admin"]+path, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// credentials are what an extension was created with.
type credentials struct {
	Number      string `json:"number"`
	SIPUsername string `json:"sipUsername"`
	SIPPassword string `json:"sipPassword"`
}

func (d *daemon) extension(number, name string) credentials {
	d.t.Helper()
	var c credentials
	if status := d.call("POST", "/v1/pbx/extensions", map[string]string{"number": number, "name": name}, &c); status != http.StatusCreated {
		d.t.Fatalf("extension %s: %d", number, status)
	}
	return c
}

// listed is a phone as GET /v1/pbx/phones shows it.
type listed struct {
	ID              string `json:"id"`
	ExtensionNumber string `json:"extensionNumber"`
	ExtensionName   string `json:"extensionName"`
	DeviceType      string `json:"deviceType"`
	Manufacturer    string `json:"manufacturer"`
	Model           string `json:"model"`
	MAC             string `json:"macAddress"`
	IP              string `json:"ipAddress"`
	Registered      bool   `json:"registered"`
	LastRegistered  string `json:"lastRegistered"`
	UserAgent       string `json:"userAgent"`
	Firmware        string `json:"firmwareVersion"`
	State           string `json:"state"`
	MatchedBy       string `json:"matchedBy"`
}

func (d *daemon) phone(mac, model, extension string) listed {
	d.t.Helper()
	var p listed
	body := map[string]any{"macAddress": mac, "model": model, "lines": []any{map[string]any{"line": 1, "extensionNumber": extension}}}
	if status := d.call("POST", "/v1/pbx/phones", body, &p); status != http.StatusCreated {
		d.t.Fatalf("phone %s: %d", mac, status)
	}
	return p
}

func (d *daemon) phones(query string) []listed {
	d.t.Helper()
	var page struct {
		Phones []listed `json:"phones"`
	}
	if status := d.call("GET", "/v1/pbx/phones?"+query, nil, &page); status != http.StatusOK {
		d.t.Fatalf("list: %d", status)
	}
	return page.Phones
}

// eventually polls until ok holds, which a program outside the test brings about.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
