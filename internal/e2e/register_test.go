package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// sippRegister registers with sipp and reports whether it got its 200.
func sippRegister(t testing.TB, target, transport, user, auth, password, ua string, expires int) error {
	t.Helper()
	mode := map[string]string{"udp": "u1", "tcp": "t1"}[transport]
	cmd := exec.Command(testkit.Need(t, "sipp"), target, "-sf", "testdata/sipp/register.xml", "-m", "1", "-t", mode, "-i", "127.0.0.1",
		"-timeout", "10s", "-timeout_error", "-nostdin",
		"-key", "user", user, "-au", auth, "-ap", password, "-key", "ua", ua, "-key", "expires", strconv.Itoa(expires))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("sipp: %w\n%s", err, tail(out))
	}
	return nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// startRedis starts a redis-server with an append-only file and returns its URL
// and how to ask it.
func startRedis(t testing.TB) (url string, cli func(args ...string) string) {
	t.Helper()
	return startRedisAt(t, filepath.Join(t.TempDir(), "redis.sock"))
}

func startRedisAt(t testing.TB, socket string) (url string, cli func(args ...string) string) {
	t.Helper()
	server, client := testkit.Need(t, "redis-server"), testkit.Need(t, "redis-cli")
	cmd := exec.Command(server, "--port", "0", "--unixsocket", socket, "--dir", filepath.Dir(socket), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	eventually(t, 10*time.Second, "redis-server", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "unix://" + socket, func(args ...string) string {
		t.Helper()
		out, err := exec.Command(client, append([]string{"-s", socket}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// rendered reads a Yealink phone's credentials out of the file it would fetch.
func rendered(t testing.TB, d *daemon, mac string) (user, auth, password string) {
	t.Helper()
	body := fetchers(t.(*testing.T), d)["http"](mac + ".cfg")
	get := func(key string) string {
		m := regexp.MustCompile(`(?m)^account\.1\.` + key + ` *= *(.*)$`).FindSubmatch(body)
		if m == nil {
			t.Fatalf("no account.1.%s in\n%s", key, body)
		}
		return strings.TrimSpace(string(m[1]))
	}
	return get("user_name"), get("auth_name"), get("password")
}

// sipp registers with what a phone's file says; Redis holds the contact for as
// long as was granted; the list knows the phone, and knows when it is gone.
func TestRegisterWithRenderedCredentials(t *testing.T) {
	t.Parallel()
	url, cli := startRedis(t)
	d := serve(t, "--redis.url", url, "--sip.min_expires", "2")
	d.extension("101", "Front Desk")
	p := d.phone("00-15-65-AA-BB-01", "T46S", "101")
	user, auth, password := rendered(t, d, "001565aabb01")
	if user != "101" || auth == "101" {
		t.Errorf("user %q, auth %q", user, auth)
	}
	if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-T46S 66.86.0.15", 600); err != nil {
		t.Fatal(err)
	}

	key := cli("--scan", "--pattern", "dialtone:*:contact:*")
	if strings.Contains(key, "\n") || key == "" {
		t.Fatalf("contact keys: %q", key)
	}
	if ttl, err := strconv.Atoi(cli("ttl", key)); err != nil || ttl < 598 || ttl > 600 {
		t.Errorf("TTL %d, granted 600", ttl)
	}
	for _, k := range strings.Fields(cli("--scan")) {
		if !strings.HasPrefix(k, "dialtone:") {
			t.Errorf("foreign key %s", k)
		}
	}

	var got listed
	eventually(t, 5*time.Second, "registered:true", func() bool {
		list := d.phones("registered=true")
		if len(list) == 1 {
			got = list[0]
		}
		return got.Registered
	})
	want := listed{
		ID: p.ID, ExtensionNumber: "101", ExtensionName: "Front Desk", DeviceType: "hardware", Manufacturer: "Yealink", Model: "T46S",
		MAC: "00:15:65:AA:BB:01", IP: "127.0.0.1", Registered: true, LastRegistered: got.LastRegistered,
		UserAgent: "Yealink SIP-T46S 66.86.0.15", Firmware: "66.86.0.15", State: "registered", MatchedBy: got.MatchedBy,
	}
	if got != want || got.MatchedBy == "" || got.LastRegistered == "" {
		t.Errorf("listed as\n%+v, want\n%+v", got, want)
	}
	var stats struct {
		Stats struct {
			TotalPhones, Registered, Unregistered int
			ByType                                map[string]int
		}
	}
	d.call("GET", "/v1/pbx/phones/stats", nil, &stats)
	if s := stats.Stats; s.TotalPhones != 1 || s.Registered != 1 || s.ByType["hardware"] != 1 {
		t.Errorf("stats %+v", s)
	}

	// The same contact again, for two seconds: afterwards it is gone everywhere.
	if err := sippRegister(t, d.addr["sip.tcp"], "tcp", user, auth, password, "Yealink SIP-T46S 66.86.0.15", 2); err != nil {
		t.Fatal(err)
	}
}

// After Expires the phone stays in the list as not registered.
func TestExpiryShows(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			args := []string{"--sip.min_expires", "2"}
			if store == "redis" {
				url, _ := startRedis(t)
				args = append(args, "--redis.url", url)
			}
			d := serve(t, args...)
			d.extension("101", "Front Desk")
			d.phone("001565aabb01", "T46S", "101")
			user, auth, password := rendered(t, d, "001565aabb01")
			if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-T46S 66.86.0.15", 2); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			eventually(t, 5*time.Second, "registered:false", func() bool {
				list := d.phones("state=unregistered")
				return len(list) == 1 && !list[0].Registered
			})
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("%v after a registration of 2 s", took)
			}
		})
	}
}

// kill -9 while 2000 contacts register: after a restart every contact that got
// its 200 is there.
func TestKill9(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			var args []string
			if store == "redis" {
				url, _ := startRedis(t)
				args = []string{"--redis.url", url}
			}
			d := serve(t, args...)
			const extensions, contacts, killAt = 200, 10, 1000
			creds := make([]credentials, extensions)
			for i := range creds {
				creds[i] = d.extension(strconv.Itoa(1000+i), "")
			}
			acknowledged := registerUntilKilled(t, d, creds, contacts, killAt)
			if n := len(acknowledged); n < killAt || n >= extensions*contacts {
				t.Fatalf("%d acknowledged: the kill was not in the middle", n)
			}
			d.kill(syscall.SIGKILL)
			d.start()
			missing := 0
			for _, c := range creds {
				live := contactsOf(d, c.Number)
				for name := range acknowledged {
					if strings.HasPrefix(name, c.Number+"x") && !strings.Contains(live, "sip:"+name+"@") {
						missing++
					}
				}
			}
			if missing > 0 {
				t.Errorf("%d of %d acknowledged contacts are lost", missing, len(acknowledged))
			}
		})
	}
}

// registerUntilKilled registers contacts from eight sockets at once, kills the
// daemon when killAt have their 200, and returns all that had theirs.
func registerUntilKilled(t *testing.T, d *daemon, creds []credentials, contacts, killAt int) map[string]bool {
	t.Helper()
	const workers = 8
	ack := make(chan string)
	done := make(chan struct{})
	for w := range workers {
		p := newRawPhone(t, d.addr["sip.udp"])
		go func() {
			defer func() { done <- struct{}{} }()
			for i := w; i < len(creds)*contacts; i += workers {
				c := creds[i%len(creds)]
				name := fmt.Sprintf("%sx%d", c.Number, i/len(creds))
				if !strings.HasPrefix(p.register(c.Number, c.SIPUsername, c.SIPPassword, name, 3600), "SIP/2.0 200 ") {
					return
				}
				ack <- name
			}
		}()
	}
	names := map[string]bool{}
	for running := workers; running > 0; {
		select {
		case name := <-ack:
			names[name] = true
			if len(names) == killAt {
				d.cmd.Process.Signal(syscall.SIGKILL)
			}
		case <-done:
			running--
		}
	}
	return names
}

// contactsOf is the text of the extension's live contacts.
func contactsOf(d *daemon, number string) string {
	d.t.Helper()
	status, text := d.raw("GET", "/v1/pbx/extensions/"+number+"/contacts", nil)
	if status != 200 {
		d.t.Fatalf("contacts of %s: %d %s", number, status, text)
	}
	return string(text)
}

// writeFile is os.WriteFile for tests.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
