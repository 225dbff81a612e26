package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
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

// freePort returns a TCP port that was free a moment ago, for programs that
// cannot be told to choose one themselves.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startBaresip starts one for extension number with the given digest user.
func startBaresip(t testing.TB, name, proxy, transport, number, user, password string) *baresip {
	t.Helper()
	path := testkit.Need(t, "baresip")
	dir := t.TempDir()
	control := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	config := fmt.Sprintf(`module_path /usr/lib/baresip/modules
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
audio_player aufile,%s
audio_alert aufile,%s
ausrc_format s16
auplay_format s16
`, control, freePort(t), filepath.Join(dir, "out.wav"), filepath.Join(dir, "alert.wav"))
	account := fmt.Sprintf("<sip:%s@pbx.dev;transport=%s>;auth_user=%s;auth_pass=%s;outbound=\"sip:%s;transport=%s\";regint=60;answermode=manual\n",
		number, transport, user, password, proxy, transport)
	for file, text := range map[string]string{"config": config, "accounts": account, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &baresip{t: t, name: name, log: &syncBuffer{}}
	cmd := exec.Command(path, "-f", dir, "-v")
	cmd.Stdout, cmd.Stderr = b.log, b.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("baresip %s:\n%s", name, b.log)
		}
	})
	eventually(t, 10*time.Second, "baresip's control socket", func() bool {
		conn, err := net.Dial("tcp", control)
		b.conn = conn
		return err == nil
	})
	t.Cleanup(func() { b.conn.Close() })
	go b.read()
	return b
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

func (b *baresip) await(event string) {
	b.t.Helper()
	eventually(b.t, 15*time.Second, b.name+": "+event, func() bool { return b.saw(event) })
}
