package location_test

import (
	"context"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

func runBus(t testing.TB, opts location.BusOptions) *location.Bus {
	t.Helper()
	b := location.NewBus(opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestBus: what one node tells all others hear, a question has the answer of the node
// that was asked, and one that does not answer is not waited for again.
func TestBus(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	heard := make(chan string, 100)
	one := runBus(t, location.BusOptions{Client: server.client(), ID: "one", Heard: func(string, string) { t.Error("a node hears itself") }})
	runBus(t, location.BusOptions{
		Client: server.client(), ID: "two", Heard: func(what, data string) { heard <- what + " " + data },
		Answer: func(data string) (string, bool) {
			if data == "panic" {
				panic("test")
			}
			return "you said " + data, data != "no"
		},
	})
	waitFor(t, "the second node listens", func() bool {
		got, ok := one.Ask(t.Context(), "two", "hello")
		return ok && got == "you said hello" || hold(t, 5100*time.Millisecond) // it is left alone for 5 s
	})
	if _, ok := one.Ask(t.Context(), "two", "no"); ok {
		t.Error("an answer where there is none")
	}
	one.Tell("news", "of today")
	select {
	case got := <-heard:
		if got != "news of today" {
			t.Errorf("heard %q", got)
		}
	case <-time.After(15 * time.Second):
		t.Error("nothing is heard")
	}
	start := time.Now()
	for range 50 {
		if _, ok := one.Ask(t.Context(), "three", "hello"); ok {
			t.Error("nobody has answered")
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a node that is not there was waited for again and again: %v", took)
	}
	if _, ok := one.Ask(t.Context(), "two", "panic"); ok {
		t.Error("an answer of a panic")
	}
}

// hold waits and returns false.
func hold(t testing.TB, d time.Duration) bool {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
	return false
}
