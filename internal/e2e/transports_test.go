package e2e

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// contacts are the contacts of an extension by transport.
func (d *daemon) contacts(number string) map[string]string {
	d.t.Helper()
	found := map[string]string{}
	for _, c := range d.contactList(number) {
		found[c.Transport] = c.URI
	}
	return found
}

// count is how many contacts of an extension there are over a transport, and one
// of them.
func (d *daemon) count(number, transport string) (n int, uri string) {
	d.t.Helper()
	for _, c := range d.contactList(number) {
		if c.Transport == transport {
			n, uri = n+1, c.URI
		}
	}
	return n, uri
}

// listedContact is a contact as the API shows it.
type listedContact struct{ URI, Transport string }

func (d *daemon) contactList(number string) []listedContact {
	d.t.Helper()
	var page struct{ Contacts []listedContact }
	if status := d.call("GET", "/v1/pbx/extensions/"+number+"/contacts", nil, &page); status != http.StatusOK {
		d.t.Fatalf("contacts: %d", status)
	}
	return page.Contacts
}

// Two real softphones call each other, one over TLS and one over UDP, each the
// other in turn.
func TestCallsBetweenTLSAndUDP(t *testing.T) {
	t.Parallel()
	d := serve(t, secureLoopback...)
	one, two := d.extension("101", "TLS"), d.extension("102", "UDP")
	a := startBaresip(t, "tls", d.addr["sip.tls"], "tls", "101", one.SIPUsername, one.SIPPassword)
	b := startBaresip(t, "udp", d.addr["sip.udp"], "udp", "102", two.SIPUsername, two.SIPPassword)
	a.registered()
	b.registered()
	eventually(t, 5*time.Second, "101 is registered over TLS", func() bool { return d.contacts("101")["tls"] != "" })
	b.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_RINGING")
	a.do("accept", "")
	a.await("CALL_ESTABLISHED")
	b.await("CALL_ESTABLISHED")
	a.do("hangup", "")
	a.await("CALL_CLOSED")
	b.await("CALL_CLOSED")

	a.do("dial", "sip:102@pbx.dev")
	b.await("CALL_INCOMING")
	a.await("CALL_RINGING")
}

// A phone behind a connection is rung over it, and its contact ends with it; a
// call made over it reaches a phone on UDP.
func TestConnectionsRing(t *testing.T) {
	t.Parallel()
	d := serve(t, secureLoopback...)
	desk, caller := d.extension("101", "Desk"), d.extension("102", "Caller")
	c := startBaresip(t, "caller", d.addr["sip.udp"], "udp", "102", caller.SIPUsername, caller.SIPPassword)
	c.registered()
	phones := map[string]*streamPhone{}
	for _, transport := range []string{"tcp", "tls", "ws", "wss"} {
		p := d.connect(transport)
		if answer := p.register(desk, "phone-"+transport); !strings.HasPrefix(answer, "SIP/2.0 200 ") {
			t.Fatalf("%s: %s", transport, answer)
		}
		phones[transport] = p
	}
	eventually(t, 5*time.Second, "four contacts, as the phones wrote them", func() bool {
		got := d.contacts("101")
		return len(got) == 4 && got["wss"] == "sip:phone-wss@phone-wss.invalid;transport=ws"
	})
	c.do("dial", "sip:101@pbx.dev")
	for transport, p := range phones {
		invite := p.await("INVITE ")
		if !strings.HasPrefix(invite, "INVITE sip:phone-"+transport+"@phone-"+transport+".invalid") ||
			!strings.HasPrefix(field(invite, "Via"), "SIP/2.0/"+strings.ToUpper(transport)+" ") {
			t.Errorf("%s got %s", transport, invite)
		}
		p.answer(invite, "180 Ringing")
		p.answer(invite, "486 Busy Here")
		p.await("ACK ")
	}
	c.await("CALL_CLOSED")

	for _, p := range phones {
		p.conn.Close()
	}
	eventually(t, 5*time.Second, "the contacts end with their connections", func() bool { return len(d.contacts("101")) == 0 })
	again := d.connect("wss")
	again.register(desk, "reloaded")
	eventually(t, 5*time.Second, "one contact after the page was reloaded", func() bool {
		got := d.contacts("101")
		return len(got) == 1 && got["wss"] != ""
	})

	// What a killed server had over connections is gone when it is back.
	d.kill(syscall.SIGKILL)
	d.start()
	eventually(t, 5*time.Second, "the contacts of the run before are removed", func() bool { return len(d.contacts("101")) == 0 })
}

// Old phones need an old TLS; all others are told so on the phone's timeline.
func TestTLSVersions(t *testing.T) {
	t.Parallel()
	old := func(d *daemon) error {
		config := d.trust()
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
		conn, err := tls.Dial("tcp", d.addr["sip.tls"], config)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := old(serve(t, append(secureLoopback, "--sip.tls_min_version", "1.0")...)); err != nil {
		t.Errorf("TLS 1.0 is on: %v", err)
	}
	d := serve(t, append(secureLoopback, "--https.listen", "off")...)
	e := d.extension("101", "Desk")
	newRawPhone(t, d.addr["sip.udp"]).register("101", e.SIPUsername, e.SIPPassword, "desk", 600)
	listed := d.phones("registered=true")
	if len(listed) != 1 {
		t.Fatalf("listed %+v", listed)
	}
	if old(d) == nil {
		t.Error("TLS 1.0 is off, and works")
	}
	var timeline struct {
		Events []struct{ Kind, Protocol, Outcome, Detail string }
	}
	eventually(t, 5*time.Second, "the failure is on the timeline", func() bool {
		d.call("GET", "/v1/pbx/phones/"+listed[0].ID+"/timeline", nil, &timeline)
		return len(timeline.Events) > 0 && timeline.Events[0].Kind == "connect"
	})
	if got := timeline.Events[0]; got.Protocol != "tls" || got.Outcome != "version" || !strings.Contains(got.Detail, "sip.tls_min_version") {
		t.Errorf("timeline says %+v", got)
	}
}

// SIGHUP changes the certificate of new connections; those that are open stay.
func TestCertificateOfSIPReloads(t *testing.T) {
	t.Parallel()
	d := serve(t, append(secureLoopback, "--https.listen", "off")...)
	e := d.extension("101", "Desk")
	serial := func() string {
		conn, err := tls.Dial("tcp", d.addr["sip.tls"], d.trust())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before, p := serial(), d.connect("tls")
	p.register(e, "desk")
	for _, name := range []string{"server.pem", "server.key"} {
		if err := os.Remove(filepath.Join(d.dir, "tls", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "a new certificate", func() bool { return serial() != before })
	if answer := p.register(e, "desk"); !strings.HasPrefix(answer, "SIP/2.0 200 ") {
		t.Errorf("over the old connection: %s", answer)
	}
}

// A thousand clients that say nothing on the WebSocket ports keep no phone out.
func TestSilentClientsAtTheWebSocketPorts(t *testing.T) {
	t.Parallel()
	d := serve(t, secureLoopback...)
	e := d.extension("101", "Desk")
	for i := range 1000 {
		conn, err := net.Dial("tcp", d.addr[[]string{"sip.ws", "sip.wss"}[i%2]])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	for _, transport := range []string{"ws", "wss"} {
		begun := time.Now()
		if answer := d.connect(transport).register(e, transport); !strings.HasPrefix(answer, "SIP/2.0 200 ") {
			t.Errorf("%s: %s", transport, answer)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", transport, took)
		}
	}
}
