package e2e

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestRedisAway: while Redis hangs a phone that is known is refreshed for a short
// time, a new one told to come back, a call and the list work, /readyz says so;
// five seconds after its return everything is as ever.
func TestRedisAway(t *testing.T) {
	url, cli := startRedis(t)
	d := serve(t, "--redis.url", url)
	known, fresh := d.extension("101", "Known"), d.extension("102", "New")
	p := newRawPhone(t, d.addr["sip.udp"])
	if got := p.register("101", known.SIPUsername, known.SIPPassword, "desk", 3600); !strings.HasPrefix(got, "SIP/2.0 200") {
		t.Fatalf("register: %s", got)
	}
	eventually(t, 5*time.Second, "the contact is in the list", func() bool { return contactsOf(d, "101") != "" })

	pid := redisPID(t, cli("info", "server"))
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	answer := p.register("101", known.SIPUsername, known.SIPPassword, "desk", 3600)
	n := expiresOf(answer)
	if !strings.HasPrefix(answer, "SIP/2.0 200") || n < 59 || n > 120 {
		t.Errorf("refresh without redis, want 200 with 60 to 120 s:\n%s", answer)
	}
	q := newRawPhone(t, d.addr["sip.udp"])
	answer = q.register("102", fresh.SIPUsername, fresh.SIPPassword, "new", 3600)
	if !strings.HasPrefix(answer, "SIP/2.0 503") || !strings.Contains(answer, "\r\nRetry-After: ") {
		t.Errorf("a new phone without redis, want 503 with Retry-After:\n%s", answer)
	}
	if status, body := d.raw(http.MethodGet, "/readyz", nil); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "degraded since") {
		t.Errorf("readyz %d %s", status, body)
	}
	if contactsOf(d, "101") == "" {
		t.Error("the list has forgotten 101")
	}
	if _, body := d.raw(http.MethodGet, "/metrics", nil); !strings.Contains(string(body), "\ndialtone_location_degraded 1\n") {
		t.Error("no metric says that the mode is degraded")
	}

	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "ready again", func() bool {
		status, _ := d.raw(http.MethodGet, "/readyz", nil)
		return status == http.StatusOK
	})
	if got := q.register("102", fresh.SIPUsername, fresh.SIPPassword, "new", 3600); !strings.HasPrefix(got, "SIP/2.0 200") {
		t.Errorf("the new phone afterwards: %s", got)
	}
	eventually(t, 5*time.Second, "the refresh is in redis", func() bool {
		for key := range strings.Lines(cli("--scan", "--pattern", "dialtone:*:contact:101@pbx.dev:*")) {
			ttl, _ := strconv.Atoi(strings.TrimSpace(cli("ttl", strings.TrimSpace(key))))
			return ttl > 0 && ttl <= n
		}
		return false
	})
	log := d.log.String()
	if strings.Count(log, "registrations are in degraded mode\"") != 1 || strings.Count(log, "the degraded mode ends") != 1 {
		t.Errorf("the log does not say once that the mode began and ended:\n%s", log)
	}
}

// TestStartWithoutRedis: a server that starts before Redis serves files and the API,
// tells phones to come back, says so, and is right within five seconds of its coming.
func TestStartWithoutRedis(t *testing.T) {
	testkit.Need(t, "redis-server")
	socket := filepath.Join(t.TempDir(), "redis.sock")
	d := serve(t, "--redis.url", "unix://"+socket)
	e := d.extension("101", "Desk")
	d.phone("001565aabb01", "T46S", "101")
	if _, auth, _ := rendered(t, d, "001565aabb01"); auth == "" {
		t.Error("no file for the phone")
	}
	p := newRawPhone(t, d.addr["sip.udp"])
	answer := p.register("101", e.SIPUsername, e.SIPPassword, "desk", 3600)
	if !strings.HasPrefix(answer, "SIP/2.0 503") || !strings.Contains(answer, "\r\nRetry-After: ") {
		t.Errorf("a phone without redis, want 503 with Retry-After:\n%s", answer)
	}
	if status, body := d.raw(http.MethodGet, "/readyz", nil); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "degraded since") {
		t.Errorf("readyz %d %s", status, body)
	}
	_, cli := startRedisAt(t, socket)
	eventually(t, 5*time.Second, "ready", func() bool {
		status, _ := d.raw(http.MethodGet, "/readyz", nil)
		return status == http.StatusOK
	})
	if got := p.register("101", e.SIPUsername, e.SIPPassword, "desk", 3600); !strings.HasPrefix(got, "SIP/2.0 200") {
		t.Errorf("the phone afterwards: %s", got)
	}
	if cli("--scan", "--pattern", "dialtone:*:contact:101@pbx.dev:*") == "" {
		t.Error("no contact in redis")
	}
	// The sign of life is kept without anybody asking.
	if ttl, _ := strconv.Atoi(cli("pttl", cli("--scan", "--pattern", "dialtone:node:*"))); ttl < 10_000 || ttl > 15_000 {
		t.Errorf("the sign of life lasts %d ms", ttl)
	}
}

var (
	redisProcess = regexp.MustCompile(`process_id:(\d+)`)
	granted      = regexp.MustCompile(`;expires=(\d+)`)
)

func redisPID(t *testing.T, info string) int {
	t.Helper()
	m := redisProcess.FindStringSubmatch(info)
	if m == nil {
		t.Fatalf("no process id in %q", info)
	}
	pid, _ := strconv.Atoi(m[1])
	return pid
}

func expiresOf(answer string) int {
	m := granted.FindStringSubmatch(answer)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}
