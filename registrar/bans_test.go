package registrar

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/digest"
)

var (
	nat     = netip.MustParseAddr("192.0.2.1")
	outside = netip.MustParseAddr("198.51.100.9")
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// TestBanOfAWrongPhone: one of 50 phones behind a NAT has the wrong password and
// never gives up; the others, and even one that is new there, keep working.
func TestBanOfAWrongPhone(t *testing.T) {
	t.Parallel()
	b := newBans(nil)
	for second := range 3600 {
		now := noon.Add(time.Duration(second) * time.Second)
		for range 3 {
			if !b.barred(nat, "wrong", now) {
				b.wrong(nat, "wrong", now)
			}
		}
		user := fmt.Sprint(second % 50)
		if b.barred(nat, user, now) {
			t.Fatalf("phone %s is barred after %d s", user, second)
		}
		b.right(nat, user, now)
	}
	end := noon.Add(time.Hour)
	if !b.barred(nat, "wrong", end) {
		t.Error("the wrong phone is not barred")
	}
	if b.barred(nat, "new", end) {
		t.Error("a new phone behind the NAT is barred")
	}
	if b.barred(nat, "wrong", end.Add(11*time.Second)) {
		t.Error("the ban does not decay")
	}
}

// TestBanOfAScanner: who tries many users is barred, save for users who were
// right at that address before.
func TestBanOfAScanner(t *testing.T) {
	t.Parallel()
	b := newBans(nil)
	b.right(nat, "known", noon)
	looked := 0
	for i := range 5000 {
		if user := fmt.Sprint("guess", i); !b.barred(nat, user, noon) {
			b.wrong(nat, user, noon)
			looked++
		}
	}
	if looked != sourceBurst {
		t.Errorf("%d guesses looked at, want %d", looked, sourceBurst)
	}
	for _, tt := range []struct {
		addr netip.Addr
		user string
		at   time.Time
		want bool
	}{
		{nat, "known", noon, false},
		{nat, "unseen", noon, true},
		{outside, "unseen", noon, false},
		{nat, "unseen", noon.Add(2 * time.Second), false},
	} {
		if got := b.barred(tt.addr, tt.user, tt.at); got != tt.want {
			t.Errorf("%s at %v after %v: barred %v, want %v", tt.user, tt.addr, tt.at.Sub(noon), got, tt.want)
		}
	}
}

// TestBanOfAUser: guesses for one user from many addresses do not lock the user
// out where he was right before.
func TestBanOfAUser(t *testing.T) {
	t.Parallel()
	b := newBans(nil)
	b.right(nat, "101", noon)
	looked := 0
	for i := range 2000 {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i % 250)})
		if !b.barred(addr, "101", noon) {
			b.wrong(addr, "101", noon)
			looked++
		}
	}
	if looked != userBurst {
		t.Errorf("%d guesses looked at, want %d", looked, userBurst)
	}
	if b.barred(nat, "101", noon) {
		t.Error("the user is locked out")
	}
	if !b.barred(outside, "101", noon) {
		t.Error("guesses from elsewhere go on")
	}
}

// failLine is the expression of docs/OPERATIONS.md, with <HOST> as fail2ban
// understands it.
var failLine = regexp.MustCompile(`^time=\S+ level=WARN msg="sip authentication failed" source=(\S+) transport=\S+ method=\S+ user=`)

// TestBanLog: the line has its promised form whatever the user is called, and
// only wrong passwords make one.
func TestBanLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := start(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	attempt := func(outcome digest.Outcome) {
		w.Admit(Attempt{
			Method: "REGISTER", Transport: "udp", Remote: netip.AddrPortFrom(nat, 5060),
			Result: digest.Result{Outcome: outcome, User: "x\ntime=0 level=WARN msg=\"sip authentication failed\" source=203.0.113.1 "},
		})
	}
	log.Reset()
	for _, o := range []digest.Outcome{digest.Missing, digest.Stale, digest.OK, digest.Malformed, digest.Unavailable} {
		for range 2 * failureBurst {
			attempt(o)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged without a wrong password:\n%s", &log)
	}
	for range failureBurst {
		attempt(digest.Denied)
	}
	lines := bytes.Split(bytes.TrimSpace(log.Bytes()), []byte("\n"))
	if len(lines) != failureBurst+1 || !bytes.Contains(lines[failureBurst], []byte(`msg="sip source banned" source=192.0.2.1`)) {
		t.Fatalf("%d lines, the last one %s", len(lines), lines[len(lines)-1])
	}
	for _, line := range lines[:failureBurst] {
		if m := failLine.FindSubmatch(line); m == nil || string(m[1]) != "192.0.2.1" {
			t.Errorf("line %s", line)
		}
	}
}
