package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mineYealink is a template that phones register with; mark tells its revisions apart.
func mineYealink(mark, password string) string {
	return "#!version:1.0.0.1\nphone_setting.lcd_logo.mode = " + mark + "\n{{range .Lines}}{{$n := .Number}}account.{{$n}}.enable = 1\naccount.{{$n}}.user_name = {{.User}}\n" +
		"account.{{$n}}.auth_name = {{.AuthUser}}\naccount.{{$n}}.password = " + password + "\naccount.{{$n}}.sip_server.1.address = {{.Server.Host}}\n" +
		"account.{{$n}}.sip_server.1.port = {{.Server.Port}}\naccount.{{$n}}.outbound_proxy_enable = 1\naccount.{{$n}}.outbound_proxy.1.address = {{.Server.OutboundProxy.Host}}\n" +
		"account.{{$n}}.outbound_proxy.1.port = {{.Server.OutboundProxy.Port}}\n{{end}}"
}

// threeDesks are registered simulated phones whose template is revision 1 of ours.
func threeDesks(t *testing.T, d *daemon) []string {
	t.Helper()
	if status, answer := d.raw("PUT", "/v1/pbx/templates/yealink-phone", map[string]any{"content": mineYealink("1", "{{.Password}}")}); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	macs := []string{"001565aabb01", "001565aabb02", "001565aabb03"}
	for i, mac := range macs {
		number := fmt.Sprint(101 + i)
		d.extension(number, "Desk")
		d.phone(mac, "T46S", number)
		d.simulated("yealink", mac)
	}
	eventually(t, 60*time.Second, "all register", func() bool { return len(d.phones("registered=true")) == len(macs) })
	return macs
}

// with counts the phones whose file has a mark.
func with(d *daemon, macs []string, mark string) (n int) {
	for _, mac := range macs {
		if strings.Contains(d.curl("http://"+d.addr["http"]+"/"+mac+".cfg"), "lcd_logo.mode = "+mark) {
			n++
		}
	}
	return n
}

func stage(t *testing.T, d *daemon, text string, body map[string]any) (jobID string) {
	t.Helper()
	var made struct{ LatestRevision int64 }
	if status := d.call("PUT", "/v1/pbx/templates/yealink-phone", map[string]any{"content": text, "activate": false}, &made); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	var j struct{ ID string }
	body["revision"] = made.LatestRevision
	if status := d.call("POST", "/v1/pbx/templates/yealink-phone/activate", body, &j); status != http.StatusAccepted || j.ID == "" {
		t.Fatalf("activate: %d %+v", status, j)
	}
	return j.ID
}

// A template with which phones cannot register stops at the canary: no other phone
// got it, and the canary gets the earlier one again.
func TestTemplateCanary(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := threeDesks(t, d)
	id := stage(t, d, mineYealink("2", "wrong"), map[string]any{"waves": map[string]int{"canary": 1, "timeoutSeconds": 4}})
	most := 0
	eventually(t, 60*time.Second, "the rollout stops", func() bool {
		most = max(most, with(d, macs, "2"))
		var j job
		return d.call("GET", "/v1/pbx/jobs/"+id, nil, &j) == http.StatusOK && j.State == "aborted" && j.Counts.Failed == 1 && j.Counts.Skipped == 2
	})
	eventually(t, 30*time.Second, "all have the old one", func() bool { return with(d, macs, "1") == 3 })
	if most != 1 {
		t.Errorf("%d phones got the bad template, want the canary alone", most)
	}
	if status, answer := d.raw("GET", "/v1/pbx/templates/yealink-phone", nil); status != http.StatusOK || !strings.Contains(string(answer), `"revision":1,`) {
		t.Errorf("%d %s", status, answer)
	}
}

// A good template reaches all in waves, over a restart in between, and is active then.
func TestTemplateWaves(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := threeDesks(t, d)
	id := stage(t, d, mineYealink("2", "{{.Password}}"), map[string]any{"waves": map[string]int{"canary": 1, "timeoutSeconds": 60, "soakSeconds": 3}})
	if status, answer := d.raw("PUT", "/v1/pbx/templates/yealink-phone", map[string]any{"content": mineYealink("3", "x")}); status != http.StatusConflict {
		t.Errorf("changed meanwhile: %d %s", status, answer)
	}
	eventually(t, 60*time.Second, "the canary is well", func() bool {
		var j job
		return d.call("GET", "/v1/pbx/jobs/"+id, nil, &j) == http.StatusOK && j.Counts.Succeeded >= 1
	})
	if n := with(d, macs, "2"); n != 1 {
		t.Errorf("%d phones have it after the canary", n)
	}
	d.kill(syscall.SIGKILL)
	d.args = append(d.args, "--http.listen", d.addr["http"], "--sip.udp", d.addr["sip.udp"], "--sip.tcp", d.addr["sip.tcp"]) // where the phones know it
	d.start()
	if n := with(d, macs, "2"); n < 1 {
		t.Errorf("%d phones have it after a restart", n)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_, answer := d.raw("GET", "/v1/pbx/jobs/"+id, nil)
			_, phones := d.raw("GET", "/v1/pbx/jobs/"+id+"/phones", nil)
			t.Logf("%s\n%s", answer, phones)
		}
	})
	eventually(t, 90*time.Second, "all have it and it is active", func() bool {
		_, answer := d.raw("GET", "/v1/pbx/templates/yealink-phone", nil)
		return with(d, macs, "2") == 3 && strings.Contains(string(answer), `"revision":2,`)
	})
	var done job
	if d.call("GET", "/v1/pbx/jobs/"+id, nil, &done); done.State != "done" || done.Counts.Succeeded != 3 {
		t.Errorf("the job is %+v: the later waves were not gated", done)
	}
}

// All phones of the last wave fail: nobody is left to hold the revision back for, and
// it does not become active.
func TestTemplateLastWaveFails(t *testing.T) {
	t.Parallel()
	d := serve(t)
	macs := threeDesks(t, d)
	id := stage(t, d, mineYealink("2", "wrong"), map[string]any{"waves": map[string]int{"canary": 3, "timeoutSeconds": 4}})
	eventually(t, 60*time.Second, "the rollout is taken back", func() bool {
		var j job
		return d.call("GET", "/v1/pbx/jobs/"+id, nil, &j) == http.StatusOK && j.State == "aborted" && j.Counts.Failed == 3
	})
	eventually(t, 30*time.Second, "all have the old one", func() bool { return with(d, macs, "1") == 3 })
	if _, answer := d.raw("GET", "/v1/pbx/templates/yealink-phone", nil); !strings.Contains(string(answer), `"revision":1,`) {
		t.Errorf("active is %s", answer)
	}
}
