package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestRegisterScenarios runs the sipp scenarios of registrations, each with an
// extension of its own.
func TestRegisterScenarios(t *testing.T) {
	sipp := testkit.Need(t, "sipp")
	d := serve(t)
	for i, name := range []string{"wildcard", "brief", "several"} {
		number := fmt.Sprint(201 + i)
		c := d.extension(number, name)
		for mode, listener := range map[string]string{"u1": "sip.udp", "t1": "sip.tcp"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				errors := filepath.Join(t.TempDir(), "errors")
				cmd := exec.Command(sipp, d.addr[listener], "-trace_err", "-error_file", errors, "-sf", "testdata/sipp/"+name+".xml", "-m", "1", "-t", mode, "-i", "127.0.0.1",
					"-timeout", "10s", "-timeout_error", "-nostdin", "-key", "user", number, "-au", c.SIPUsername, "-ap", c.SIPPassword)
				if out, err := cmd.CombinedOutput(); err != nil {
					why, _ := os.ReadFile(errors)
					t.Errorf("sipp: %v\n%s\n%s", err, why, tail(out))
				}
			})
		}
	}
}

// TestReplay: a REGISTER that somebody has seen is of no use to him, its exact
// repetition is answered as before, and the phone goes on.
func TestReplay(t *testing.T) {
	d := serve(t)
	c := d.extension("101", "Desk")
	p := newRawPhone(t, d.addr["sip.udp"])
	first := p.signed("101", c, 1, "desk", 3600, "")
	answer := p.roundTrip(first, 3*time.Second)
	if !strings.HasPrefix(answer, "SIP/2.0 200 ") {
		t.Fatalf("register: %s", answer)
	}
	if again := p.roundTrip(first, 3*time.Second); !strings.HasPrefix(again, "SIP/2.0 200 ") {
		t.Errorf("an exact repetition: %s", again)
	}
	thief := newRawPhone(t, d.addr["sip.udp"])
	replay := strings.NewReplacer("CSeq: 1 ", "CSeq: 2 ", "branch=z9hG4bK", "branch=z9hG4bKx", p.conn.LocalAddr().String(), thief.conn.LocalAddr().String()).Replace(first)
	if got := thief.roundTrip(replay, 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 401 ") || !strings.Contains(got, "stale=true") {
		t.Errorf("a replay, want 401 with stale=true:\n%s", got)
	}
	if got := contactsOf(d, "101"); strings.Contains(got, thief.conn.LocalAddr().String()) {
		t.Errorf("contacts %s", got)
	}
	if got := p.roundTrip(p.signed("101", c, 2, "desk", 3600, ""), 3*time.Second); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Errorf("the phone afterwards: %s", got)
	}
}

// TestOutOfOrder: a REGISTER of the same call with a lower CSeq changes nothing.
func TestOutOfOrder(t *testing.T) {
	d := serve(t)
	c := d.extension("101", "Desk")
	p := newRawPhone(t, d.addr["sip.udp"])
	for _, step := range []struct {
		cseq, expires int
		want          string
	}{{10, 3600, "200"}, {5, 0, "500"}, {10, 0, "500"}, {11, 600, "200"}} {
		got := p.roundTrip(p.signed("101", c, step.cseq, "desk", step.expires, ""), 3*time.Second)
		if !strings.HasPrefix(got, "SIP/2.0 "+step.want+" ") {
			t.Errorf("CSeq %d, want %s:\n%s", step.cseq, step.want, got)
		}
		if contactsOf(d, "101") == "" {
			t.Errorf("no contact after CSeq %d", step.cseq)
		}
	}
}

// TestStaleNonce: a nonce that this server has not made is stale when the password
// is right, so that the phone asks no human, and plainly wrong when it is not.
func TestStaleNonce(t *testing.T) {
	d := serve(t)
	c := d.extension("101", "Desk")
	p := newRawPhone(t, d.addr["sip.udp"])
	if got := p.roundTrip(p.signed("101", c, 1, "desk", 60, "bm9uY2Ugb2YgYW5vdGhlciBzZXJ2ZXI"), 3*time.Second); !strings.Contains(got, "stale=true") || !strings.HasPrefix(got, "SIP/2.0 401 ") {
		t.Errorf("right password, want 401 with stale=true:\n%s", got)
	}
	c.SIPPassword = "wrong"
	if got := p.roundTrip(p.signed("101", c, 2, "desk", 60, "bm9uY2Ugb2YgYW5vdGhlciBzZXJ2ZXI"), 3*time.Second); strings.Contains(got, "stale") || !strings.HasPrefix(got, "SIP/2.0 401 ") {
		t.Errorf("wrong password, want 401 without stale:\n%s", got)
	}
}

// signed is a REGISTER with credentials, with the nonce given or a fresh one.
func (p *rawPhone) signed(number string, c credentials, cseq int, contact string, expires int, nonce string) string {
	p.t.Helper()
	msg := func(seq int, branch, authorization string) string {
		return fmt.Sprintf("REGISTER sip:pbx.dev SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:%s@pbx.dev>;tag=1\r\nTo: <sip:%s@pbx.dev>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"+
			"Contact: <sip:%s@%s>;expires=%d\r\n%sContent-Length: 0\r\n\r\n",
			p.conn.LocalAddr(), contact, branch, seq, number, number, contact, seq, contact, p.conn.LocalAddr(), expires, authorization)
	}
	if nonce == "" {
		challenge := p.roundTrip(msg(cseq, "c", ""), 3*time.Second)
		_, rest, _ := strings.Cut(challenge, `nonce="`)
		nonce, _, _ = strings.Cut(rest, `"`)
	}
	response := hash(hash(c.SIPUsername+":pbx.dev:"+c.SIPPassword) + ":" + nonce + ":00000001:c:auth:" + hash("REGISTER:sip:pbx.dev"))
	return msg(cseq, "s", fmt.Sprintf("Authorization: Digest username=\"%s\", realm=\"pbx.dev\", nonce=\"%s\", uri=\"sip:pbx.dev\", response=\"%s\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
		c.SIPUsername, nonce, response))
}

// TestFlood: while somebody guesses thousands of passwords a second, a thousand
// phones are all refreshed within ten seconds.
func TestFlood(t *testing.T) {
	const phones, crew, extensions = 1000, 20, 100
	d := serve(t)
	var creds [extensions]credentials
	for i := range creds {
		creds[i] = d.extension(fmt.Sprint(1000+i), "Phone")
	}
	var sockets [crew]*rawPhone
	for w := range sockets {
		sockets[w] = newRawPhone(t, d.addr["sip.udp"])
	}
	refresh := func() (failed int64) {
		var bad atomic.Int64
		var wg sync.WaitGroup
		for w, p := range sockets {
			wg.Go(func() {
				for i := w; i < phones; i += crew {
					c := creds[i%extensions]
					got := p.register(c.Number, c.SIPUsername, c.SIPPassword, fmt.Sprintf("phone%d", i), 3600)
					if !strings.HasPrefix(got, "SIP/2.0 200 ") {
						bad.Add(1)
					}
				}
			})
		}
		wg.Wait()
		return bad.Load()
	}
	if n := refresh(); n > 0 {
		t.Fatalf("%d phones cannot register in peace", n)
	}
	stop, ended := make(chan struct{}), make(chan int)
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := dialer.Dial("udp", d.addr["sip.udp"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	flood := &rawPhone{t: t, conn: conn}
	go func() {
		sent, wrong := 0, creds[0]
		wrong.SIPPassword = "guess"
		burst := time.NewTicker(10 * time.Millisecond)
		defer burst.Stop()
		for {
			select {
			case <-stop:
				ended <- sent
				return
			case <-burst.C:
			}
			for range 50 {
				// The guesses need no answer: the nonce is anything.
				wrong.SIPUsername = creds[sent%extensions].SIPUsername
				if _, err := conn.Write([]byte(flood.signed("1000", wrong, sent+1, "x", 60, "bm9uY2U"))); err == nil {
					sent++
				}
			}
		}
	}()
	start := time.Now()
	failed := refresh()
	took := time.Since(start)
	close(stop)
	if sent := <-ended; sent < 500 {
		t.Errorf("only %d guesses were sent", sent)
	}
	if failed > 0 || took > 10*time.Second {
		t.Errorf("%d of %d phones were not refreshed, it took %v", failed, phones, took)
	}
}

// TestTortureThroughTheDaemon sends messages of RFC 4475 whose meaning is what is
// wrong with them, and checks the answer that the RFC wants of us.
func TestTortureThroughTheDaemon(t *testing.T) {
	d := serve(t, "--sip.domain", "example.com")
	common := "To: sip:user@example.com\r\nFrom: sip:caller@example.net;tag=384\r\nVia: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw%[1]s\r\n" +
		"Call-ID: %[1]s.asdf\r\nContent-Length: 0\r\n"
	for name, tt := range map[string]struct{ start, headers, want string }{
		"unkscm":     {"OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "CSeq: 3923423 OPTIONS\r\nMax-Forwards: 3\r\n", "416"},
		"novelsc":    {"OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "CSeq: 3923423 OPTIONS\r\nMax-Forwards: 3\r\n", "416"},
		"bext01":     {"OPTIONS sip:user@example.com SIP/2.0", "CSeq: 8 OPTIONS\r\nMax-Forwards: 6\r\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n", "420"},
		"zeromf":     {"OPTIONS sip:user@example.com SIP/2.0", "CSeq: 39234321 OPTIONS\r\nMax-Forwards: 0\r\n", "483"},
		"regaut01":   {"REGISTER sip:example.com SIP/2.0", "CSeq: 9338 REGISTER\r\nMax-Forwards: 8\r\nAuthorization: NoOneKnowsThisScheme opaque-data=here\r\n", "401"},
		"badvers":    {"OPTIONS sip:t.watson@example.org SIP/7.0", "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n", "505"},
		"mismatch01": {"OPTIONS sip:user@example.com SIP/2.0", "CSeq: 8 INVITE\r\nMax-Forwards: 6\r\n", "400"},
		"lwsstart":   {"INVITE  sip:user@example.com  SIP/2.0", "CSeq: 1893884 INVITE\r\nMax-Forwards: 8\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialPhone(t, "tcp", d.addr["sip.tcp"])
			got := p.roundTrip(tt.start+"\r\n"+fmt.Sprintf(common, name)+tt.headers+"\r\n", 3*time.Second)
			if !strings.HasPrefix(got, "SIP/2.0 "+tt.want+" ") {
				t.Errorf("answer, want %s:\n%s", tt.want, got)
			}
		})
	}
}
