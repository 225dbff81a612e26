package webhook

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type received struct{ body, signature string }

// serve answers each request with the next of statuses, the last one for ever.
func serve(t *testing.T, statuses ...int) (url string, got chan received) {
	t.Helper()
	got = make(chan received, 100)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{string(body), r.Header.Get(Signature)}
		w.WriteHeader(statuses[min(n, len(statuses)-1)])
		n++
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func run(t *testing.T, url string) (*Sender, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	s, err := New(Options{
		URL: url, Secret: phone.NewSecret("key"), Wait: time.Millisecond, Registerer: registry,
		Now: func() time.Time { return time.Unix(1700000000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, registry
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

// An event is signed, and sent again until it is taken; the next one follows it.
func TestSender(t *testing.T) {
	t.Parallel()
	url, got := serve(t, 503, 429, 204)
	s, registry := run(t, url)
	s.Tell(map[string]string{"n": "1"})
	s.Tell(map[string]string{"n": "2"})
	for _, want := range []string{"1", "1", "1", "2"} {
		r := next(t, got)
		if r.body != `{"n":"`+want+`"}` {
			t.Errorf("got %s, want %s", r.body, want)
		}
		// printf '1700000000.{"n":"1"}' | openssl dgst -sha256 -hmac key
		if want == "1" && r.signature != "t=1700000000,v1=5ea25011765d22771877fa1eba8a2afb4e6d7d9ab4faf15fd507a7ef45533b56" {
			t.Errorf("signature %s", r.signature)
		}
	}
	for deadline := time.After(10 * time.Second); ; {
		if testutil.ToFloat64(s.count.WithLabelValues("sent")) == 2 {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not counted")
		case <-time.After(time.Millisecond):
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// What is refused for good is not sent again, a redirect is not followed, and after
// the last try the next event has its turn.
func TestSenderGivesUp(t *testing.T) {
	t.Parallel()
	for status, tries := range map[int]int{400: 1, 302: 1, 500: attempts} {
		url, got := serve(t, status)
		s, _ := run(t, url)
		s.Tell("a")
		s.Tell("b")
		for i := range 2 * tries {
			if r, want := next(t, got), "ab"[i/tries:i/tries+1]; !strings.Contains(r.body, want) {
				t.Errorf("%d: %s at try %d", status, r.body, i)
			}
		}
	}
}

// Who tells does not wait, and what is too much is counted.
func TestSenderDoesNotBlock(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for range queued + 3 {
		s.Tell("x")
	}
	if got := testutil.ToFloat64(s.count.WithLabelValues("dropped")); got != 3 {
		t.Errorf("%v dropped", got)
	}
}
