package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// eventID is the line of an event that its stream goes on after.
var eventID = regexp.MustCompile(`(?m)^id: (\d+)$`)

// TestPhoneOfTwoNodes: a phone boots at one node and registers at the other. Both know
// all of it: the list, the event stream, which goes on at either of them, and a job of
// either node, which sees what the phone does at the other.
func TestPhoneOfTwoNodes(t *testing.T) {
	t.Parallel()
	sip := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	one, two := serveCluster(t, "--sip.outbound_proxy", sip)
	two.kill(syscall.SIGTERM)
	two.args = append(two.args, "--sip.udp", sip) // the files of both nodes send phones there
	two.start()
	const mac = "001565aabb01"
	one.extension("101", "Desk")
	p := one.phone(mac, "T46S", "101")
	atTwo := two.listen()
	out := one.simulated("yealink", mac)
	for _, d := range []*daemon{one, two} {
		soon(t, "registered at both", func() bool {
			l := d.phones("macAddress=" + mac)
			return len(l) == 1 && l[0].Registered && l[0].State == "registered"
		})
	}
	soon(t, "the second node's stream has what the first served", func() bool {
		text := atTwo.String()
		return strings.Contains(text, mac+".cfg") && strings.Contains(text, `"kind":"register"`)
	})
	first := eventID.FindStringSubmatch(atTwo.String())
	if first == nil {
		t.Fatalf("no id in %s", atTwo)
	}
	again := one.listen(first[1])
	soon(t, "the stream goes on at the first node", func() bool {
		return len(eventID.FindAllString(again.String(), -1)) >= len(eventID.FindAllString(atTwo.String(), -1))-1
	})
	_, rest, _ := strings.Cut(atTwo.String(), first[0]+"\n")
	if _, rest, _ = strings.Cut(rest, "\n\n"); !strings.HasSuffix(again.String(), rest) || strings.Contains(again.String(), "event: lost") {
		t.Errorf("at the first node:\n%s\nat the second:\n%s", again, atTwo)
	}
	for i, d := range []*daemon{one, two} {
		if status := d.call("PATCH", "/v1/pbx/phones/"+p.ID, map[string]string{"name": fmt.Sprint("Moved ", i)}, nil); status != http.StatusOK {
			t.Fatalf("patch: %d", status)
		}
		if j := d.ends(d.startJob("/v1/pbx/phones/"+p.ID+"/resync", `{"timeoutSeconds":30}`).ID); j.State != "applied" {
			t.Errorf("a job of node %d ended %s: %s\nphone:\n%s", i+1, j.State, j.Reason, out)
		}
	}
	// A phone that nobody provisioned asks one node and is adopted at the other.
	if status, _ := one.fetch("http://" + one.addr["http"] + "/001565aabb02.cfg"); status != "404" {
		t.Errorf("an unknown phone gets %s", status)
	}
	soon(t, "the waiting phone at the other", func() bool { return len(two.phones("state=pending")) == 1 })
	waiting := two.phones("state=pending")[0]
	one.extension("102", "New")
	if status, text := two.raw("POST", "/v1/pbx/phones/"+waiting.ID+"/adopt", map[string]string{"extensionNumber": "102"}); status/100 != 2 {
		t.Fatalf("adopt: %d %s", status, text)
	}
	soon(t, "its file at the first", func() bool {
		status, _ := one.fetch("http://" + one.addr["http"] + "/001565aabb02.cfg")
		return status == "200"
	})
	soon(t, "it waits nowhere", func() bool {
		return len(one.phones("state=pending"))+len(two.phones("state=pending")) == 0
	})

	// One that shows a claim code of one node is claimed at the other.
	if status := one.call("POST", "/v1/pbx/enrollment", map[string]any{"phones": 1, "minutes": 5}, nil); status != http.StatusCreated {
		t.Fatalf("enrollment: %d", status)
	}
	one.extension("103", "Claimed")
	shows := one.boot("yealink", "001565aabb03", "http://"+one.addr["http"]+"/", "--poll", "500ms")
	eventually(t, 30*time.Second, "the phone shows a code", func() bool { return shownCode.MatchString(shows.String()) })
	body := map[string]string{"claimCode": shownCode.FindStringSubmatch(shows.String())[1], "extensionNumber": "103"}
	soon(t, "it is claimed at the other", func() bool { return two.call("POST", "/v1/pbx/phones/adopt", body, nil) == http.StatusOK })
	one.awaitRegistered("001565aabb03", shows)
}

// TestEventsAfterRestart: a client of the event stream goes on after a restart of all
// nodes, since the newest events are in Redis.
func TestEventsAfterRestart(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	d := serve(t, "--redis.url", url)
	events := d.listen()
	d.extension("101", "Desk")
	d.phone("001565aabb01", "T46S", "101")
	for range 2 {
		rendered(t, d, "001565aabb01")
	}
	eventually(t, 10*time.Second, "two fetches", func() bool { return len(eventID.FindAllString(events.String(), -1)) >= 2 })
	ids := eventID.FindAllStringSubmatch(events.String(), -1)
	d.kill(syscall.SIGKILL)
	d.start()
	again := d.listen(ids[0][1])
	eventually(t, 10*time.Second, "the second fetch again", func() bool { return strings.Contains(again.String(), ids[1][0]+"\n") })
	if strings.Contains(again.String(), "event: lost") {
		t.Errorf("lost:\n%s", again)
	}
	old := d.listen("17")
	eventually(t, 10*time.Second, "what is long gone is lost", func() bool { return strings.Contains(old.String(), "event: lost") })
}

// TestResyncAcrossNodes: a job of one node tells a phone over the connection that it has to
// the other one.
func TestResyncAcrossNodes(t *testing.T) {
	t.Parallel()
	one, two := serveCluster(t)
	one.extension("101", "Desk")
	phone := one.phone("001565aabb01", "T46S", "101")
	_, auth, password := rendered(t, one, "001565aabb01")
	c := credentials{Number: "101", SIPUsername: auth, SIPPassword: password}
	p := one.connect("tcp")
	p.register(c, "desk")
	listedAt(t, "101", 1, one, two)
	j := two.startJob("/v1/pbx/phones/"+phone.ID+"/resync", `{"timeoutSeconds":20}`)
	notify := p.await("NOTIFY ")
	if field(notify, "Event") != "check-sync;reboot=false" {
		t.Errorf("it got %s", notify)
	}
	p.answer(notify, "200 OK")
	rendered(t, one, "001565aabb01")
	p.register(c, "desk")
	if j = two.ends(j.ID); j.State != "applied" {
		t.Errorf("%+v", j)
	}
	for _, d := range []*daemon{one, two} {
		soon(t, "the timeline says so", func() bool { return strings.Contains(d.kinds(phone.ID), "notify") })
	}
}
