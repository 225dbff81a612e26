package e2e

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// deskPhones creates one phone of each vendor and returns vendor: MAC.
func deskPhones(d *daemon) map[string]string {
	d.t.Helper()
	macs := map[string]string{"polycom": "0004f2abcdef", "yealink": "001565aabb01", "grandstream": "000b82123456"}
	models := map[string]string{"polycom": "VVX 450", "yealink": "T46S", "grandstream": "GXP2135"}
	number := map[string]string{"polycom": "101", "yealink": "102", "grandstream": "103"}
	for vendor, mac := range macs {
		d.extension(number[vendor], "Desk of "+vendor)
		d.phone(mac, models[vendor], number[vendor])
	}
	return macs
}

// fetchers are other people's clients; each returns what it got, nil for nothing.
func fetchers(t *testing.T, d *daemon) map[string]func(name string) []byte {
	t.Helper()
	curl, tftp, atftp := testkit.Need(t, "curl"), testkit.Need(t, "tftp"), testkit.Need(t, "atftp")
	host, port, err := net.SplitHostPort(d.addr["tftp"])
	if err != nil {
		t.Fatal(err)
	}
	into := func(name string, arg func(out string) []string) []byte {
		out := filepath.Join(t.TempDir(), "out")
		args := arg(out)
		cmd := exec.Command(args[0], args[1:]...)
		text, err := cmd.CombinedOutput()
		body, readErr := os.ReadFile(out)
		if err != nil || readErr != nil || len(body) == 0 {
			t.Logf("%s: %v %s", strings.Join(args, " "), err, text)
			return nil
		}
		return body
	}
	return map[string]func(string) []byte{
		"http": func(n string) []byte {
			return into(n, func(out string) []string {
				return []string{curl, "-sSf", "--max-time", "10", "-o", out, "http://" + d.addr["http"] + "/" + n}
			})
		},
		"https": func(n string) []byte {
			return into(n, func(out string) []string {
				return []string{curl, "-sSf", "--max-time", "10", "--cacert", filepath.Join(d.dir, "tls", "ca.pem"), "-o", out, "https://" + d.addr["https"] + "/" + n}
			})
		},
		"tftp-hpa": func(n string) []byte {
			return into(n, func(out string) []string { return []string{tftp, "-m", "binary", host, port, "-c", "get", n, out} })
		},
		"atftp": func(n string) []byte {
			return into(n, func(out string) []string {
				return []string{atftp, "--option", "blksize 1428", "-g", "-r", n, "-l", out, host, port}
			})
		},
		"curl tftp": func(n string) []byte {
			return into(n, func(out string) []string {
				return []string{curl, "-sSf", "--max-time", "10", "-o", out, "tftp://" + d.addr["tftp"] + "/" + n}
			})
		},
	}
}

// Each vendor's files, in its order, by every client, in any case.
func TestFilesByClients(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := deskPhones(d)
	upper := func(v string) string { return strings.ToUpper(macs[v]) }
	for client, fetch := range fetchers(t, d) {
		t.Run(client, func(t *testing.T) {
			for _, name := range []string{
				macs["polycom"] + ".cfg", upper("polycom") + ".cfg", "000000000000.cfg",
				macs["yealink"] + ".boot", "y000000000000.boot", "y000000000066.cfg", "Y000000000066.CFG", macs["yealink"] + ".cfg", upper("yealink") + ".cfg",
				"cfg" + macs["grandstream"] + ".xml", "CFG" + upper("grandstream") + ".XML",
			} {
				if fetch(name) == nil {
					t.Errorf("%s: nothing", name)
				}
			}
			if body := fetch(macs["yealink"] + ".cfg"); !strings.Contains(string(body), "account.1.user_name = 102") {
				t.Errorf("yealink: %s", body)
			}
			if body := fetch("cfg" + macs["grandstream"] + ".xml"); !strings.Contains(string(body), "<P35>103</P35>") {
				t.Errorf("grandstream: %s", body)
			}
		})
	}
}

// An image in the firmware folder is served under its own name, whole and in part.
func TestFirmware(t *testing.T) {
	t.Parallel()
	d := serve(t)
	const name = "T46U(T43U,T46U)-108.86.0.90.rom"
	image := strings.Repeat("0123456789abcdef", 1<<16)
	writeFile(t, filepath.Join(d.dir, "firmware", name), image)
	for client, fetch := range fetchers(t, d) {
		escaped := name
		if strings.HasPrefix(client, "http") {
			escaped = url.PathEscape(name)
		}
		if got := fetch(escaped); string(got) != image {
			t.Errorf("%s: %d bytes of %d", client, len(got), len(image))
		}
	}
	out, err := exec.Command("curl", "-sS", "-r", "16-19", "http://"+d.addr["http"]+"/"+url.PathEscape(name)).Output()
	if err != nil || string(out) != "0123" {
		t.Errorf("a part: %q, %v", out, err)
	}
}

// What is not there, not known or not allowed gets one and the same answer.
func TestFilesRefused(t *testing.T) {
	t.Parallel()
	d := serve(t)
	deskPhones(d)
	var first []byte
	for _, name := range []string{"nothing.cfg", "001565999999.cfg", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "cfg000b82999999.xml", "0004f2999999.cfg"} {
		res, err := http.Get("http://" + d.addr["http"] + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 4096)
		n, _ := res.Body.Read(body)
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", name, res.Status)
		}
		if first == nil {
			first = body[:n]
		}
		if string(first) != string(body[:n]) {
			t.Errorf("%s: another body: %q, %q", name, body[:n], first)
		}
	}
	for client, fetch := range fetchers(t, d) {
		if body := fetch("../../../../../../etc/passwd"); body != nil {
			t.Errorf("%s got %q", client, body)
		}
	}
}
