package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newcomers are phones that nobody provisioned.
var newcomers = map[string]string{"polycom": "0004f2000101", "yealink": "001565000102", "grandstream": "000b82000103"}

// boot runs "dialtone phone" until the test ends and returns what it prints.
func (d *daemon) boot(vendor, mac, server string, args ...string) *syncBuffer {
	d.t.Helper()
	cmd := exec.Command(binary, append([]string{"phone", "--vendor", vendor, "--mac", mac, "--server", server}, args...)...)
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	return out
}

func (d *daemon) awaitRegistered(mac string, out *syncBuffer) listed {
	d.t.Helper()
	var p listed
	defer func() {
		if d.t.Failed() {
			d.t.Log(out.String())
		}
	}()
	eventually(d.t, 60*time.Second, mac+" is registered", func() bool {
		list := d.phones("macAddress=" + mac)
		if len(list) == 1 {
			p = list[0]
		}
		return len(list) == 1 && p.Registered
	})
	return p
}

var shownCode = regexp.MustCompile(`display +Code (\d{6})`)

// Unknown, pending, adopted, registered: for each vendor, by the code it shows and
// by its place in the list.
func TestPhonesAreAdopted(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	for vendor, mac := range newcomers {
		// By default it is listed and gets what an unknown file gets.
		name := map[string]string{"polycom": mac + ".cfg", "yealink": mac + ".boot", "grandstream": "cfg" + mac + ".xml"}[vendor]
		if got, want := d.answer("GET", "/"+name, ""), d.answer("GET", "/nothing.html", ""); got != want || !strings.HasPrefix(got, "HTTP/1.1 404") {
			t.Errorf("%s gets\n%s\nand an unknown file\n%s", vendor, got, want)
		}
		if list := d.phones("state=pending&macAddress=" + mac); len(list) != 1 {
			t.Errorf("%s is not listed: %+v", vendor, list)
		}
	}
	if status := d.call("POST", "/v1/pbx/enrollment", map[string]any{"phones": 3, "minutes": 5, "subnet": "127.0.0.0/8"}, nil); status != http.StatusCreated {
		t.Fatalf("enrollment: %d", status)
	}
	for vendor, mac := range newcomers {
		t.Run(vendor, func(t *testing.T) {
			out := d.boot(vendor, mac, "http://"+d.addr["http"]+"/", "--poll", "500ms")
			eventually(t, 30*time.Second, "the phone shows a code", func() bool { return shownCode.MatchString(out.String()) })
			code := shownCode.FindStringSubmatch(out.String())[1]
			pending := d.phones("state=pending&macAddress=" + mac)
			if len(pending) != 1 {
				t.Fatalf("pending: %+v", pending)
			}
			var adopted listed
			if vendor == "polycom" {
				if status := d.call("POST", "/v1/pbx/phones/"+pending[0].ID+"/adopt", map[string]string{"extensionNumber": "999"}, nil); status != http.StatusUnprocessableEntity {
					t.Errorf("an extension that is not there: %d", status)
				}
				if status := d.call("POST", "/v1/pbx/phones/"+pending[0].ID+"/adopt", map[string]string{"extensionNumber": "101"}, &adopted); status != http.StatusOK {
					t.Fatalf("adopt: %d", status)
				}
			} else if status := d.call("POST", "/v1/pbx/phones/adopt", map[string]string{"claimCode": code, "extensionNumber": "101"}, &adopted); status != http.StatusOK {
				t.Fatalf("adopt: %d", status)
			}
			if p := d.awaitRegistered(mac, out); p.ID != pending[0].ID || adopted.ID != p.ID || p.ExtensionNumber != "101" || p.ExtensionName != "Front Desk" {
				t.Errorf("pending %+v\nadopted %+v\nregistered %+v", pending[0], adopted, p)
			}
		})
	}
	var window struct {
		Open  bool
		Taken int
	}
	if d.call("GET", "/v1/pbx/enrollment", nil, &window); window.Open || window.Taken != 3 {
		t.Errorf("the window has not closed itself: %+v", window)
	}
	if got := d.answer("GET", "/0004f20001ff.cfg", ""); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("a fourth phone gets %s", got)
	}
}

// auto gives each phone the lowest extension that has none.
func TestPhonesEnrollThemselves(t *testing.T) {
	t.Parallel()
	d := serve(t, "--provision.enroll", "auto")
	for _, n := range []string{"30", "7", "200"} {
		d.extension(n, "")
	}
	d.phone("0004f2abcdef", "VVX 450", "30")
	var got []string
	for _, vendor := range []string{"yealink", "grandstream"} {
		out := d.boot(vendor, newcomers[vendor], "http://"+d.addr["http"]+"/")
		got = append(got, d.awaitRegistered(newcomers[vendor], out).ExtensionNumber)
	}
	if got[0] != "7" || got[1] != "200" {
		t.Errorf("extensions %q", got)
	}
	out := d.boot("polycom", newcomers["polycom"], "http://"+d.addr["http"]+"/")
	eventually(t, 30*time.Second, "the phone that finds none shows a code", func() bool { return shownCode.MatchString(out.String()) })
}

// A phone of each vendor boots from its enrollment URL, moves to the token in its
// files and registers; then the enrollment URL is worth nothing. No token is in a
// log line, a metric or a timeline.
func TestTokens(t *testing.T) {
	t.Parallel()
	d := serve(t, "--provision.secrets", "token", "--log.level", "debug")
	macs := deskPhones(d)
	var secrets []string
	for vendor, mac := range macs {
		name := map[string]string{"polycom": mac + "-dialtone.cfg", "yealink": mac + ".cfg", "grandstream": "cfg" + mac + ".xml"}[vendor]
		nothing := d.answer("GET", "/nothing.html", "")
		if got := d.answer("GET", "/"+name, ""); got != nothing {
			t.Errorf("%s without a token: %s", vendor, got)
		}
		id := d.phones("macAddress=" + mac)[0].ID
		var token struct{ URL, Token string }
		if status := d.call("POST", "/v1/pbx/phones/"+id+"/token", nil, &token); status != http.StatusCreated {
			t.Fatalf("token: %d", status)
		}
		out := d.boot(vendor, mac, token.URL)
		d.awaitRegistered(mac, out)
		eventually(t, 20*time.Second, "the enrollment token is retired", func() bool {
			return d.answer("GET", "/p/"+token.Token+"/"+name, "") == nothing
		})
		steady := regexp.MustCompile(`/p/([a-z2-7]{26})/`).FindAllStringSubmatch(out.String(), -1)
		last := steady[len(steady)-1][1]
		if last == token.Token {
			t.Errorf("%s stayed at its enrollment token", vendor)
		}
		secrets = append(secrets, token.Token, last)
		if got := d.answer("GET", "/p/"+last+"/"+name, ""); !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.Contains(got, last) {
			t.Errorf("%s with its token: %.300s", vendor, got)
		}
		other := "0004f2abcdef.cfg"
		if vendor == "polycom" {
			other = macs["yealink"] + ".cfg"
		}
		if got := d.answer("GET", "/p/"+last+"/"+other, ""); got != nothing {
			t.Errorf("another phone's file with the token of %s: %s", vendor, got)
		}
		if status, preview := d.raw("GET", "/v1/pbx/phones/"+id+"/config?file="+name, nil); status != 200 || strings.Contains(string(preview), last) {
			t.Errorf("preview %d:\n%s", status, preview)
		}
		status, timeline := d.raw("GET", "/v1/pbx/phones/"+id+"/timeline", nil)
		if status != 200 || strings.Contains(string(timeline), last) || strings.Contains(string(timeline), token.Token) || !strings.Contains(string(timeline), "assurance: token") {
			t.Errorf("timeline %d:\n%s", status, timeline)
		}
		if status := d.call("DELETE", "/v1/pbx/phones/"+id+"/token", nil, nil); status != http.StatusNoContent {
			t.Errorf("revoke: %d", status)
		}
		if got := d.answer("GET", "/p/"+last+"/"+name, ""); got != nothing {
			t.Errorf("%s with a token that was revoked: %s", vendor, got)
		}
	}
	_, metrics := d.raw("GET", "/metrics", nil)
	for _, s := range secrets {
		if strings.Contains(d.log.String(), s) || strings.Contains(string(metrics), s) {
			t.Errorf("a token is in the log or the metrics")
		}
	}
}

// factory makes a CA and a certificate for a MAC as makers do, and returns the files.
func factory(t *testing.T, mac string) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
		return file
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Maker Root CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: mac}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return write("ca.pem", "CERTIFICATE", rootDER), write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "PRIVATE KEY", keyDER)
}

// With provision.secrets mtls a phone needs its maker's certificate for its MAC.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, cert, key := factory(t, "000B82123456")
	d := serve(t, "--provision.secrets", "mtls", "--https.client_ca", ca)
	macs := deskPhones(d)
	url := "https://" + d.addr["https"] + "/"
	trust := filepath.Join(d.dir, "tls", "ca.pem")
	out := d.boot("grandstream", macs["grandstream"], url, "--ca", trust, "--cert", cert, "--key", key)
	d.awaitRegistered(macs["grandstream"], out)
	for vendor, args := range map[string][]string{"yealink": {"--cert", cert, "--key", key}, "polycom": nil} {
		out := d.boot(vendor, macs[vendor], url, append([]string{"--ca", trust}, args...)...)
		eventually(t, 30*time.Second, vendor+" is refused", func() bool { return strings.Contains(out.String(), "404, 0 bytes") })
	}
	for _, p := range d.phones("registered=true") {
		if p.Manufacturer != "Grandstream" {
			t.Errorf("registered: %+v", p)
		}
	}
}
