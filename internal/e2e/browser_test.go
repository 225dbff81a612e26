package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// browser is a headless Chromium whose pages are SIP phones; see browser/driver.mjs.
type browser struct {
	t   testing.TB
	in  io.Writer
	log *syncBuffer

	mu     sync.Mutex
	events map[string][]string // by page
}

// browserPhones says where the programs are, and skips the test without them.
func browserPhones(t testing.TB) (node, chromium, driver string) {
	t.Helper()
	node, chromium = testkit.Need(t, "node"), testkit.Need(t, "chromium")
	driver, err := filepath.Abs("browser/driver.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("browser/node_modules/jssip"); err != nil {
		if os.Getenv("E2E_REQUIRE") == "1" {
			t.Fatal("the packages of internal/e2e/browser are not installed: run scripts/test-deps.sh")
		}
		t.Skip("the packages of internal/e2e/browser are not installed: run scripts/test-deps.sh")
	}
	return node, chromium, driver
}

func startBrowser(t testing.TB, d *daemon) *browser {
	t.Helper()
	node, chromium, driver := browserPhones(t)
	// Chromium keeps writing into its profile while it is killed.
	profile, err := os.MkdirTemp("", "dialtone-chromium")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, log: &syncBuffer{}, events: map[string][]string{}}
	cmd := exec.Command(node, driver, chromium, profile, d.spki())
	cmd.Stderr = b.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.in = in
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		in.Close() // the driver then closes the browser and ends
		giveUp := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		<-read
		cmd.Wait()
		giveUp.Stop()
		os.RemoveAll(profile)
		if t.Failed() {
			t.Logf("browser: %v\n%s", b.events, b.log)
		}
	})
	b.await("", "ready")
	return b
}

// spki is the hash by which Chromium is told to trust the daemon's certificate.
func (d *daemon) spki() string {
	d.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(d.dir, "tls", "server.pem"), filepath.Join(d.dir, "tls", "server.key"))
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (b *browser) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var e struct{ Page, Event string }
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			b.mu.Lock()
			b.events[e.Page] = append(b.events[e.Page], e.Event)
			b.mu.Unlock()
		}
	}
}

// do gives a page a command; args are pairs.
func (b *browser) do(command, page string, args ...string) {
	b.t.Helper()
	msg := map[string]string{"command": command, "page": page}
	for i := 0; i+1 < len(args); i += 2 {
		msg[args[i]] = args[i+1]
	}
	text, err := json.Marshal(msg)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, '\n')); err != nil {
		b.t.Fatal(err)
	}
}

// phone opens a page that registers as an extension.
func (b *browser) phone(page, lib, url string, c credentials) {
	b.t.Helper()
	b.do("open", page, "lib", lib, "url", url, "number", c.Number, "user", c.SIPUsername, "password", c.SIPPassword)
	b.await(page, "registered")
}

// await waits for an event of a page and forgets what came before it.
func (b *browser) await(page, event string) {
	b.t.Helper()
	eventually(b.t, 20*time.Second, "page "+page+": "+event, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, e := range b.events[page] {
			if strings.HasPrefix(e, "failed") || strings.HasPrefix(e, "registration failed") {
				b.t.Fatalf("page %s: %s", page, e)
			}
			if e == event {
				b.events[page] = b.events[page][i+1:]
				return true
			}
		}
		return false
	})
}

// The two phones that people put into pages, over both kinds of WebSocket, ring
// together with a desk phone. Whoever answers, the other stops.
func TestBrowserPhones(t *testing.T) {
	t.Parallel()
	browserPhones(t)
	for name, c := range map[string]struct{ lib, transport string }{
		"JsSIP over WS":   {"jssip", "ws"},
		"JsSIP over WSS":  {"jssip", "wss"},
		"SIP.js over WS":  {"sipjs", "ws"},
		"SIP.js over WSS": {"sipjs", "wss"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, secureLoopback...)
			desk, caller, web := d.extension("101", "Desk"), d.extension("102", "Caller"), d.extension("103", "Web caller")
			url := c.transport + "://" + d.addr["sip."+c.transport]
			b := startBrowser(t, d)
			b.phone("page", c.lib, url, desk)
			bare := startBaresip(t, "desk", d.addr["sip.udp"], "udp", "101", desk.SIPUsername, desk.SIPPassword)
			dial := startBaresip(t, "caller", d.addr["sip.udp"], "udp", "102", caller.SIPUsername, caller.SIPPassword)
			bare.registered()
			dial.registered()

			dial.do("dial", "sip:101@pbx.dev")
			b.await("page", "incoming")
			bare.await("CALL_INCOMING")
			dial.await("CALL_RINGING")
			bare.do("accept", "")
			b.await("page", "canceled")
			dial.await("CALL_ESTABLISHED")
			dial.do("hangup", "")
			bare.await("CALL_CLOSED")

			// A page calls, a page answers: media between a page and a desk phone
			// would need the same encryption.
			ring := d.connect("tls")
			ring.register(desk, "ringing")
			b.phone("other", c.lib, url, web)
			b.do("call", "other", "number", "101")
			b.await("page", "incoming")
			invite := ring.await("INVITE ")
			ring.answer(invite, "180 Ringing")
			b.do("answer", "page")
			b.await("page", "established")
			b.await("other", "established")
			ring.await("CANCEL ")
			b.do("hangup", "page")
			b.await("other", "ended")
			ring.conn.Close()

			before := d.contacts("101")[c.transport]
			b.do("reload", "page")
			b.await("page", "registered")
			eventually(t, 5*time.Second, "one contact of the page", func() bool {
				n, after := d.count("101", c.transport)
				return n == 1 && after != before
			})
			b.do("close", "page")
			eventually(t, 5*time.Second, "none after the page was closed", func() bool {
				n, _ := d.count("101", c.transport)
				return n == 0
			})
		})
	}
}
