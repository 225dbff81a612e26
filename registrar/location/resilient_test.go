package location_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/location/locationtest"
)

// newResilient starts a Resilient over Redis and waits for its mirror.
func newResilient(t testing.TB, opts location.RedisOptions, change func(*location.ResilientOptions), subscribers ...func(location.Change)) *location.Resilient {
	t.Helper()
	store, err := location.NewRedis(opts)
	if err != nil {
		t.Fatal(err)
	}
	o := location.ResilientOptions{Store: store}
	if change != nil {
		change(&o)
	}
	r := location.NewResilient(o)
	for _, fn := range subscribers {
		r.Mirror().Subscribe(fn)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	<-r.Mirror().Loaded()
	return r
}

func TestResilientConforms(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	var n atomic.Int64
	t.Run("suite", func(t *testing.T) {
		locationtest.Run(t, func(t *testing.T) location.Store {
			return newResilient(t, location.RedisOptions{Client: client, Prefix: fmt.Sprintf("dialtone:t%d", n.Add(1)), Shards: 8}, nil)
		})
	})
}

// mirrored waits until the mirror has n bindings.
func mirrored(t testing.TB, r *location.Resilient, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d bindings in the mirror", n), func() bool { return r.Mirror().Len() == n })
}

// healthy waits for the end of the degraded mode, which must come within 5 s.
func healthy(t testing.TB, r *location.Resilient) {
	t.Helper()
	start := time.Now()
	waitFor(t, "the degraded mode ends", func() bool { return r.Mode() == "" && location.Waiting(r) == 0 })
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("right again after %v, want 5 s at most", took)
	}
}

func contactKey(aor location.AOR, id string) string {
	return fmt.Sprintf("dialtone:{s%02d}:contact:%s:%s", location.ShardOf(aor, 64), aor, id)
}

// wantTTL compares the TTL of a contact in Redis with what it should be now.
func wantTTL(t testing.TB, c redis.UniversalClient, aor location.AOR, id string, ends time.Time) {
	t.Helper()
	got, err := c.PTTL(t.Context(), contactKey(aor, id)).Result()
	if want := time.Until(ends); err != nil || got > want+time.Second || got < want-time.Second {
		t.Errorf("%s %s: ttl %v, %v; want %v", aor, id, got, err, want)
	}
}

// outages are the ways in which a server goes and comes back with what it had.
var outages = map[string]struct {
	go_, comeBack func(t *testing.T, s *server)
}{
	"Hangs": {
		func(t *testing.T, s *server) { signal(t, s, syscall.SIGSTOP) },
		func(t *testing.T, s *server) { signal(t, s, syscall.SIGCONT) },
	},
	"RestartsWithAOF": {
		func(_ *testing.T, s *server) { s.stop() },
		func(_ *testing.T, s *server) { s.start() },
	},
}

func signal(t testing.TB, s *server, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// TestResilientOutage: what is known is refreshed for a short time, removed and
// found, what is new is refused, and all of it is written afterwards.
func TestResilientOutage(t *testing.T) {
	t.Parallel()
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startRedis(t, "--appendfsync", "always")
			client := server.client()
			r := newResilient(t, location.RedisOptions{Client: client}, nil)
			for i, id := range []string{"a", "b", "c"} {
				apply(t, r, register("1@pbx.dev", id, uint32(i+1), time.Hour))
			}
			mirrored(t, r, 3)
			outage.go_(t, server)
			ends := degraded(t, r)
			outage.comeBack(t, server)
			healthy(t, r)
			wantTTL(t, client, "1@pbx.dev", "a", ends)
			if n := client.Exists(t.Context(), contactKey("1@pbx.dev", "b")).Val(); n != 0 {
				t.Error("b is still there, the phone has removed it")
			}
			if got := apply(t, r, register("1@pbx.dev", "d", 1, time.Hour)); len(got.Bindings) != 3 {
				t.Errorf("%d bindings afterwards, want a, c and d", len(got.Bindings))
			}
			mirrored(t, r, 3)
		})
	}
}

// degraded does what phones do while the server is away, and returns until when
// a is registered then.
func degraded(t *testing.T, r *location.Resilient) time.Time {
	t.Helper()
	res := apply(t, r, register("1@pbx.dev", "a", 10, time.Hour))
	if r.Mode() == "" || r.Ping(t.Context()) == nil {
		t.Errorf("mode %q, want the degraded one", r.Mode())
	}
	a := res.Bindings[0]
	if left := a.ExpiresAt.Sub(res.Now); a.ID != "a" || left < time.Minute || left > 2*time.Minute || len(res.Bindings) != 3 {
		t.Errorf("%s has %v left, of %d; want a, one to two minutes, of 3", a.ID, left, len(res.Bindings))
	}
	if again := apply(t, r, register("1@pbx.dev", "a", 10, time.Hour)); !again.Bindings[0].ExpiresAt.Equal(a.ExpiresAt) {
		t.Error("a repetition is granted anew")
	}
	if _, err := r.Apply(t.Context(), register("1@pbx.dev", "a", 9, time.Hour)); !errors.Is(err, location.ErrStale) {
		t.Errorf("lower CSeq: %v, want %v", err, location.ErrStale)
	}
	for _, aor := range []location.AOR{"1@pbx.dev", "2@pbx.dev"} {
		_, err := r.Apply(t.Context(), register(aor, "new", 1, time.Hour))
		unavailable(t, "a new contact", err)
	}
	if res := apply(t, r, register("1@pbx.dev", "b", 11, 0)); len(res.Bindings) != 2 {
		t.Errorf("%d bindings after one was removed", len(res.Bindings))
	}
	if n := count(t, r, "1@pbx.dev"); n != 2 {
		t.Errorf("%d bindings to call, want 2", n)
	}
	var listed []string
	for cursor := ""; ; {
		page, next, err := r.List(t.Context(), cursor, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page {
			listed = append(listed, b.ID)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if got := strings.Join(listed, " "); got != "a c" {
		t.Errorf("list %q, want a and c", got)
	}
	return a.ExpiresAt
}

// TestResilientEmptied: a server that comes back without data, or loses it while
// it runs, gets it back with the expiries that were granted last, and nobody who
// looks at the list or calls a phone notices.
func TestResilientEmptied(t *testing.T) {
	t.Parallel()
	emptied := map[string]func(t *testing.T, s *server, c redis.UniversalClient){
		"Restart": func(t *testing.T, s *server, _ redis.UniversalClient) {
			s.stop()
			for _, name := range []string{"appendonlydir", "appendonly.aof", "dump.rdb"} {
				if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			s.start()
		},
		"Flushed": func(t *testing.T, _ *server, c redis.UniversalClient) {
			if err := c.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, empty := range emptied {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const phones = 300
			server := startRedis(t)
			client := server.client()
			changes := make(chan location.Change, 10*phones)
			r := newResilient(t, location.RedisOptions{Client: client}, nil, to(changes))
			var ends [phones]time.Time
			for i := range phones {
				apply(t, r, register(aorN(i), "a", 1, 10*time.Minute))
				res := apply(t, r, register(aorN(i), "a", 2, time.Hour)) // which the mirror does not hear of
				ends[i] = res.Bindings[0].ExpiresAt
			}
			mirrored(t, r, phones)
			empty(t, server, client)
			waitFor(t, "the server has everything again", func() bool {
				return r.Mode() == "" && len(keysOf(t, client, "dialtone:*:contact:*")) == phones
			})
			waitFor(t, "the server says again how it is laid out", func() bool {
				return client.Exists(t.Context(), "dialtone:meta").Val() == 1
			})
			for i := range phones {
				wantTTL(t, client, aorN(i), "a", ends[i])
			}
			for len(changes) > 0 {
				if c := <-changes; c.Kind != location.Added && c.Kind != location.Refreshed {
					t.Fatalf("the list has seen %s %s", c.Kind, c.Binding.AOR)
				}
			}
			if _, err := r.Apply(t.Context(), register(aorN(1), "a", 1, time.Hour)); !errors.Is(err, location.ErrStale) {
				t.Errorf("lower CSeq afterwards: %v, want %v", err, location.ErrStale)
			}
		})
	}
}

// TestResilientStorm: a flood of new phones and many refreshes while the server is
// away hold no more than the bindings that are known, and cost little time.
func TestResilientStorm(t *testing.T) {
	t.Parallel()
	const phones = 200
	server := startRedis(t)
	client := server.client()
	r := newResilient(t, location.RedisOptions{Client: client}, func(o *location.ResilientOptions) { o.RestoreRate = 1000 })
	for i := range phones {
		apply(t, r, register(aorN(i), "a", 1, time.Hour))
	}
	mirrored(t, r, phones)
	signal(t, server, syscall.SIGSTOP)
	start := time.Now()
	var wg sync.WaitGroup
	for w := range 20 {
		wg.Go(func() {
			for i := range 5 * phones {
				if i%10 == w%10 {
					_, _ = r.Apply(context.Background(), register(aorN(i%phones), "a", uint32(2+i), time.Hour))
				} else {
					_, err := r.Apply(context.Background(), register(aorN(i), "x", 1, time.Hour))
					unavailable(t, "a new phone", err)
				}
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("20000 requests without a server took %v", took)
	}
	if n := location.Waiting(r); n == 0 || n > phones {
		t.Errorf("%d extensions are held, want 1 to %d", n, phones)
	}
	signal(t, server, syscall.SIGCONT)
	healthy(t, r)
	for i := range phones {
		// Beside it may be a new one that was on its way when the server stopped.
		if res := apply(t, r, register(aorN(i), "a", 2000, time.Hour)); res.Bindings[0].ID != "a" && len(res.Bindings) < 2 {
			t.Errorf("%s has %d bindings", aorN(i), len(res.Bindings))
		}
	}
}

// TestResilientTwoNodes: what another node has written since is newer and stays.
func TestResilientTwoNodes(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	one := newRedis(t, location.RedisOptions{Client: client, Node: "n1"})
	old := apply(t, one, register("1@pbx.dev", "a", 5, time.Hour)).Bindings[0]
	held := func(change func(*location.Held)) []location.Held {
		h := location.Held{Binding: old}
		change(&h)
		return []location.Held{h}
	}
	newer := register("1@pbx.dev", "a", 1, 30*time.Minute)
	newer.CallID = "after a reboot"
	for name, tt := range map[string]struct {
		held []location.Held
		want time.Duration // of what is there then; 0: nothing
	}{
		"the same again":          {held(func(*location.Held) {}), time.Hour},
		"lower cseq":              {held(func(h *location.Held) { h.CSeq, h.ExpiresAt = 4, old.ExpiresAt.Add(time.Hour) }), time.Hour},
		"lower cseq gone":         {held(func(h *location.Held) { h.CSeq, h.Gone = 4, true }), time.Hour},
		"higher cseq":             {held(func(h *location.Held) { h.CSeq, h.ExpiresAt = 6, old.ExpiresAt.Add(-58*time.Minute) }), 2 * time.Minute},
		"earlier call":            {held(func(h *location.Held) { h.CallID, h.RefreshedAt = "before", old.RefreshedAt.Add(-time.Second) }), time.Hour},
		"gone with a higher cseq": {held(func(h *location.Held) { h.CSeq, h.Gone = 6, true }), 0},
		"run out":                 {held(func(h *location.Held) { h.CSeq, h.ExpiresAt = 6, old.ExpiresAt.Add(-2*time.Hour) }), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if err := client.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := one.Restore(t.Context(), []location.Held{{Binding: old}}); err != nil {
				t.Fatal(err)
			}
			if err := one.Restore(t.Context(), tt.held); err != nil {
				t.Fatal(err)
			}
			bs, err := one.Lookup(t.Context(), "1@pbx.dev")
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.want == 0 && len(bs) != 0, tt.want != 0 && len(bs) != 1:
				t.Fatalf("%d bindings", len(bs))
			case tt.want == 0:
				return
			}
			if !bs[0].RegisteredAt.Equal(old.RegisteredAt) {
				t.Errorf("registered at %v, want %v", bs[0].RegisteredAt, old.RegisteredAt)
			}
			wantTTL(t, client, "1@pbx.dev", "a", old.ExpiresAt.Add(tt.want-time.Hour))
		})
	}
	now := apply(t, one, newer).Bindings[0]
	if err := one.Restore(t.Context(), []location.Held{{Binding: old}}); err != nil {
		t.Fatal(err)
	}
	wantTTL(t, client, "1@pbx.dev", "a", now.ExpiresAt)
}
