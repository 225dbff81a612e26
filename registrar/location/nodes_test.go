package location_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// newNodes runs the Nodes of a store.
func newNodes(t testing.TB, store *location.Redis, r *location.Resilient, vanished time.Duration) *location.Nodes {
	t.Helper()
	n := location.NewNodes(location.NodesOptions{
		Store: store, Mirror: r.Mirror(), Drop: r.Drop, Every: 50 * time.Millisecond, Vanished: vanished,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

// over is a contact that was registered over a connection of a node, or over UDP
// when flow is empty.
func over(aor location.AOR, id, node, flow string) location.Update {
	u := register(aor, id, 1, time.Hour)
	u.Contacts[0].Node, u.Contacts[0].Boot, u.Contacts[0].Flow = node, "boot", flow
	return u
}

// TestNodesVanish: what was registered over connections of a node that gives no
// sign of life any more is removed, what came over UDP and what others hold stays.
func TestNodesVanish(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	var store *location.Redis
	r := newResilient(t, location.RedisOptions{Client: server.client(), Node: "n1", Boot: "b1"}, func(o *location.ResilientOptions) { store = o.Store })
	nodes := newNodes(t, store, r, 300*time.Millisecond)
	two := newRedis(t, location.RedisOptions{Client: server.client(), Node: "n2", Boot: "b2", Address: func() string { return "192.0.2.2:5090" }})
	if err := two.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, two, over("1@pbx.dev", "connection", "n2", "f1"))
	apply(t, two, over("1@pbx.dev", "udp", "n2", ""))
	apply(t, store, over("1@pbx.dev", "ours", "n1", "f1"))
	mirrored(t, r, 3)
	want := netip.MustParseAddrPort("192.0.2.2:5090")
	waitFor(t, "n2 is known", func() bool { addr, ok := nodes.Peer("n2"); return ok && addr == want })
	if addr, ok := nodes.Peer("n3"); ok {
		t.Errorf("a node that is not there is at %v", addr)
	}

	// Redis away for longer than a node may be silent: nobody has vanished.
	server.stop()
	waitFor(t, "the degraded mode", func() bool { return r.Mode() != "" })
	server.start()
	healthy(t, r)
	if n := count(t, two, "1@pbx.dev"); n != 3 {
		t.Errorf("%d contacts after redis was away, want 3", n)
	}

	server.client().Del(t.Context(), "dialtone:node:n2")
	waitFor(t, "the connection of n2 is gone", func() bool { return count(t, two, "1@pbx.dev") == 2 })
	if _, ok := nodes.Peer("n2"); ok {
		t.Error("n2 is still to be called")
	}
	mirrored(t, r, 2)
	for _, b := range r.Mirror().Bindings("1@pbx.dev") {
		if b.ID == "connection" {
			t.Error("the wrong contact was removed")
		}
	}
}

// TestStartWithoutRedis: a node that starts before Redis refuses what is new, says
// so, and is right within five seconds of its coming.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.stop()
	_ = os.Remove(server.socket())
	client, err := location.DialRedis(server.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := location.NewRedis(location.RedisOptions{Client: client}); !errors.Is(err, location.ErrUnavailable) {
		t.Errorf("opened at once: %v", err)
	}
	store, err := location.NewRedis(location.RedisOptions{Client: client, Node: "n1", Boot: "b1", Later: true})
	if err != nil {
		t.Fatal(err)
	}
	r := location.NewResilient(location.ResilientOptions{Store: store})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.Mode() == "" {
		t.Error("not degraded without redis")
	}
	_, err = r.Apply(t.Context(), register("1@pbx.dev", "a", 1, time.Hour))
	unavailable(t, "apply", err)
	_, err = r.Lookup(t.Context(), "1@pbx.dev")
	unavailable(t, "lookup", err)
	unavailable(t, "ping", r.Ping(t.Context()))

	server.start()
	healthy(t, r)
	apply(t, r, register("1@pbx.dev", "a", 2, time.Hour))
	mirrored(t, r, 1)
	if got := server.client().Get(t.Context(), "dialtone:node:n1").Val(); got != "b1" {
		t.Errorf("sign of life %q", got)
	}
}

// TestStartLockedOut: a server that is there and wants a password is no reason to wait.
func TestStartLockedOut(t *testing.T) {
	t.Parallel()
	client, err := location.DialRedis(startRedis(t, "--requirepass", "geheim").url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := location.NewRedis(location.RedisOptions{Client: client, Later: true}); err == nil {
		t.Error("opened without the password")
	}
}

// TestStartBeforeAnotherLayout: a server that comes later with bindings laid out
// otherwise is never written to.
func TestStartBeforeAnotherLayout(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	newRedis(t, location.RedisOptions{Client: server.client(), Shards: 8})
	client := server.client()
	server.stop()
	store, err := location.NewRedis(location.RedisOptions{Client: client, Node: "n1", Later: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	server.start()
	var ping error
	waitFor(t, "redis is found", func() bool {
		ping = store.Ping(t.Context())
		return ping != nil && !errors.Is(ping, location.ErrUnavailable)
	})
	if n := client.Exists(t.Context(), "dialtone:node:n1").Val(); n != 0 || store.Settled() {
		t.Errorf("%d signs of life in a layout of others", n)
	}
}

// TestNodesOfACluster: signs of life, bans and messages work on a Cluster, where the
// keys are on several servers.
func TestNodesOfACluster(t *testing.T) {
	t.Parallel()
	client, err := location.OpenRedis(t.Context(), "redis+cluster://"+strings.Join(startCluster(t), ","))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	var store *location.Redis
	r := newResilient(t, location.RedisOptions{Client: client, Node: "n1", Boot: "b1"}, func(o *location.ResilientOptions) { store = o.Store })
	nodes := newNodes(t, store, r, time.Minute)
	two := newRedis(t, location.RedisOptions{Client: client, Node: "n2", Boot: "b2", Address: func() string { return "192.0.2.2:5090" }})
	if err := two.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, two, over("1@pbx.dev", "connection", "n2", "f1"))
	waitFor(t, "n2 is known", func() bool { _, ok := nodes.Peer("n2"); return ok })
	for _, ban := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := store.KeepBan(t.Context(), ban, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if bans, err := two.Bans(t.Context()); err != nil || len(bans) != 6 {
		t.Errorf("bans %v, %v", bans, err)
	}
	heard := make(chan string, 1000)
	runBus(t, location.BusOptions{Client: client, ID: "two", Heard: func(_, data string) { heard <- data }})
	one := runBus(t, location.BusOptions{Client: client, ID: "one"})
	waitFor(t, "a message arrives", func() bool { one.Tell("x", "hello"); return len(heard) > 0 })
}
