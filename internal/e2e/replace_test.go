package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// status is what curl got for a URL.
func (d *daemon) status(url string) string {
	d.t.Helper()
	out, err := exec.Command(testkit.Need(d.t, "curl"), "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", url).Output()
	if err != nil {
		d.t.Fatalf("curl %s: %v", url, err)
	}
	return string(out)
}

// TestReplacedPhone: a phone goes back to its maker. The new one is the same phone with
// its lines, settings and name; from the answer on the old one's files, token and SIP
// user are worth nothing, and a kill right after it changes none of that.
func TestReplacedPhone(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	d := serve(t)
	d.extension("101", "Front Desk")
	d.extension("102", "Hall")
	const before, after = "001565aabb01", "001565aabb02"
	body := `{"macAddress":"` + before + `","model":"T46S","name":"Reception","site":"hq","settings":{"ntp":"ntp.example.org"},"lines":[{"line":1,"extensionNumber":"101"},{"line":3,"extensionNumber":"102"}]}`
	var p listed
	if status := d.call("POST", "/v1/pbx/phones", body, &p); status != http.StatusCreated {
		t.Fatalf("%d", status)
	}
	var token struct{ Token, URL string }
	if status := d.call("POST", "/v1/pbx/phones/"+p.ID+"/token", nil, &token); status/100 != 2 || token.Token == "" {
		t.Fatalf("token: %d", status)
	}
	base := "http://" + d.addr["http"] + "/"
	user, auth, password := rendered(t, d, before)
	if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-T46S 66.86.0.15", 600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{before + ".cfg", "p/" + token.Token + "/" + before + ".cfg"} {
		if got := d.status(base + path); got != "200" {
			t.Fatalf("%s before: %s", path, got)
		}
	}

	var replaced listed
	if status := d.call("POST", "/v1/pbx/phones/"+p.ID+"/replace", `{"macAddress":"`+after+`"}`, &replaced); status != http.StatusOK || replaced.ID != p.ID {
		t.Fatalf("%d %+v", status, replaced)
	}
	worthless := func(when string) {
		t.Helper()
		for _, path := range []string{before + ".cfg", "p/" + token.Token + "/" + before + ".cfg", "p/" + token.Token + "/" + after + ".cfg"} {
			if got := d.status("http://" + d.addr["http"] + "/" + path); got != "404" {
				t.Errorf("%s, the file %s: %s", when, path, got)
			}
		}
		if got := newRawPhone(t, d.addr["sip.udp"]).register("101", auth, password, "desk", 600); !strings.HasPrefix(got, "SIP/2.0 401 ") {
			t.Errorf("%s, the old user: %s", when, got)
		}
	}
	worthless("at once")
	d.kill(syscall.SIGKILL)
	d.start()
	worthless("after a kill")

	got := d.phones("macAddress=" + after)
	if len(got) != 1 || got[0].ID != p.ID || got[0].ExtensionNumber != "101" || got[0].Model != "T46S" {
		t.Errorf("listed as %+v", got)
	}
	cfg := d.curl("http://" + d.addr["http"] + "/" + after + ".cfg")
	for _, want := range []string{"ntp.example.org", "account.1.user_name = 101", "account.3.user_name = 102"} {
		if !strings.Contains(cfg, want) {
			t.Errorf("no %q in the new phone's file:\n%s", want, cfg)
		}
	}
	user, auth2, password2 := rendered(t, d, after)
	if auth2 == auth || password2 == password {
		t.Error("the new phone has the old user or secret")
	}
	if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth2, password2, "Yealink SIP-T46S 66.86.0.15", 600); err != nil {
		t.Error(err)
	}
}

// TestRotationOutlivesKills: old and new are good across a kill until a phone has
// proved the new one, and across the next the old one stays refused. Of two phones on
// one extension only the one whose lines were rotated is concerned.
func TestRotationOutlivesKills(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "baresip")
	d := serve(t, "--sip.udp", fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)))
	old := d.extension("101", "Desk")
	startBaresip(t, "old", d.addr["sip.udp"], "udp", "101", old.SIPUsername, old.SIPPassword).registered()
	var rotated credentials
	if status := d.call("POST", "/v1/pbx/extensions/101/credentials", nil, &rotated); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	says := func(c credentials) string {
		answer := newRawPhone(t, d.addr["sip.udp"]).register("101", c.SIPUsername, c.SIPPassword, "probe", 60)
		return strings.TrimPrefix(strings.SplitN(answer, "\r\n", 2)[0], "SIP/2.0 ")
	}
	again := func() {
		d.kill(syscall.SIGKILL)
		d.start()
	}
	again()
	if got := says(old); got != "200 OK" {
		t.Errorf("the old password after a kill: %s", got)
	}
	startBaresip(t, "new", d.addr["sip.udp"], "udp", "101", rotated.SIPUsername, rotated.SIPPassword).registered()
	refused := func() bool { return strings.HasPrefix(says(old), "401") }
	eventually(t, 15*time.Second, "the old password is good no more", refused)
	again()
	if got := says(rotated); !refused() || got != "200 OK" {
		t.Errorf("after the next kill the old one is refused: %v, the new one: %s", refused(), got)
	}

	d.extension("102", "Hall")
	macs := []string{"001565aabb01", "001565aabb02"}
	ids := map[string]string{}
	for _, mac := range macs {
		ids[mac] = d.phone(mac, "T46S", "102").ID
		d.simulated("yealink", mac)
	}
	eventually(t, 30*time.Second, "both simulated phones register", func() bool { return len(d.phones("registered=true&extensionNumber=102")) == 2 })
	_, user0, secret0 := rendered(t, d, macs[0])
	_, user1, secret1 := rendered(t, d, macs[1])
	if status := d.call("POST", "/v1/pbx/phones/"+ids[macs[0]]+"/credentials", nil, nil); status != http.StatusOK {
		t.Fatalf("rotate: %d", status)
	}
	if j := d.ends(d.startJob("/v1/pbx/phones/"+ids[macs[0]]+"/resync", nil).ID); j.State != "applied" {
		t.Errorf("resync %+v", j)
	}
	register := func(user, secret string) string {
		return newRawPhone(t, d.addr["sip.udp"]).register("102", user, secret, "probe", 60)
	}
	eventually(t, 15*time.Second, "the first phone's old secret is good no more", func() bool { return strings.HasPrefix(register(user0, secret0), "SIP/2.0 401") })
	if got := register(user1, secret1); !strings.HasPrefix(got, "SIP/2.0 200") {
		t.Errorf("the other phone: %s", got)
	}
}
