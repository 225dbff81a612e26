package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// job is a job as the API shows it.
type job struct {
	ID, Kind, State, Reason string
	PhoneID                 string `json:"phoneId"`
	EndedAt                 string `json:"endedAt"`
	Counts                  struct{ Total, Succeeded, Failed, Skipped int }
}

// startJob starts a job that is accepted.
func (d *daemon) startJob(path string, body any) job {
	d.t.Helper()
	var j job
	if status := d.call("POST", path, body, &j); status != http.StatusAccepted {
		d.t.Fatalf("%s: %d %+v", path, status, j)
	}
	return j
}

// ends waits until a job has ended.
func (d *daemon) ends(id string) job {
	d.t.Helper()
	var j job
	eventually(d.t, 60*time.Second, "job "+id+" ends", func() bool {
		j = job{}
		return d.call("GET", "/v1/pbx/jobs/"+id, nil, &j) == http.StatusOK && j.EndedAt != ""
	})
	return j
}

// simulated boots "dialtone phone" until the test ends and returns what it prints.
func (d *daemon) simulated(vendor, mac string) *syncBuffer {
	d.t.Helper()
	cmd := exec.Command(binary, "phone", "--vendor", vendor, "--mac", mac, "--server", "http://"+d.addr["http"]+"/")
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

// outcomes are the outcomes of the NOTIFYs on a phone's timeline.
func (d *daemon) outcomes(id string) []string {
	d.t.Helper()
	var timeline struct {
		Events []struct {
			Kind, Outcome, Protocol, Detail string
		}
	}
	if status := d.call("GET", "/v1/pbx/phones/"+id+"/timeline", nil, &timeline); status != http.StatusOK {
		d.t.Fatalf("timeline: %d", status)
	}
	var out []string
	for _, e := range timeline.Events {
		if e.Kind == "notify" {
			out = append(out, e.Protocol+" "+e.Outcome+" "+e.Detail)
		}
	}
	return out
}

// TestResync closes the loop: a phone of each vendor is told, fetches the changed
// configuration and registers again.
func TestResync(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for vendor, mac := range deskPhones(d) {
		t.Run(vendor, func(t *testing.T) {
			out := d.simulated(vendor, mac)
			var p listed
			eventually(t, 20*time.Second, "the phone registers", func() bool {
				list := d.phones("macAddress=" + mac)
				p = list[0]
				return p.Registered
			})
			if status := d.call("PATCH", "/v1/pbx/phones/"+p.ID, map[string]string{"name": "Moved"}, nil); status != http.StatusOK {
				t.Fatalf("patch: %d", status)
			}
			for _, kind := range []string{"resync", "reboot"} {
				j := d.startJob("/v1/pbx/phones/"+p.ID+"/"+kind, nil)
				if j.Kind != kind || j.PhoneID != p.ID {
					t.Errorf("%+v", j)
				}
				if j = d.ends(j.ID); j.State != "applied" {
					t.Errorf("%s ended %s: %s\nphone:\n%s\nserver:\n%s", kind, j.State, j.Reason, out, d.log)
				}
			}
			if got := d.outcomes(p.ID); len(got) != 2 || !strings.HasPrefix(got[0], "udp ok told to check-sync") {
				t.Errorf("timeline: %q", got)
			}
		})
	}
	many := d.startJob("/v1/pbx/phones/resync", `{"filter":{"registered":true},"waves":{"canary":1,"jitterSeconds":1}}`)
	if many = d.ends(many.ID); many.State != "done" || many.Counts.Succeeded != 3 {
		t.Errorf("%+v", many)
	}
}

// TestResyncOverEveryFlow: the NOTIFY goes down the connection that the phone made;
// what it does then decides the outcome.
func TestResyncOverEveryFlow(t *testing.T) {
	t.Parallel()
	d := serve(t, secureLoopback...)
	for i, transport := range []string{"tcp", "tls", "ws", "wss"} {
		number, mac := fmt.Sprint(101+i), fmt.Sprintf("001565aabb%02d", i)
		d.extension(number, "Desk")
		phone := d.phone(mac, "T46S", number)
		_, auth, password := rendered(t, d, mac)
		c := credentials{Number: number, SIPUsername: auth, SIPPassword: password}
		p := d.connect(transport)
		p.register(c, "phone"+number)
		eventually(t, 5*time.Second, "registered over "+transport, func() bool { return d.contacts(number)[transport] != "" })

		j := d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", nil)
		notify := p.await("NOTIFY ")
		if field(notify, "Event") != "check-sync;reboot=false" || !strings.HasPrefix(notify, "NOTIFY sip:phone"+number+"@phone") {
			t.Errorf("%s got %s", transport, notify)
		}
		p.answer(notify, "200 OK")
		rendered(t, d, mac)
		p.register(c, "phone"+number)
		if j = d.ends(j.ID); j.State != "applied" {
			t.Errorf("%s: %+v", transport, j)
		}

		j = d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", `{"timeoutSeconds":2}`)
		p.answer(p.await("NOTIFY "), "200 OK")
		rendered(t, d, mac)
		if j = d.ends(j.ID); j.State != "fetched-not-registered" {
			t.Errorf("%s: %+v", transport, j)
		}

		j = d.startJob("/v1/pbx/phones/"+phone.ID+"/reboot", nil)
		notify = p.await("NOTIFY ")
		if field(notify, "Event") != "check-sync;reboot=true" {
			t.Errorf("%s got %s", transport, notify)
		}
		p.answer(notify, "489 Bad Event")
		if j = d.ends(j.ID); j.State != "no-answer" || !strings.Contains(j.Reason, "489") {
			t.Errorf("%s: %+v", transport, j)
		}

		j = d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", `{"timeoutSeconds":1}`) // it does nothing
		if j = d.ends(j.ID); j.State != "no-answer" {
			t.Errorf("%s: %+v", transport, j)
		}
		p.conn.Close()
		eventually(t, 5*time.Second, "gone", func() bool { return len(d.contacts(number)) == 0 })
		j = d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", nil)
		if j = d.ends(j.ID); j.State != "no-answer" || !strings.Contains(j.Reason, "not registered") {
			t.Errorf("%s: %+v", transport, j)
		}
	}
}

// TestResyncSipp: the phone that is told is sipp: it says yes and does nothing, or it asks
// for a password.
func TestResyncSipp(t *testing.T) {
	t.Parallel()
	d := serve(t)
	for _, c := range []struct{ number, mac, model, scenario, reason, outcome string }{
		{"101", "001565aabb01", "T46S", "told", "did not fetch", "udp ok told to check-sync;reboot=false"},
		{"102", "001565aabb02", "T46S", "guarded", "asks for a password for NOTIFY (401), and none is sent", "udp refused told to check-sync;reboot=false"},
	} {
		t.Run(c.scenario, func(t *testing.T) { toldSipp(t, d, c.number, c.mac, c.model, c.scenario, c.reason, c.outcome) })
	}
}

func toldSipp(t *testing.T, d *daemon, number, mac, model, scenario, reason, outcome string) {
	prog := testkit.Need(t, "sipp")
	d.extension(number, "Desk")
	phone := d.phone(mac, model, number)
	_, auth, password := rendered(t, d, mac)
	port := strconv.Itoa(testkit.FreePort(t))
	register := exec.Command(prog, d.addr["sip.udp"], "-sf", "testdata/sipp/register.xml", "-m", "1", "-i", "127.0.0.1", "-p", port, "-nostdin",
		"-timeout", "20s", "-timeout_error", "-au", auth, "-ap", password, "-key", "user", number, "-key", "ua", "Yealink SIP-T46S 66.86.0.15", "-key", "expires", "600")
	if text, err := register.CombinedOutput(); err != nil {
		t.Fatalf("register: %v\n%s", err, tail(text))
	}
	cmd := exec.Command(prog, "-sf", "testdata/sipp/"+scenario+".xml", "-m", "1", "-i", "127.0.0.1", "-p", port, "-nostdin", "-timeout", "40s", "-timeout_error")
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, 20*time.Second, "sipp is registered", func() bool { return len(d.contacts(number)) == 1 })
	j := d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", `{"timeoutSeconds":5}`)
	if err := cmd.Wait(); err != nil {
		t.Errorf("sipp: %v\n%s", err, tail([]byte(out.String())))
	}
	if j = d.ends(j.ID); j.State != "no-answer" || !strings.Contains(j.Reason, reason) {
		t.Errorf("%+v", j)
	}
	if got := d.outcomes(phone.ID); len(got) != 1 || got[0] != outcome {
		t.Errorf("timeline: %q", got)
	}
}

// TestJobsOutliveARestart: a job goes on and ends in a clear state.
func TestJobsOutliveARestart(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Desk")
	phone := d.phone("001565aabb01", "T46S", "101")
	_, auth, password := rendered(t, d, "001565aabb01")
	p := newRawPhone(t, d.addr["sip.udp"])
	p.register("101", auth, password, "desk", 600)
	eventually(t, 5*time.Second, "registered", func() bool { return len(d.contacts("101")) == 1 })
	j := d.startJob("/v1/pbx/phones/"+phone.ID+"/resync", `{"timeoutSeconds":4}`)
	d.kill(syscall.SIGKILL)
	d.start()
	if j = d.ends(j.ID); j.State != "no-answer" || j.Counts.Failed != 1 {
		t.Errorf("%+v", j)
	}
}

// TestEventStream: curl listens while a phone fetches and registers.
func TestEventStream(t *testing.T) {
	t.Parallel()
	curl := testkit.Need(t, "curl")
	d := serve(t)
	macs := deskPhones(d)
	cmd := exec.Command(curl, "-sN", "-H", "Authorization: Bearer "+d.key, "http://"+d.addr["admin"]+"/v1/pbx/events")
	out := &syncBuffer{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, 10*time.Second, "curl listens", func() bool { return strings.Contains(out.String(), ": listening") })
	d.simulated("yealink", macs["yealink"])
	eventually(t, 20*time.Second, "both kinds of events", func() bool {
		return strings.Contains(out.String(), "event: provisioning\n") && strings.Contains(out.String(), "event: registration\n")
	})
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Errorf("the listener holds up the stop: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("curl: %v", err)
	}
}
