package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a POST that the server has got.
type received struct {
	phone.DriftEvent
	body, signature string
}

// serve answers each request with the next of statuses, the last one for ever.
func serve(t *testing.T, statuses ...int) (url string, got chan received) {
	t.Helper()
	got = make(chan received, 1000)
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		one := received{body: string(body), signature: r.Header.Get(Signature)}
		if err := json.Unmarshal(body, &one.DriftEvent); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		got <- one
		w.WriteHeader(statuses[min(int(n.Add(1))-1, len(statuses)-1)])
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func open(t *testing.T) *inventory.Store {
	t.Helper()
	s, err := inventory.Open(t.Context(), inventory.Options{Dir: t.TempDir(), Key: make([]byte, inventory.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// loaded is a list of phones that is complete.
var loaded = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// node is a sender that runs until it is stopped.
type node struct {
	*Sender
	stop func()
}

func start(t *testing.T, store *inventory.Store, url string, change ...func(*Options)) *node {
	t.Helper()
	o := Options{
		URL: url, Secret: phone.NewSecret("key"), Ledger: store, Outbox: store, Node: "one", Loaded: loaded, Wait: time.Millisecond,
		Current: func([]string) []phone.DriftEvent { return nil },
		Now:     func() time.Time { return time.Unix(1700000000, 0) },
	}
	for _, fn := range change {
		fn(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	n := &node{Sender: s}
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

func drift(id string, now ...string) phone.DriftEvent {
	return phone.DriftEvent{Type: "phone.drift", PhoneID: id, Drift: now}
}

func next(t *testing.T, got chan received) received {
	t.Helper()
	select {
	case r := <-got:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return received{}
	}
}

// told waits until an outcome has been counted.
func (n *node) told(t *testing.T, outcome string, want float64) {
	t.Helper()
	for deadline := time.After(20 * time.Second); testutil.ToFloat64(n.count.WithLabelValues(outcome)) != want; {
		select {
		case <-deadline:
			t.Fatalf("%v %s, want %v", testutil.ToFloat64(n.count.WithLabelValues(outcome)), outcome, want)
		case <-time.After(time.Millisecond):
		}
	}
}

// An event is signed, and sent again until it is taken; the next one follows it. What
// was told already is not told again.
func TestSender(t *testing.T) {
	t.Parallel()
	url, got := serve(t, 503, 429, 204)
	registry := prometheus.NewRegistry()
	n := start(t, open(t), url, func(o *Options) { o.Registerer = registry })
	n.Tell(drift("a", "model: x"))
	first := next(t, got)
	n.Tell(drift("b", "model: y"))
	for range 2 {
		if again := next(t, got); again.body != first.body {
			t.Errorf("sent %s, then %s", first.body, again.body)
		}
	}
	if b := next(t, got); b.PhoneID != "b" || b.ID == "" || b.ID == first.ID || len(b.Was) != 0 {
		t.Errorf("got %s", b.body)
	}
	if want := sign(phone.NewSecret("key"), time.Unix(1700000000, 0), []byte(first.body)); first.signature != want {
		t.Errorf("signature %s", first.signature)
	}
	n.Tell(drift("a", "model: x"))
	n.Tell(drift("b"))
	if b := next(t, got); b.PhoneID != "b" || fmt.Sprint(b.Was) != "[model: y]" || !strings.Contains(b.body, `"drift":[]`) {
		t.Errorf("got %s", b.body)
	}
	n.told(t, "sent", 3)
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	// printf '1700000000.{"n":"1"}' | openssl dgst -sha256 -hmac key
	const want = "t=1700000000,v1=5ea25011765d22771877fa1eba8a2afb4e6d7d9ab4faf15fd507a7ef45533b56"
	if got := sign(phone.NewSecret("key"), time.Unix(1700000000, 0), []byte(`{"n":"1"}`)); got != want {
		t.Error(got)
	}
}

// What is refused for good is not sent again, a redirect is not followed, and after
// the last try at an event that the server fails at the next one has its turn. A server
// that is not there is waited for.
func TestSenderGivesUp(t *testing.T) {
	t.Parallel()
	for status, tries := range map[int]int{400: 1, 302: 1, 500: attempts, 503: 3 * attempts} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			statuses := make([]int, tries)
			for i := range statuses {
				statuses[i] = status
			}
			url, got := serve(t, append(statuses, 200)...)
			n := start(t, open(t), url, func(o *Options) { o.Lease = 30 * time.Millisecond })
			n.Tell(drift("a", "x"))
			for i := range tries {
				if r := next(t, got); r.PhoneID != "a" {
					t.Errorf("%s at try %d", r.body, i)
				}
				if i == 0 {
					n.Tell(drift("b", "x"))
				}
			}
			want := "b"
			if status == http.StatusServiceUnavailable {
				want = "a"
			}
			if r := next(t, got); r.PhoneID != want {
				t.Errorf("got %s, want %s", r.body, want)
			}
		})
	}
}

// TestRestart: what waits is sent by the next run, and what has changed meanwhile is
// told, too.
func TestRestart(t *testing.T) {
	t.Parallel()
	store := open(t)
	n := start(t, store, "http://127.0.0.1:1")
	n.Tell(drift("a", "x"))
	for deadline := time.After(20 * time.Second); ; {
		if told, err := store.ToldDrift(t.Context()); err != nil || len(told) == 1 {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not stored")
		case <-time.After(time.Millisecond):
		}
	}
	n.stop()
	url, got := serve(t, 200)
	start(t, store, url, func(o *Options) {
		o.Current = func(told []string) []phone.DriftEvent {
			if fmt.Sprint(told) != "[a]" {
				t.Errorf("told before: %v", told)
			}
			return []phone.DriftEvent{drift("a"), drift("b", "y")}
		}
	})
	if r := next(t, got); r.PhoneID != "a" || fmt.Sprint(r.Drift) != "[x]" {
		t.Errorf("got %s", r.body)
	}
	seen := map[string]string{}
	for range 2 {
		r := next(t, got)
		seen[r.PhoneID] = fmt.Sprint(r.Was, r.Drift)
	}
	if fmt.Sprint(seen) != "map[a:[x] [] b:[] [y]]" {
		t.Errorf("got %v", seen)
	}
}

// TestTwoNodes: what both nodes see is told once, by one of them; the other one goes on
// when that stops.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	store := open(t)
	url, got := serve(t, 200)
	one := start(t, store, url)
	two := start(t, store, url, func(o *Options) { o.Node = "two" })
	store.OnChange(func(c inventory.Change) {
		if c.Kind == inventory.ChangeWebhook {
			one.Look()
			two.Look()
		}
	})
	const many = 50
	for i := range many {
		for _, n := range []*node{one, two} {
			n.Tell(drift(fmt.Sprint("phone", i), "x"))
		}
	}
	ids := map[string]bool{}
	for range many {
		ids[next(t, got).ID] = true
	}
	one.stop()
	two.Tell(drift("last", "x"))
	if r := next(t, got); r.PhoneID != "last" {
		t.Errorf("got %s", r.body)
	}
	if len(ids) != many {
		t.Errorf("%d different events of %d", len(ids), many)
	}
}

// Nothing is told before the list is complete, and who tells does not wait. What was
// told last of a phone counts.
func TestTellBeforeLoaded(t *testing.T) {
	t.Parallel()
	url, got := serve(t, 200)
	complete := make(chan struct{})
	n := start(t, open(t), url, func(o *Options) {
		o.Loaded = complete
		o.Current = func([]string) []phone.DriftEvent { return []phone.DriftEvent{drift("a1", "old"), drift("b", "y")} }
	})
	for i := range 10_000 {
		n.Tell(drift(fmt.Sprint("a", i%100), "x"))
	}
	for i := range 100 {
		n.Tell(drift(fmt.Sprint("a", i))) // while the list is being read
	}
	if len(got) > 0 {
		t.Error("told too early")
	}
	close(complete)
	if r := next(t, got); r.PhoneID != "b" {
		t.Errorf("got %s", r.body)
	}
	n.told(t, "sent", 1)
}
