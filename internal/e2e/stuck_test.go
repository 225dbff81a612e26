package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stuckAt waits until the timeline says where the phone is stuck, in words that
// contain want; "" is that all is well.
func (d *daemon) stuckAt(id, want string) {
	d.t.Helper()
	var timeline struct{ StuckAt string }
	for deadline := time.After(10 * time.Second); ; {
		timeline.StuckAt = ""
		if status := d.call("GET", "/v1/pbx/phones/"+id+"/timeline", nil, &timeline); status != http.StatusOK {
			d.t.Fatalf("timeline: %d", status)
		}
		if strings.Contains(timeline.StuckAt, want) && (want == "") == (timeline.StuckAt == "") {
			return
		}
		select {
		case <-deadline:
			d.t.Fatalf("stuck at %q, want %q in it", timeline.StuckAt, want)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fetchAs gets a file with a User-Agent.
func (d *daemon) fetchAs(name, agent string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+d.addr["http"]+"/"+name, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	res.Body.Close()
}

// TestStuckAt injects one fault after the other into the way of one phone.
func TestStuckAt(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.extension("101", "Desk")
	phone := d.phone("001565aabb01", "T46S", "101")
	const agent = "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:01"
	d.stuckAt(phone.ID, "never contacted")
	d.fetchAs("y000000000066.cfg", agent)
	d.stuckAt(phone.ID, "never its own configuration file")
	d.fetchAs("001565aabb01.cfg", agent)
	d.stuckAt(phone.ID, "has not registered since")
	_, auth, password := rendered(t, d, "001565aabb01")
	p := newRawPhone(t, d.addr["sip.udp"])
	p.register("101", auth, "guess", "desk", 600)
	d.stuckAt(phone.ID, "wrong password. Restart")
	if status := d.call("PATCH", "/v1/pbx/phones/"+phone.ID, map[string]string{"name": "Moved"}, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	p.register("101", auth, "guess", "desk", 600)
	d.stuckAt(phone.ID, "registers with an old password")
	if answer := p.register("101", auth, password, "desk", 600); !strings.HasPrefix(answer, "SIP/2.0 200") {
		t.Fatal(answer)
	}
	d.stuckAt(phone.ID, "") // all is well
	p.register("101", auth, password, "desk", 0)
	d.stuckAt(phone.ID, "removed its registration")
	bare := d.phone("001565aabb02", "T46S", "101")
	if status := d.call("PATCH", "/v1/pbx/phones/"+bare.ID, map[string]any{"lines": []any{}}, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	d.stuckAt(bare.ID, "has no line")
}
