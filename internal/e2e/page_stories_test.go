package e2e

import (
	"crypto/tls"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to make a store as an older program left it

	"pbx.dev/dialtone/internal/testkit"
)

// plug runs a simulated phone and returns how it is unplugged, politely.
func (d *daemon) plug(vendor, mac string) (unplug func()) {
	d.t.Helper()
	cmd := exec.Command(binary, "phone", "--vendor", vendor, "--mac", mac, "--server", "http://"+d.addr["http"]+"/")
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	unplug = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	d.t.Cleanup(unplug)
	return unplug
}

func (d *daemon) awaitRegisteredCount(n int) {
	d.t.Helper()
	eventually(d.t, 60*time.Second, fmt.Sprint(n, " phones register"), func() bool { return len(d.phones("registered=true")) == n })
}

// A claim code that a phone shows brings it to its desk.
func TestPageEnrollment(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	d.tell(t, "enrollment", func(string) string {
		out := d.boot("yealink", "001565000102", "http://"+d.addr["http"]+"/", "--poll", "500ms")
		var code []string
		eventually(t, 60*time.Second, "the phone shows a code", func() bool {
			code = shownCode.FindStringSubmatch(out.String())
			return code != nil
		})
		return code[1]
	})
}

// Who asks for too much is shown, and forgiven.
func TestPageBans(t *testing.T) {
	t.Parallel()
	d := serve(t, "--provision.probe_budget", "20")
	d.tell(t, "bans", func(string) string {
		for i := range 30 {
			d.answer("GET", fmt.Sprintf("/0015650001%02d.cfg", i), "")
		}
		return "done"
	})
}

// A built-in template that has changed since is merged on the page.
func TestPageMerge(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	var builtin struct{ Content string }
	d.call("GET", "/v1/pbx/templates/yealink-phone", nil, &builtin)
	own := strings.TrimRight(builtin.Content, "\n") + "\nphone_setting.lcd_logo.mode = 1\n"
	if status := d.call("PUT", "/v1/pbx/templates/yealink-phone", map[string]any{"content": own}, nil); status != http.StatusOK {
		t.Fatalf("PUT: %d", status)
	}
	// As if it had been made from an older program's: its first comment was another.
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "dialtone.db"))
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`(?m)^# .*$`)
	older := first.ReplaceAllString(builtin.Content, "# older")
	if older == builtin.Content {
		t.Fatal("the built-in template has no comment")
	}
	if _, err := db.Exec(`UPDATE template_revisions SET id = $2, base = $1, content = replace(content, $2, $3)`, older, first.FindString(builtin.Content), "# older"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.tell(t, "merge", nil)
	var merged struct{ Content string }
	d.call("GET", "/v1/pbx/templates/yealink-phone", nil, &merged)
	if merged.Content != own {
		t.Errorf("it ends with %q and begins with %q", merged.Content[len(merged.Content)-80:], merged.Content[:200])
	}
}

func TestPageAudit(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	body := map[string]any{"macAddress": "001565aabb01", "model": "T46S", "lines": []any{map[string]any{"line": 1, "extensionNumber": "101"}}, "settings": map[string]string{"adminPassword": "planted-secret-2"}}
	if status := d.call("POST", "/v1/pbx/phones", body, nil); status != http.StatusCreated {
		t.Fatalf("POST: %d", status)
	}
	d.tell(t, "audit", nil)
}

// Three phones are resynced in waves.
func TestPageBulk(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for i := range 3 {
		number, mac := fmt.Sprint(101+i), fmt.Sprintf("001565aabb0%d", i)
		d.extension(number, "Desk "+number)
		d.phone(mac, "T46S", number)
		d.plug("yealink", mac)
	}
	d.awaitRegisteredCount(3)
	d.answer("GET", "/001565000099.cfg", "")
	d.tell(t, "bulk", nil)
}

func TestPageImport(t *testing.T) {
	t.Parallel()
	serve(t).tell(t, "importing", nil)
}

// A phone is replaced by another one; the old one does not come back.
func TestPageReplace(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.tell(t, "replace", func(string) string {
		d.plug("yealink", "001565aabb02")
		return "plugged"
	})
}

func TestPageRotate(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.extension("102", "Lab")
	d.tell(t, "rotate", func(word string) string {
		file := d.curl(strings.TrimPrefix(word, "fetch ") + "001565aabb01.cfg")
		if !strings.Contains(file, "account.1.password = ") {
			t.Errorf("by its secret path the phone gets %s", file)
		}
		return "fetched"
	})
}

func TestPageKeys(t *testing.T) {
	t.Parallel()
	serve(t).tell(t, "keys", nil)
}

// The end of a session, over HTTP and behind a proxy that speaks HTTPS.
func TestPageExpiry(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.tell(t, "expiry", nil)
	target, err := url.Parse("http://" + d.addr["admin"])
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Host = r.In.Host // as proxies have to, or it looks like another site
	}, FlushInterval: -1})
	proxy.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	proxy.StartTLS()
	defer proxy.Close()
	if status := d.call("DELETE", "/v1/pbx/extensions/301", nil, nil); status != http.StatusNoContent {
		t.Fatalf("the extension of the first story: %d", status)
	}
	d.tellAt(t, "expiry", proxy.URL, nil)
}

func TestPageConflict(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.tell(t, "conflict", nil)
}

func TestPageRetry(t *testing.T) {
	t.Parallel()
	serve(t).tell(t, "retry", nil)
}

func TestPageKeyboard(t *testing.T) {
	t.Parallel()
	serve(t).tell(t, "keyboard", nil)
}

// The keys of three models, and lamps that follow a phone that goes.
func TestPageHandset(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for number, p := range map[string][2]string{"101": {"001565aabb01", "T46S"}, "102": {"0004f2abcdef", "VVX 450"}, "103": {"000b82000001", "GXP9999"}} {
		d.extension(number, "Desk "+number)
		d.phone(p[0], p[1], number)
	}
	unplug := d.plug("yealink", "001565aabb01")
	d.awaitRegisteredCount(1)
	d.tell(t, "handset", func(string) string {
		unplug()
		return "unplugged"
	})
}

func TestPageDashboard(t *testing.T) {
	t.Parallel()
	d := deskOn(t)
	d.extension("102", "Lab")
	d.phone("0004f2abcdef", "VVX 450", "102")
	d.tell(t, "dashboard", func(string) string {
		d.plug("polycom", "0004f2abcdef")
		d.answer("GET", "/001565aabb01-nothing.cfg", "")
		d.answer("GET", "/001565fffff0.cfg", "")
		return "done"
	})
}

// The words of the page are in one place.
func TestPageWords(t *testing.T) {
	t.Parallel()
	deskOn(t).tell(t, "words", nil)
}

// A second DHCP server of the network is overheard and named.
func TestPageDHCP(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	d := &daemon{t: t, dir: t.TempDir(), netns: l.server, args: []string{
		"--advertise", serverIP, "--admin.listen", "127.0.0.1:8080", "--sip.tls", "off", "--sip.ws", "off", "--sip.wss", "off",
		"--dhcp.mode", "proxy", "--dhcp.interface", "lan0",
	}}
	d.start()
	if out, err := exec.Command("ip", "-n", l.desk, "addr", "add", "192.168.50.3/24", "dev", "eth0").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	dnsmasq, udhcpc := testkit.Need(t, "dnsmasq"), testkit.Need(t, "udhcpc")
	d.tell(t, "dhcp", func(string) string {
		other := l.at(dnsmasq, "-k", "-u", "root", "--port=0", "--conf-file=/dev/null", "--bind-interfaces", "-i", "eth0", "--log-facility=-", "--no-ping",
			"--dhcp-range=192.168.50.50,192.168.50.59,1h", "--dhcp-leasefile="+t.TempDir()+"/leases", "--pid-file=", "--dhcp-option=66,old-pbx.example")
		log := &syncBuffer{}
		other.Stderr = log
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = other.Process.Kill()
			_ = other.Wait()
		})
		eventually(t, 20*time.Second, "dnsmasq listens", func() bool { return strings.Contains(log.String(), "DHCP, IP range") })
		// A client beside the server: what it is told is broadcast on the cable.
		client := exec.Command("ip", "netns", "exec", l.server, udhcpc, "-f", "-q", "-n", "-B", "-i", "lan0", "-s", "/bin/true", "-O", "66", "-t", "5", "-T", "2")
		if out, err := client.CombinedOutput(); err != nil {
			t.Fatalf("udhcpc: %v\n%s\n%s", err, out, log)
		}
		return "heard"
	})
	if list := l.api(d, "/v1/pbx/dhcp/servers", ""); !strings.Contains(list, `"address":"192.168.50.3"`) {
		t.Error(list)
	}
}

// Variables of a template, declared in the editor and filled by a layer.
func TestPageVariables(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Front Desk")
	p := d.phone("001565aabb01", "T46S", "101")
	d.tell(t, "variables", func(string) string { return p.ID })
}
