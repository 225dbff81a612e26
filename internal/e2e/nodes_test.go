package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveNodes starts two nodes behind one Redis, with one master key and the same
// extensions, each with an inventory of its own.
func serveNodes(t testing.TB, args ...string) (one, two *daemon, cli func(args ...string) string) {
	t.Helper()
	url, cli := startRedis(t)
	args = append([]string{"--redis.url", url}, args...)
	one = serve(t, append(args, "--node", "one")...)
	two = &daemon{t: t, dir: t.TempDir(), args: append(loopback(), append(args, "--node", "two")...)}
	key, err := os.ReadFile(filepath.Join(one.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two.dir, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	two.start()
	return one, two, cli
}

// onBoth makes an extension on both nodes.
func onBoth(t testing.TB, one, two *daemon, number string) credentials {
	t.Helper()
	c := one.extension(number, "Desk "+number)
	body := map[string]string{"number": number, "name": "Desk " + number, "sipUsername": c.SIPUsername, "sipPassword": c.SIPPassword}
	if status := two.call("POST", "/v1/pbx/extensions", body, nil); status != http.StatusCreated {
		t.Fatalf("extension %s on the second node: %d", number, status)
	}
	return c
}

// moved is a signed REGISTER as somebody at another socket would repeat it, with
// another CSeq.
func moved(signed string, from, to *rawPhone, cseq int) string {
	return strings.NewReplacer("CSeq: 1 ", fmt.Sprintf("CSeq: %d ", cseq), "branch=z9hG4bK", fmt.Sprintf("branch=z9hG4bKm%d", cseq),
		from.conn.LocalAddr().String(), to.conn.LocalAddr().String()).Replace(signed)
}

// TestNoncesOfTwoNodes: a nonce of one node is good at the other, and what was used
// at one is refused at the other.
func TestNoncesOfTwoNodes(t *testing.T) {
	t.Parallel()
	one, two, _ := serveNodes(t)
	c := onBoth(t, one, two, "101")
	atOne, atTwo := newRawPhone(t, one.addr["sip.udp"]), newRawPhone(t, two.addr["sip.udp"])

	used := atOne.signed("101", c, 1, "desk", 3600, "")
	if got := atOne.roundTrip(used, 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Fatalf("register: %s", got)
	}
	if got := atTwo.roundTrip(moved(used, atOne, atTwo, 2), 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 401 ") || !strings.Contains(got, "stale=true") {
		t.Errorf("a replay at the other node, want 401 with stale=true:\n%s", got)
	}

	fresh := atOne.signed("101", c, 1, "other", 3600, "")
	if got := atTwo.roundTrip(moved(fresh, atOne, atTwo, 3), 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Errorf("a fresh nonce of the other node:\n%s", got)
	}
	if got := atOne.roundTrip(fresh, 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 401 ") || !strings.Contains(got, "stale=true") {
		t.Errorf("the same at home afterwards, want 401 with stale=true:\n%s", got)
	}
}

// TestBansOfTwoNodes: wrong passwords at one node count at the other, and at one that
// starts later.
func TestBansOfTwoNodes(t *testing.T) {
	t.Parallel()
	one, two, cli := serveNodes(t)
	c := onBoth(t, one, two, "101")
	wrong := c
	wrong.SIPPassword = "wrong"
	atOne, atTwo := newRawPhone(t, one.addr["sip.udp"]), newRawPhone(t, two.addr["sip.udp"])
	sent := 0
	guess := func() {
		sent++
		if _, err := atOne.conn.Write([]byte(atOne.signed("101", wrong, sent, "desk", 60, "bm9uY2U"))); err != nil {
			t.Fatal(err)
		}
	}
	for range 25 {
		guess()
	}
	eventually(t, 10*time.Second, "the ban is in redis", func() bool { return cli("--scan", "--pattern", "dialtone:ban:*") != "" })
	if ttl := cli("pttl", cli("--scan", "--pattern", "dialtone:ban:*")); len(ttl) != 6 {
		t.Errorf("the ban lasts %s ms, want 200 s at most", ttl)
	}
	// The right password gets no answer either where the ban is known.
	silent := func(p *rawPhone) bool {
		guess() // so that it does not decay meanwhile
		return p.roundTrip(p.signed("101", c, 100, "desk", 60, "bm9uY2U"), time.Second) == ""
	}
	eventually(t, 10*time.Second, "the second node knows", func() bool { return silent(atTwo) })
	if err := two.kill(9); err == nil {
		t.Error("the second node was not killed")
	}
	two.start()
	again := newRawPhone(t, two.addr["sip.udp"])
	eventually(t, 10*time.Second, "the second node knows it after a restart", func() bool { return silent(again) })
}

// TestCallsBetweenNodes: a call rings the phones of both nodes, each over the connection
// to its own, whichever node it comes in at; it is ended from either side. A node that
// is gone does not hold up a call.
func TestCallsBetweenNodes(t *testing.T) {
	t.Parallel()
	one, two, _ := serveNodes(t, "--sip.node_listen", "127.0.0.1:0")
	desk, caller := onBoth(t, one, two, "101"), onBoth(t, one, two, "102")
	far := onBoth(t, one, two, "103")
	a := startBaresip(t, "a", one.addr["sip.tcp"], "tcp", "101", desk.SIPUsername, desk.SIPPassword)
	b := startBaresip(t, "b", two.addr["sip.tcp"], "tcp", "101", desk.SIPUsername, desk.SIPPassword)
	c := startBaresip(t, "caller", one.addr["sip.tcp"], "tcp", "102", caller.SIPUsername, caller.SIPPassword)
	d := startBaresip(t, "far", two.addr["sip.udp"], "udp", "103", far.SIPUsername, far.SIPPassword)
	phones := []*baresip{a, b, c, d}
	for _, p := range phones {
		p.registered()
	}
	for _, n := range []*daemon{one, two} {
		eventually(t, 10*time.Second, "each node knows all contacts", func() bool { return len(n.contactList("101")) == 2 })
	}
	forget := func() {
		for _, p := range phones {
			p.forget()
		}
	}

	// From the one node, answered at the other, hung up by the caller.
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	c.await("CALL_RINGING")
	b.do("accept", "")
	c.await("CALL_ESTABLISHED")
	b.await("CALL_ESTABLISHED")
	a.await("CALL_CLOSED")
	if b.saw("CALL_CLOSED") || c.saw("CALL_CLOSED") {
		t.Error("the answered call was closed as well")
	}
	c.do("hangup", "")
	b.await("CALL_CLOSED")

	// From the other node over UDP, answered at the first, hung up by the called.
	forget()
	d.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	a.do("accept", "")
	d.await("CALL_ESTABLISHED")
	a.await("CALL_ESTABLISHED")
	b.await("CALL_CLOSED")
	a.do("hangup", "")
	d.await("CALL_CLOSED")

	// Both answer in the same moment: one talks, the other's call is ended.
	forget()
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	a.do("accept", "")
	b.do("accept", "")
	c.await("CALL_ESTABLISHED")
	eventually(t, 15*time.Second, "one of both is ended", func() bool { return a.saw("CALL_CLOSED") != b.saw("CALL_CLOSED") })
	c.do("hangup", "")
	a.await("CALL_CLOSED")
	b.await("CALL_CLOSED")

	// The caller gives up: both stop.
	forget()
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	c.do("hangup", "")
	a.await("CALL_CLOSED")
	b.await("CALL_CLOSED")

	// The other node dies: the phone of this one rings, who is only there is not
	// reached, and neither takes long.
	forget()
	_ = two.kill(9)
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	c.do("hangup", "")
	a.await("CALL_CLOSED")
	forget()
	start := time.Now()
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	a.do("hangup", "") // 486; nobody else is left
	c.await("CALL_CLOSED")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("the call failed after %v", took)
	}
}
