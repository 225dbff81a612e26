package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// broken is a phone with an address of its own on loopback, to do something wrong with.
type broken struct {
	*daemon
	ip, mac, number, id string
	agent               string // User-Agent that carries the MAC
}

// broken provisions the n-th phone.
func (d *daemon) broken(t *testing.T, n int) *broken {
	t.Helper()
	own := *d
	own.t = t
	b := &broken{daemon: &own, ip: fmt.Sprintf("127.0.1.%d", n), mac: fmt.Sprintf("001565aac0%02x", n), number: fmt.Sprint(300 + n)}
	b.agent = fmt.Sprintf("Yealink SIP-T46S 66.86.0.15 00:15:65:aa:c0:%02x", n)
	b.extension(b.number, "Desk")
	b.id = b.phone(b.mac, "T46S", b.number).ID
	return b
}

// ask fetches or does whatever args say with curl, from the phone's address. That it
// fails is the point of many.
func (b *broken) ask(args ...string) {
	b.t.Helper()
	cmd := exec.Command(testkit.Need(b.t, "curl"), append([]string{"-sS", "--max-time", "20", "--interface", b.ip, "-o", "/dev/null", "-w", "%{http_code}"}, args...)...)
	out, err := cmd.CombinedOutput()
	b.t.Logf("curl %s: %s %v", strings.Join(args, " "), out, err)
}

func (b *broken) file(name string) string { return "http://" + b.addr["http"] + "/" + name }

// seen lets the server know at which address the phone is.
func (b *broken) seen() { b.ask("-A", b.agent, b.file("y000000000066.cfg")) }

// openssl connects to a listener with TLS.
func (b *broken) openssl(listener string, args ...string) {
	b.t.Helper()
	cmd := exec.Command(testkit.Need(b.t, "openssl"), append([]string{"s_client", "-connect", b.addr[listener], "-bind", b.ip + ":0", "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore"}, args...)...)
	out, err := cmd.CombinedOutput()
	b.t.Logf("openssl %s: %v\n%s", strings.Join(args, " "), err, tail(out))
}

// dial is a SIP phone at the phone's address.
func (b *broken) dial(network, listener string) *rawPhone {
	b.t.Helper()
	var from net.Addr = &net.UDPAddr{IP: net.ParseIP(b.ip)}
	if network == "tcp" {
		from = &net.TCPAddr{IP: net.ParseIP(b.ip)}
	}
	dialer := net.Dialer{LocalAddr: from}
	conn, err := dialer.Dial(network, b.addr[listener])
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return &rawPhone{t: b.t, conn: conn}
}

// account is what the phone's file says.
func (b *broken) account() credentials {
	b.t.Helper()
	body := b.curl("--interface", b.ip, b.file(b.mac+".cfg"))
	value := func(key string) string {
		_, rest, _ := strings.Cut(body, "account.1."+key+" = ")
		v, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(v)
	}
	return credentials{Number: b.number, SIPUsername: value("auth_name"), SIPPassword: value("password")}
}

// says sends one REGISTER and wants a status.
func (b *broken) says(p *rawPhone, want, number string, c credentials, expires int) {
	b.t.Helper()
	if got := p.register(number, c.SIPUsername, c.SIPPassword, "desk", expires); !strings.HasPrefix(got, "SIP/2.0 "+want+" ") {
		b.t.Fatalf("want %s, got %s", want, got)
	}
}

// plain sends a REGISTER without credentials to a domain.
func (b *broken) plain(domain string) {
	p := b.dial("udp", "sip.udp")
	p.roundTrip(fmt.Sprintf("REGISTER sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bKplain;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%[3]s@%[1]s>;tag=1\r\nTo: <sip:%[3]s@%[1]s>\r\nCall-ID: plain%[3]s\r\nCSeq: 1 REGISTER\r\nUser-Agent: %[4]s\r\n"+
		"Contact: <sip:%[3]s@%[2]s>\r\nContent-Length: 0\r\n\r\n", domain, p.conn.LocalAddr(), b.number, b.agent), 5*time.Second)
}

// unanswered takes three OPTIONS, ten seconds apart.
const unanswered = "has left OPTIONS unanswered"

// mishaps are what goes wrong, and words of the sentence that names the cause.
var mishaps = []struct {
	name string
	want string
	do   func(b *broken)
}{
	{"never plugged in", "never contacted dialtone", func(*broken) {}},
	{"asks for the file of its model only", "fetched y000000000066.cfg at", func(b *broken) { b.seen() }},
	{"asks for its file in capitals", "has not registered since: check that it can reach the SIP server", func(b *broken) {
		b.ask(b.file(strings.ToUpper(b.mac) + ".CFG"))
	}},
	{"asks for the file of another maker", "is a file of Grandstream phones, and the phone is provisioned as Yealink", func(b *broken) { b.ask(b.file("cfg" + b.mac + ".xml")) }},
	{"is of another maker", "(vendor: the phone reports Polycom, it is provisioned as Yealink)", func(b *broken) {
		b.ask("-A", "FileTransport PolycomVVX-VVX_450-UA/5.9.6.2327 Type/Application", b.file(b.mac+".cfg"))
	}},
	{"is another phone", "the User-Agent names another phone: 00:15:65:DD:DD:DD", func(b *broken) {
		b.ask("-A", "Yealink SIP-T46S 66.86.0.15 00:15:65:dd:dd:dd", b.file(b.mac+".cfg"))
	}},
	{"is another model", "not the phone that is provisioned (model: the phone reports", func(b *broken) {
		b.ask("-A", strings.Replace(b.agent, "T46S", "T42S", 1), b.file(b.mac+".cfg"))
	}},
	{"is in a foreign network", "its address 127.9.0.1 is not in provision.lan", func(b *broken) { b.ask("--interface", "127.9.0.1", b.file(b.mac+".cfg")) }},
	{"has a token that is not good", "token", func(b *broken) { b.ask(b.file("p/dtp_0123456789abcdefghijklmnopqrstuv/" + b.mac + ".cfg")) }},
	{"starts over and over", "starts over and over: it fetched its configuration", func(b *broken) {
		for range 5 {
			b.ask(b.file(b.mac + ".cfg"))
		}
	}},
	{"is unplugged in the middle of a transfer", "over TFTP broke off", cutOff},
	{"ends the transfer", "the phone ended the transfer with error 3", func(b *broken) {
		b.tftp(func(*net.UDPConn, *net.UDPAddr) []byte { return []byte{0, 5, 0, 3, 'f', 'u', 'l', 'l', 0} })
	}},
	{"stores its log only", "-local.cfg here at", func(b *broken) {
		log := filepath.Join(b.t.TempDir(), "log")
		writeFile(b.t, log, "booted\n")
		b.ask("-T", log, b.file(b.mac+"-local.cfg"))
	}},
	{"has a template that fails", "since its template fails", failingTemplate},
	{"is in a loop of its firmware", "loop of its firmware", firmwareLoop},
	{"speaks HTTP to the HTTPS port", "it speaks HTTP on the HTTPS port", func(b *broken) { b.seen(); b.ask("http://" + b.addr["https"] + "/" + b.mac + ".cfg") }},
	{"does not trust the CA, HTTPS", "does not trust its CA", func(b *broken) { b.seen(); b.ask("https://" + b.addr["https"] + "/" + b.mac + ".cfg") }},
	{"has a clock that is ahead", "has ended by its clock", func(b *broken) {
		b.seen()
		b.openssl("https", "-CAfile", filepath.Join(b.dir, "tls", "ca.pem"), "-attime", "4102444800")
	}},
	{"speaks old TLS", "no TLS version that is allowed", func(b *broken) { b.seen(); b.openssl("https", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0") }},
	{"does not trust the CA, SIP", "since it does not trust its CA", func(b *broken) { b.seen(); b.openssl("sip.tls") }},
	{"speaks plain SIP to the TLS port", "something else than TLS on the TLS port", func(b *broken) {
		b.seen()
		b.dial("tcp", "sip.tls").register(b.number, "x", "x", "desk", 60)
	}},
	{"has a wrong password", "wrong password. Restart it", func(b *broken) {
		c := b.account()
		c.SIPPassword = "guess"
		b.says(b.dial("udp", "sip.udp"), "401", b.number, c, 600)
	}},
	{"has an old password", "last fetched revision 1 of its configuration, the current one is 2", func(b *broken) {
		c := b.account()
		if status := b.call("POST", "/v1/pbx/phones/"+b.id+"/credentials?dropOld=1", nil, nil); status != http.StatusOK {
			b.t.Fatalf("rotate: %d", status)
		}
		b.says(b.dial("udp", "sip.udp"), "401", b.number, c, 600)
	}},
	{"was configured by somebody else", "something else has configured it", func(b *broken) {
		_, text := b.raw("GET", "/v1/pbx/phones/"+b.id+"/config?file="+b.mac+".cfg", nil)
		_, user, _ := strings.Cut(string(text), "account.1.auth_name = ")
		user, _, _ = strings.Cut(user, "\n")
		b.says(b.dial("udp", "sip.udp"), "401", b.number, credentials{SIPUsername: user, SIPPassword: "guess"}, 600)
	}},
	{"has a user that nobody has", `nobody has the user "elsewhere"`, func(b *broken) {
		b.seen()
		b.says(b.dial("udp", "sip.udp"), "401", b.number, credentials{SIPUsername: "elsewhere", SIPPassword: "x"}, 600)
	}},
	{"guesses", "so often that nothing of it is looked at any more", func(b *broken) {
		c := b.account()
		c.SIPPassword = "guess"
		for range 20 {
			b.says(b.dial("udp", "sip.udp"), "401", b.number, c, 600)
		}
	}},
	{"registers another extension", `registers "999" with the user of extension`, func(b *broken) { b.says(b.dial("udp", "sip.udp"), "403", "999", b.account(), 600) }},
	{"registers at another domain", `registers at the domain "example.org", which is not served here`, func(b *broken) { b.plain("example.org") }},
	{"has the user of another phone", "with the SIP user of another phone", otherUser},
	{"comes to a full extension", "has as many contacts as it may have; see sip.max_contacts", full},
	{"registers for too short a time", "less than sip.min_expires", func(b *broken) { b.says(b.dial("udp", "sip.udp"), "423", b.number, b.account(), 1) }},
	{"signs with an old nonce again and again", "signs with an old nonce again and again", func(b *broken) {
		p, c := b.dial("udp", "sip.udp"), b.account()
		for i := range 6 {
			if got := p.roundTrip(p.signed(b.number, c, i+1, "desk", 600, "bm9uY2Ugb2YgYW5vdGhlciBzZXJ2ZXI"), 5*time.Second); !strings.Contains(got, "stale=true") {
				b.t.Fatalf("not stale: %s", got)
			}
		}
	}},
	{"is switched off", "registration ran out", func(b *broken) { b.says(b.dial("udp", "sip.udp"), "200", b.number, b.account(), 2) }},
	{"logs out", "removed its registration itself", func(b *broken) {
		p, c := b.dial("udp", "sip.udp"), b.account()
		b.says(p, "200", b.number, c, 600)
		b.says(p, "200", b.number, c, 0)
	}},
	{"loses its connection", "Its connection ended at", func(b *broken) { comesAndGoes(b, 1) }},
	{"comes and goes", "comes and goes: it ended 4 times within an hour", func(b *broken) { comesAndGoes(b, 4) }},
	{"is behind a NAT that forgets", unanswered, func(b *broken) { b.says(b.dial("udp", "sip.udp"), "200", b.number, b.account(), 600) }},
	{"has no line", "It has no line", func(b *broken) {
		if status := b.call("PATCH", "/v1/pbx/phones/"+b.id, map[string]any{"lines": []any{}}, nil); status != http.StatusOK {
			b.t.Fatalf("patch: %d", status)
		}
	}},
	{"is not provisioned", "It is not provisioned: adopt it", func(b *broken) {
		if status := b.call("DELETE", "/v1/pbx/phones/"+b.id, nil, nil); status != http.StatusNoContent {
			b.t.Fatalf("delete: %d", status)
		}
		b.ask("-A", b.agent, b.file(b.mac+".cfg"))
		eventually(b.t, 10*time.Second, "it is listed", func() bool {
			list := b.phones("macAddress=" + b.mac)
			if len(list) == 1 {
				b.id = list[0].ID
			}
			return len(list) == 1
		})
	}},
}

// TestFaults lets real requests of phones go wrong, each phone's in its own way, and
// wants the sentence that names the cause. One daemon has all of them at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	d := serve(t, "--sip.tls", "127.0.0.1:0", "--sip.min_expires", "2", "--sip.max_contacts", "2", "--sip.qualify", "10", "--provision.lan", "127.0.0.0/16")
	for i, f := range mishaps {
		b := d.broken(t, i+1)
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			b.t = t
			f.do(b)
			patience := 15 * time.Second
			if f.want == unanswered {
				patience = 2 * time.Minute
			}
			b.stuck(f.want, patience)
		})
	}
}

// stuck waits for the sentence; that of an unanswered OPTIONS takes half a minute.
func (b *broken) stuck(want string, patience time.Duration) {
	b.t.Helper()
	var timeline struct {
		StuckAt string
		Events  []map[string]any
	}
	for deadline := time.After(patience); ; {
		timeline.StuckAt = ""
		b.call("GET", "/v1/pbx/phones/"+b.id+"/timeline?limit=5", nil, &timeline)
		if strings.Contains(timeline.StuckAt, want) {
			b.t.Log(timeline.StuckAt)
			return
		}
		select {
		case <-deadline:
			b.t.Fatalf("stuck at %q, want %q in it\n%v", timeline.StuckAt, want, timeline.Events)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tftp asks for the phone's file in the smallest blocks and sends what answer makes of
// the first packet.
func (b *broken) tftp(answer func(*net.UDPConn, *net.UDPAddr) []byte) {
	b.t.Helper()
	to, err := net.ResolveUDPAddr("udp", b.addr["tftp"])
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(b.ip)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	request := []byte("\x00\x01" + b.mac + ".cfg\x00octet\x00blksize\x008\x00timeout\x001\x00")
	if _, err := conn.WriteToUDP(request, to); err != nil {
		b.t.Fatal(err)
	}
	packet := make([]byte, 600)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, from, err := conn.ReadFromUDP(packet)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := conn.WriteToUDP(answer(conn, from), from); err != nil {
		b.t.Fatal(err)
	}
}

// cutOff acknowledges the options and is heard of no more.
func cutOff(b *broken) {
	b.tftp(func(*net.UDPConn, *net.UDPAddr) []byte { return []byte{0, 4, 0, 0} })
}

// failingTemplate passes all checks and fails for this phone.
func failingTemplate(b *broken) {
	text := mineYealink("1", "{{.Password}}") + "{{if eq .Name \"Bomb\"}}{{range .Lines}}{{(index $.Lines 99).User}}{{end}}{{end}}\n"
	body := map[string]any{"name": "bomb", "vendor": "yealink", "file": "phone", "models": []string{"T41S"}, "content": text}
	if status, answer := b.raw("POST", "/v1/pbx/templates", body); status/100 != 2 {
		b.t.Fatalf("%d %s", status, answer)
	}
	for _, patch := range []map[string]string{{"model": "T41S"}, {"name": "Bomb"}} {
		if status, answer := b.raw("PATCH", "/v1/pbx/phones/"+b.id, patch); status != http.StatusOK {
			b.t.Fatalf("%d %s", status, answer)
		}
		b.ask(b.file(b.mac + ".cfg"))
	}
}

// firmwareLoop fetches an image and reports its old version, three times.
func firmwareLoop(b *broken) {
	if status := b.call("PATCH", "/v1/pbx/phones/"+b.id, map[string]string{"model": "T48S"}, nil); status != http.StatusOK {
		b.t.Fatalf("patch: %d", status)
	}
	agent := strings.Replace(b.agent, "T46S", "T48S", 1)
	name := filepath.Join(b.t.TempDir(), "T48S-66.99.0.1.rom")
	writeFile(b.t, name, "content")
	_, i := b.uploaded(name, "model=T48S")
	if status, answer := b.raw("PUT", "/v1/pbx/firmware/targets/yealink/T48S", map[string]any{"firmwareId": i.ID}); status != http.StatusOK {
		b.t.Fatalf("target: %d %s", status, answer)
	}
	b.ask("-A", agent, b.file(b.mac+".cfg"))
	for range 3 {
		b.ask("-A", agent, b.file("fw/"+b.mac+"/"+i.ID+"/"+filepath.Base(name)))
	}
}

// otherUser gives the phone what another one was given.
func otherUser(b *broken) {
	owner := b.phone("001565aacfff", "T46S", b.number)
	_, auth, password := rendered(b.t, b.daemon, "001565aacfff")
	p := b.dial("udp", "sip.udp")
	signed := p.signed(b.number, credentials{SIPUsername: auth, SIPPassword: password}, 1, "desk", 600, "")
	signed = strings.Replace(signed, "Max-Forwards", "User-Agent: "+b.agent+"\r\nMax-Forwards", 1)
	if got := p.roundTrip(signed, 5*time.Second); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		b.t.Fatalf("as %s: %s", owner.ID, got)
	}
}

// full fills the phone's extension with other phones.
func full(b *broken) {
	var soft credentials
	if status := b.call("POST", "/v1/pbx/extensions/"+b.number+"/credentials", nil, &soft); status != http.StatusOK {
		b.t.Fatalf("credentials: %d", status)
	}
	for i := range 2 {
		p := newRawPhone(b.t, b.addr["sip.udp"])
		if got := p.register(b.number, soft.SIPUsername, soft.SIPPassword, fmt.Sprint("soft", i), 600); !strings.HasPrefix(got, "SIP/2.0 200 ") {
			b.t.Fatal(got)
		}
	}
	b.says(b.dial("udp", "sip.udp"), "403", b.number, b.account(), 600)
}

// comesAndGoes registers over a connection and loses it.
func comesAndGoes(b *broken, times int) {
	c := b.account()
	for range times {
		p := b.dial("tcp", "sip.tcp")
		b.says(p, "200", b.number, c, 600)
		p.conn.Close()
		eventually(b.t, 10*time.Second, "it is gone", func() bool { return len(b.contactList(b.number)) == 0 })
	}
}
