package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// makerCA makes a phone maker's CA with openssl and a certificate for each subject.
func makerCA(t *testing.T, dir string, subjects map[string]string) (ca string) {
	t.Helper()
	openssl := testkit.Need(t, "openssl")
	ca = filepath.Join(dir, "maker.pem")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
	}
	run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=Maker Root CA",
		"-keyout", "maker.key", "-out", "maker.pem")
	ext := filepath.Join(dir, "ext")
	for name, subject := range subjects {
		subj, san, _ := strings.Cut(subject, " ")
		text := "extendedKeyUsage=clientAuth\n"
		if san != "" {
			text += "subjectAltName=" + san + "\n"
		}
		if err := os.WriteFile(ext, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run("req", "-newkey", "rsa:2048", "-nodes", "-subj", subj, "-keyout", name+".key", "-out", name+".csr")
		run("x509", "-req", "-in", name+".csr", "-CA", "maker.pem", "-CAkey", "maker.key", "-CAcreateserial", "-days", "2", "-extfile", ext, "-out", name+".pem")
	}
	return ca
}

// fetch is curl's status for a file, and the file.
func (d *daemon) fetch(args ...string) (status, body string) {
	d.t.Helper()
	full := append([]string{"-sS", "--path-as-is", "--max-time", "20", "-w", "\n%{http_code}"}, args...)
	out, err := exec.Command(testkit.Need(d.t, "curl"), full...).CombinedOutput()
	text := string(out)
	i := strings.LastIndexByte(text, '\n')
	if err != nil || i < 0 {
		return "", fmt.Sprintf("%v: %s", err, text)
	}
	return text[i+1:], text[:i]
}

// Phones with their makers' certificates get their own files, in the forms that the
// makers write the MAC address; a certificate opens nothing else.
func TestFactoryCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := makerCA(t, dir, map[string]string{
		"polycom": "/CN=0004F2ABCDEF", "yealink": "/CN=001565aabb01", "grandstream": "/CN=00:0B:82:12:34:56",
		"serial": "/CN=phone/serialNumber=0004F2ABCDEF", "san": "/CN=phone DNS:0004f2abcdef",
		"generic": "/CN=Yealink-T46S", "two": "/CN=0004F2ABCDEF DNS:001565aabb01",
	})
	d := serve(t, "--https.client_ca", ca, "--provision.secrets", "mtls")
	macs := deskPhones(d)
	files := map[string]string{"polycom": "/0004f2abcdef-dialtone.cfg", "yealink": "/001565aabb01.cfg", "grandstream": "/cfg000b82123456.xml"}
	files["serial"], files["san"] = files["polycom"], files["polycom"]
	with := func(cert, path string) (string, string) {
		args := []string{"--cacert", filepath.Join(d.dir, "tls", "ca.pem"), "https://" + d.addr["https"] + path}
		if cert != "" {
			args = append(args, "--cert", filepath.Join(dir, cert+".pem"), "--key", filepath.Join(dir, cert+".key"))
		}
		return d.fetch(args...)
	}
	for cert, path := range files {
		if status, body := with(cert, path); status != "200" || !strings.Contains(body, "10") {
			t.Errorf("%s: %s, %s", cert, status, body)
		}
	}
	for _, tt := range []struct{ cert, path string }{
		{"polycom", files["yealink"]},
		{"yealink", files["polycom"]},
		{"generic", files["yealink"]},
		{"two", files["polycom"]},
		{"", files["polycom"]},
		{"polycom", "/0004f2000001.cfg"},
	} {
		if status, body := with(tt.cert, tt.path); status != "404" || body != "404 Not Found\n" {
			t.Errorf("%s asks for %s: %s, %s", tt.cert, tt.path, status, body)
		}
	}
	if len(macs) != 3 {
		t.Fatal(macs)
	}
	clientCAReload(t, d, ca, with)
}

// clientCAReload replaces the makers' CAs under the running server.
func clientCAReload(t *testing.T, d *daemon, ca string, with func(cert, path string) (string, string)) {
	t.Helper()
	other := t.TempDir()
	text, err := os.ReadFile(makerCA(t, other, nil))
	if err != nil {
		t.Fatal(err)
	}
	hup := func(content []byte, says string) {
		t.Helper()
		before := strings.Count(d.log.String(), says)
		if err := os.WriteFile(ca, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, says, func() bool { return strings.Count(d.log.String(), says) > before })
	}
	hup([]byte("rubbish"), "reload failed")
	if status, body := with("yealink", "/001565aabb01.cfg"); status != "200" {
		t.Errorf("after a bad reload: %s, %s", status, body)
	}
	hup(text, "reload done")
	if status, _ := with("yealink", "/001565aabb01.cfg"); status == "200" {
		t.Error("a maker that was taken out is trusted")
	}
}

// Old phones have a listener of their own; what fails on the other one is on the
// timeline of the phone whose address it came from.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	d := serve(t, "--https.legacy_listen", "127.0.0.1:0")
	deskPhones(d)
	old := []string{"--tlsv1.0", "--tls-max", "1.0", "--ciphers", "AES128-SHA:@SECLEVEL=0"}
	ca := filepath.Join(d.dir, "tls", "ca-rsa.pem")
	status, body := d.fetch(append(old, "--cacert", ca, "https://"+d.addr["https.legacy"]+"/001565aabb01.cfg")...)
	if status != "200" || !strings.Contains(body, "account.1.password") {
		t.Errorf("TLS 1.0 with an RSA key exchange: %s, %s", status, body)
	}
	if status, _ := d.fetch(append(old, "--cacert", ca, "https://"+d.addr["https"]+"/001565aabb01.cfg")...); status != "" {
		t.Errorf("TLS 1.0 on the other listener: %s", status)
	}
	if status, body := d.fetch("--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256", "--cacert", ca, "https://"+d.addr["https"]+"/001565aabb01.cfg"); status != "200" {
		t.Errorf("RSA alone: %s, %s", status, body)
	}
	if text := d.metrics(); !strings.Contains(text, `dialtone_phone_tls_failures_total{reason="version"} 1`) {
		t.Error("the failure is not counted")
	}
	id := d.phones("macAddress=001565aabb01")[0].ID
	if _, text := d.raw("GET", "/v1/pbx/phones/"+id+"/timeline", nil); !strings.Contains(string(text), "see https.legacy_listen") {
		t.Errorf("the failure is not on the timeline: %s", text)
	}
}

// metrics is the text of /metrics.
func (d *daemon) metrics() string {
	d.t.Helper()
	status, text := d.raw("GET", "/metrics", nil)
	if status != 200 {
		d.t.Fatalf("metrics: %d", status)
	}
	return string(text)
}

// With provision.http_auth a phone gets its password with its first file, over TFTP
// here, and then proves who it is with it. It uploads its log the same way.
func TestDigestAndUploadsByCurl(t *testing.T) {
	t.Parallel()
	d := serve(t, "--provision.http_auth", "digest")
	deskPhones(d)
	host, port, err := net.SplitHostPort(d.addr["tftp"])
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "file")
	if text, err := exec.Command(testkit.Need(t, "atftp"), "--option", "windowsize 8", "--option", "blksize 1428", "-g", "-r", "001565aabb01.cfg", "-l", out, host, port).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(file), "static.auto_provision.server.password = ")
	password, _, _ := strings.Cut(after, "\n")
	if len(password) != 24 {
		t.Fatalf("password is %q", password)
	}
	base := "http://" + d.addr["http"]
	if status, body := d.fetch("--digest", "-u", "001565aabb01:"+password, base+"/001565aabb01.cfg"); status != "200" || body != string(file) {
		t.Errorf("with its password: %s, %s", status, body)
	}
	for _, path := range []string{"/001565aabb01.cfg", "/001565000001.cfg", "/0004f2abcdef.cfg"} {
		if status, _ := d.fetch(base + path); status != "401" {
			t.Errorf("%s without a password: %s", path, status)
		}
	}
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("a line of a log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body := d.fetch("-T", log, base+"/0004f2abcdef-app.log"); status != "401" {
		t.Errorf("upload without a password: %s, %s", status, body)
	}
	if strings.Contains(d.log.String(), password) {
		t.Error("the password is in the log")
	}
}

// Uploads over HTTP and TFTP end in the store of the phone.
func TestUploadsOfLogs(t *testing.T) {
	t.Parallel()
	d := serve(t)
	deskPhones(d)
	host, port, err := net.SplitHostPort(d.addr["tftp"])
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("a line of a log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := "http://" + d.addr["http"]
	for path, want := range map[string]string{"/0004f2abcdef-app.log": "201", "/0004f2000001-app.log": "404", "/0004f2abcdef-dialtone.cfg": "404"} {
		if status, body := d.fetch("-T", log, base+path); status != want {
			t.Errorf("PUT %s: %s, %s", path, status, body)
		}
	}
	text, err := exec.Command(testkit.Need(t, "tftp"), "-m", "binary", host, port, "-c", "put", log, "0004f2abcdef-boot.log").CombinedOutput()
	if err != nil || len(text) > 0 {
		t.Errorf("TFTP: %v, %s", err, text)
	}
	text, _ = exec.Command(testkit.Need(t, "tftp"), "-m", "binary", host, port, "-c", "put", log, "0004f2000001-boot.log").CombinedOutput()
	if !strings.Contains(string(text), "Access violation") {
		t.Errorf("TFTP of an unknown phone: %s", text)
	}
	for _, name := range []string{"/0004f2abcdef-app.log", "/0004f2abcdef-boot.log"} {
		if status, body := d.fetch("-I", base+name); status != "200" || !strings.Contains(body, "Content-Length: 16") {
			t.Errorf("HEAD %s: %s, %s", name, status, body)
		}
	}
}
