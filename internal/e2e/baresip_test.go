package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// baresip is a real softphone of somebody else, driven over its control socket.
type baresip struct {
	t    testing.TB
	name string
	conn net.Conn
	log  *syncBuffer

	mu     sync.Mutex
	events []string // types, in the order they came
}

// startBaresip starts one for extension number with the given digest user. It
// needs ports of its own choosing, which another test may take first: then it is
// started again with others.
func startBaresip(t testing.TB, name, proxy, transport, number, user, password string) *baresip {
	t.Helper()
	account := fmt.Sprintf("<sip:%s@pbx.dev;transport=%s>;auth_user=%s;auth_pass=%s;outbound=\"sip:%s;transport=%s\";regint=60;answermode=manual\n",
		number, transport, user, password, proxy, transport)
	b := &baresip{t: t, name: name}
	for range 3 {
		if b.launch(account) {
			t.Cleanup(func() { b.conn.Close() })
			go b.read()
			return b
		}
	}
	t.Fatalf("baresip %s does not start:\n%s", name, b.log)
	return nil
}

const baresipConfig = `module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module ctrl_tcp.so
ctrl_tcp_listen %s
sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
audio_source ausine,440
ausrc_srate 48000
ausrc_channels 2
audio_player aufile,out.wav
audio_alert aufile,alert.wav
ausrc_format s16
auplay_format s16
`

// launch starts the program once and reports whether its control socket came up.
func (b *baresip) launch(account string) bool {
	b.t.Helper()
	path, dir := testkit.Need(b.t, "baresip"), b.t.TempDir()
	control := net.JoinHostPort("127.0.0.1", strconv.Itoa(testkit.FreePort(b.t)))
	writeFile(b.t, filepath.Join(dir, "config"), fmt.Sprintf(baresipConfig, control, testkit.FreePort(b.t)))
	writeFile(b.t, filepath.Join(dir, "accounts"), account)
	writeFile(b.t, filepath.Join(dir, "contacts"), "")
	log := &syncBuffer{}
	b.log = log
	cmd := exec.Command(path, "-f", dir, "-v")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	b.t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if b.t.Failed() {
			b.t.Logf("baresip %s:\n%s", b.name, log)
		}
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		select {
		case <-ended:
			return false
		case <-tick.C:
		}
		conn, err := net.Dial("tcp", control)
		if err == nil && strings.Contains(log.String(), "baresip is ready") {
			b.conn = conn
			return true
		}
		if err == nil {
			conn.Close()
		}
	}
	cmd.Process.Kill()
	return false
}

// read collects the events, which come as netstrings of JSON.
func (b *baresip) read() {
	r := bufio.NewReader(b.conn)
	for {
		head, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil {
			return
		}
		text := make([]byte, n+1) // and the comma
		for read := 0; read < len(text); {
			m, err := r.Read(text[read:])
			if err != nil {
				return
			}
			read += m
		}
		var msg struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(text[:n], &msg) == nil && msg.Type != "" {
			b.mu.Lock()
			b.events = append(b.events, msg.Type)
			b.mu.Unlock()
		}
	}
}

// do sends one command.
func (b *baresip) do(command, params string) {
	b.t.Helper()
	text, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s,", len(text), text); err != nil {
		b.t.Fatal(err)
	}
}

// saw reports whether an event of that type came.
func (b *baresip) saw(event string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e == event {
			return true
		}
	}
	return false
}

// forget forgets the events so far.
func (b *baresip) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = nil
}

func (b *baresip) await(event string) {
	b.t.Helper()
	eventually(b.t, 15*time.Second, b.name+": "+event, func() bool { return b.saw(event) })
}

// registered waits for the 200 to its REGISTER, which may have come before the
// control socket was there to tell.
func (b *baresip) registered() {
	b.t.Helper()
	eventually(b.t, 15*time.Second, b.name+": registered", func() bool { return strings.Contains(b.log.String(), " 200 OK ") })
}
