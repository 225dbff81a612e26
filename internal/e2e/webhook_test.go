package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hook is a server that is told of drift.
type hook struct {
	t      *testing.T
	secret string
	url    string
	status atomic.Int64 // of its answers; 0: 200
	posts  chan drifted
	bodies *syncBuffer // all that it has got
}

// drifted is an event as the webhook gets it.
type drifted struct {
	ID      string `json:"id"`
	PhoneID string `json:"phoneId"`
	Drift   []string
	Was     []string
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{t: t, secret: "shared", posts: make(chan drifted, 1000), bodies: &syncBuffer{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = h.bodies.Write(body)
		signature := r.Header.Get("Dialtone-Signature")
		at, got, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
		mac := hmac.New(sha256.New, []byte(h.secret))
		mac.Write([]byte(at + "." + string(body)))
		if hex.EncodeToString(mac.Sum(nil)) != got {
			t.Errorf("signature %s of %s", signature, body)
		}
		var e drifted
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		h.posts <- e
		if status := h.status.Load(); status != 0 {
			w.WriteHeader(int(status))
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *hook) args() []string {
	return []string{"--webhook.url", h.url, "--webhook.secret", h.secret}
}

// next is the next event that is another one than those before.
func (h *hook) next(before ...drifted) drifted {
	h.t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		select {
		case e := <-h.posts:
			again := false
			for _, b := range before {
				again = again || b.ID == e.ID
			}
			if !again {
				return e
			}
		case <-deadline:
			h.t.Fatal("nothing was told")
		}
	}
}

// model makes a phone that is provisioned as a T46S register as another model.
func (d *daemon) model(p listed, model string) {
	d.t.Helper()
	t := d.t.(*testing.T)
	user, auth, password := rendered(t, d, strings.ToLower(strings.ReplaceAll(p.MAC, ":", "")))
	if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-"+model+" 66.86.0.15", 600); err != nil {
		t.Fatal(err)
	}
}

// TestDriftWebhook: a phone that is not the model it is provisioned as is told to the
// webhook, signed, and again when it is what it should be.
func TestDriftWebhook(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	d := serve(t, h.args()...)
	d.extension("101", "Desk")
	p := d.phone("001565aabb01", "T46S", "101")
	d.model(p, "T42S")
	first := h.next()
	if first.PhoneID != p.ID || len(first.Drift) != 1 || !strings.HasPrefix(first.Drift[0], "model: the phone reports T42S") {
		t.Errorf("%+v", first)
	}
	if !strings.Contains(d.metrics(), "dialtone_phones_drift 1") {
		t.Error("the metric does not count it")
	}
	if status := d.call("PATCH", "/v1/pbx/phones/"+p.ID, `{"model":"T42S"}`, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	if e := h.next(first); len(e.Was) != 1 || !strings.HasPrefix(e.Was[0], "model: ") || e.PhoneID != p.ID {
		t.Errorf("%+v", e)
	}
}

// TestDriftOfFirmwareAndExtension: a target that a phone does not run, and a line that
// is not its own, show in the list, in the metric and at the webhook.
func TestDriftOfFirmwareAndExtension(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	d := serve(t, h.args()...)
	d.extension("101", "Desk")
	other := d.extension("102", "Hall")
	p := d.phone("001565aabb01", "T46S", "101")
	d.model(p, "T46S")
	file := filepath.Join(t.TempDir(), "T46S-66.99.0.1.rom")
	writeFile(t, file, "content")
	_, image := d.uploaded(file, "model=T46S")
	if status, answer := d.raw("PUT", "/v1/pbx/firmware/targets/yealink/T46S", map[string]any{"firmwareId": image.ID}); status != http.StatusOK {
		t.Fatalf("target: %d %s", status, answer)
	}
	shows := func(kind, text string, before ...drifted) drifted {
		e := h.next(before...)
		if e.PhoneID != p.ID || !slices.ContainsFunc(e.Drift, func(s string) bool { return strings.HasPrefix(s, kind+": "+text) }) {
			t.Errorf("told %+v, want %s: %s", e, kind, text)
		}
		if list := d.phones("drift=" + kind); len(list) != 1 || list[0].ID != p.ID {
			t.Errorf("drift=%s lists %+v", kind, list)
		}
		if !strings.Contains(d.metrics(), "dialtone_phones_drift 1") {
			t.Error("the metric does not count it")
		}
		return e
	}
	first := shows("firmware", "the phone runs 66.86.0.15, the target of its model is 66.99.0.1")
	if err := sippRegister(t, d.addr["sip.udp"], "udp", "102", other.SIPUsername, other.SIPPassword, "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:01", 600); err != nil {
		t.Fatal(err)
	}
	shows("extension", "registered as 102", first)
}

// TestWebhookAfterKill: what was stored for a webhook that does not take it is told after
// a kill -9, and what has changed while the server was away, too; nothing is told twice.
func TestWebhookAfterKill(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.status.Store(http.StatusServiceUnavailable)
	d := serve(t, h.args()...)
	d.extension("101", "Desk")
	p := d.phone("001565aabb01", "T46S", "101")
	d.model(p, "T42S")
	first := h.next()
	if err := d.kill(syscall.SIGKILL); err == nil {
		t.Error("it was not killed")
	}
	d.start()
	if again := h.next(); again.ID != first.ID || again.PhoneID != p.ID {
		t.Errorf("%+v, before the kill %+v", again, first)
	}
	h.status.Store(http.StatusOK)
	eventually(t, 20*time.Second, "it was taken", func() bool {
		return strings.Contains(d.metrics(), `dialtone_webhook_events_total{outcome="sent"} 1`)
	})
	d.kill(syscall.SIGTERM)
	hooks := d.args
	d.args = d.args[:len(d.args)-len(h.args())]
	d.start() // nobody is told now
	if status := d.call("PATCH", "/v1/pbx/phones/"+p.ID, `{"model":"T42S"}`, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	d.kill(syscall.SIGTERM)
	d.args = hooks
	d.start()
	if e := h.next(first); len(e.Was) != 1 || !strings.HasPrefix(e.Was[0], "model: ") {
		t.Errorf("%+v", e)
	}
}

// TestWebhookOfTwoNodes: two nodes that see the same tell it once; when the one that
// delivers is killed, the other one does.
func TestWebhookOfTwoNodes(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	one, two := serveCluster(t, append(h.args(), "--database.takeover", "3s")...)
	one.extension("101", "Desk")
	p := one.phone("001565aabb01", "T46S", "101")
	soon(t, "the phone at the other", func() bool { return len(two.phones("macAddress=001565aabb01")) == 1 })
	two.model(p, "T42S")
	first := h.next()
	for _, d := range []*daemon{one, two} {
		soon(t, "both know", func() bool { return len(d.phones("drift=true")) == 1 })
	}
	sent := func(d *daemon) bool {
		return strings.Contains(d.metrics(), `dialtone_webhook_events_total{outcome="sent"} 1`)
	}
	soon(t, "one has sent it", func() bool { return sent(one) || sent(two) })
	sender, other := one, two
	if sent(two) {
		sender, other = two, one
	}
	if sent(other) || len(h.posts) > 0 {
		t.Errorf("told by both; %d more", len(h.posts))
	}
	_ = sender.kill(syscall.SIGKILL)
	if status := other.call("PATCH", "/v1/pbx/phones/"+p.ID, `{"model":"T42S"}`, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	if e := h.next(first); len(e.Was) != 1 || e.PhoneID != p.ID {
		t.Errorf("%+v", e)
	}
}
