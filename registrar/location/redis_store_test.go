package location_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/registrar/location"
)

// keysOf lists the keys of a pattern as an operator would.
func keysOf(t *testing.T, c redis.UniversalClient, pattern string) []string {
	t.Helper()
	var keys []string
	it := c.Scan(t.Context(), 0, pattern, 1000).Iterator()
	for it.Next(t.Context()) {
		keys = append(keys, it.Val())
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	slices.Sort(keys)
	return keys
}

func TestRedisKeys(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client, Node: "n:1*{x}", Boot: "b1"})
	u := register("10{1}:*@pbx.dev", "a:b|c", 1, 90*time.Second)
	u.Contacts = append(u.Contacts, register("", "plain", 1, time.Hour).Contacts...)
	apply(t, s, u)
	apply(t, s, register("gone@pbx.dev", "a", 1, time.Hour))
	apply(t, s, register("gone@pbx.dev", "a", 2, 0))
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}

	shard := fmt.Sprintf("{s%02d}", location.ShardOf(u.AOR, 64))
	aor := "10%7B1%7D%3A%2A@pbx.dev"
	want := []string{"dialtone:" + shard + ":contact:" + aor + ":a%3Ab%7Cc", "dialtone:" + shard + ":contact:" + aor + ":plain"}
	if got := keysOf(t, client, "dialtone:*:contact:*"); !slices.Equal(got, want) {
		t.Errorf("contacts %q, want %q", got, want)
	}
	for i, ttl := range []time.Duration{90 * time.Second, time.Hour} {
		got, err := client.PTTL(t.Context(), want[i]).Result()
		if err != nil || got > ttl || got < ttl-time.Second {
			t.Errorf("%s: ttl %v, %v; want %v", want[i], got, err, ttl)
		}
	}
	apply(t, s, register(u.AOR, "plain", 2, time.Minute))
	if got := client.PTTL(t.Context(), want[1]).Val(); got > time.Minute || got < 59*time.Second {
		t.Errorf("after a refresh ttl %v, want a minute", got)
	}
	for _, key := range keysOf(t, client, "*") {
		if !strings.HasPrefix(key, "dialtone:") {
			t.Errorf("key %q", key)
		}
	}
	if got := client.Get(t.Context(), "dialtone:node:n%3A1%2A%7Bx%7D").Val(); got != "b1" {
		t.Errorf("sign of life %q", got)
	}
	if got := client.Get(t.Context(), want[1]).Val(); !strings.HasPrefix(got, `{"v":2,"refreshedAt":`) || !strings.HasSuffix(got, "}") {
		t.Errorf("value %s", got)
	}
}

// TestRedisOneRoundTrip counts the commands an Apply sends.
func TestRedisOneRoundTrip(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client})
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	before := calls(t, client, "evalsha")
	for n := range 10 {
		apply(t, s, register("1@pbx.dev", "b", uint32(n+1), time.Hour))
		count(t, s, "1@pbx.dev")
	}
	// The sweeper's scripts are counted apart by their number: 64 per turn.
	if got := (calls(t, client, "evalsha") - before) % 64; got != 20 {
		t.Errorf("%d scripts (modulo the sweeper's 64) for 10 updates and 10 lookups, want 20", got)
	}
	if n := calls(t, client, "scan") + calls(t, client, "keys"); n != 0 {
		t.Errorf("%d SCAN or KEYS", n)
	}
}

func calls(t *testing.T, c redis.UniversalClient, command string) int {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(info, "cmdstat_"+command+":calls=")
	if !found {
		return 0
	}
	n := 0
	_, _ = fmt.Sscanf(rest, "%d", &n)
	return n
}

func TestRedisForgetsScripts(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client})
	changes := watching(t, s)
	for n := range 3 {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		apply(t, s, register("1@pbx.dev", fmt.Sprint(n), 1, time.Hour))
		if got := count(t, s, "1@pbx.dev"); got != n+1 {
			t.Errorf("%d bindings, want %d", got, n+1)
		}
		receive(t, changes)
	}
}

// TestRedisRestart: bindings and changes survive, and while the server is away
// every call fails fast.
func TestRedisRestart(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "always")
	s := newRedis(t, location.RedisOptions{Client: server.client()})
	changes := watching(t, s)
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	receive(t, changes)
	server.stop()
	start := time.Now()
	_, err := s.Apply(t.Context(), register("1@pbx.dev", "b", 1, time.Hour))
	unavailable(t, "apply", err)
	_, err = s.Lookup(t.Context(), "1@pbx.dev")
	unavailable(t, "lookup", err)
	_, _, err = s.List(t.Context(), "", 10)
	unavailable(t, "list", err)
	unavailable(t, "ping", s.Ping(t.Context()))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("four calls without a server took %v", took)
	}
	if strings.Contains(fmt.Sprintf("%#v", err), "redis.") {
		t.Errorf("the error shows the driver: %#v", err)
	}
	server.start()
	waitFor(t, "redis is back", func() bool { return s.Ping(context.Background()) == nil })
	if n := count(t, s, "1@pbx.dev"); n != 1 {
		t.Errorf("%d bindings after the restart, want 1", n)
	}
	apply(t, s, register("1@pbx.dev", "c", 1, time.Hour))
	if c := receive(t, changes); c.Kind != location.Added || c.Binding.ID != "c" {
		t.Errorf("change %s %s, want added c and no gap", c.Kind, c.Binding.ID)
	}
}

// TestRedisSilent: a server that accepts and says nothing costs the timeouts of
// the client, not more.
func TestRedisSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	_, err = location.OpenRedis(t.Context(), "redis://user:geheim@"+l.Addr().String())
	unavailable(t, "open", err)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows the password: %v", err)
	}
}

// TestRedisHangs: while the server is stopped all callers fail within a few
// timeouts, whatever their context says, and it takes none to recover.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := newRedis(t, location.RedisOptions{Client: server.client()})
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	if err := server.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := s.Apply(context.Background(), register(aorN(i), "b", 1, time.Hour))
			unavailable(t, "apply", err)
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if err := server.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "redis is back", func() bool { return s.Ping(context.Background()) == nil })
	apply(t, s, register("1@pbx.dev", "a", 2, time.Hour))
}

// TestRedisSentinel finds the master by a real Sentinel.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	port, sentinel := strconv.Itoa(testkit.FreePort(t)), strconv.Itoa(testkit.FreePort(t))
	startRedis(t, "--port", port, "--bind", "127.0.0.1", "--requirepass", "geheim")
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %s 1\nsentinel auth-pass main geheim\n", sentinel, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testkit.Need(t, "redis-server"), conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var client redis.UniversalClient
	waitFor(t, "sentinel", func() bool {
		var err error
		client, err = location.OpenRedis(context.Background(), "redis+sentinel://:geheim@127.0.0.1:"+sentinel+"/main")
		return err == nil
	})
	t.Cleanup(func() { client.Close() })
	s := newRedis(t, location.RedisOptions{Client: client})
	changes := watching(t, s)
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	receive(t, changes)
}

// TestRedisGap: whoever loses its place in a stream is told so.
func TestRedisGap(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client, StreamLen: 100, Shards: 1})
	ctx, cancel := context.WithCancel(t.Context())
	changes, hold, done := make(chan location.Change, 100000), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Watch(ctx, func(c location.Change) {
			changes <- c
			if c.Binding.ID == "first" {
				<-hold
			}
		})
	}()
	defer func() {
		cancel()
		<-done
	}()
	receive(t, changes)
	apply(t, s, register("1@pbx.dev", "first", 1, time.Hour))
	if c := receive(t, changes); c.Binding.ID != "first" {
		t.Fatalf("change of %q", c.Binding.ID)
	}
	for n := range 2000 {
		apply(t, s, register(aorN(n), "a", 1, time.Hour))
	}
	close(hold)
	if c := receive(t, changes); c.Kind != "" {
		t.Fatalf("change %s %s after a gap, want the empty one", c.Kind, c.Binding.AOR)
	}
	apply(t, s, register("1@pbx.dev", "last", 1, time.Hour))
	for c := receive(t, changes); c.Binding.ID != "last"; c = receive(t, changes) {
	}
}

// TestRedisFlushed: an emptied server is a gap.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client})
	changes := watching(t, s)
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
	receive(t, changes)
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, changes); c.Kind != "" {
		t.Errorf("change %s after FLUSHALL, want the empty one", c.Kind)
	}
	if n := count(t, s, "1@pbx.dev"); n != 0 {
		t.Errorf("%d bindings", n)
	}
	apply(t, s, register("1@pbx.dev", "a", 1, time.Hour))
}

// TestRedisTwoNodes: what one node writes the other sees, and each expiry is
// reported once to each.
func TestRedisTwoNodes(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	one := newRedis(t, location.RedisOptions{Client: server.client(), Node: "n1"})
	two := newRedis(t, location.RedisOptions{Client: server.client(), Node: "n2"})
	changes := watching(t, two)
	for i := range 20 {
		apply(t, one, register(aorN(i), "a", 1, 200*time.Millisecond))
	}
	seen := map[location.ChangeKind]int{}
	for range 40 {
		seen[receive(t, changes).Kind]++
	}
	if seen[location.Added] != 20 || seen[location.Expired] != 20 {
		t.Errorf("changes %v, want 20 added and 20 expired", seen)
	}
	apply(t, one, register("last@pbx.dev", "z", 1, time.Hour))
	if c := receive(t, changes); c.Binding.ID != "z" {
		t.Errorf("change %s %s, want added z: an expiry is reported twice", c.Kind, c.Binding.ID)
	}
	if n := count(t, two, "last@pbx.dev"); n != 1 {
		t.Errorf("%d bindings seen from the other node, want 1", n)
	}
	for _, key := range keysOf(t, server.client(), "dialtone:*:x") {
		if n := server.client().ZCard(t.Context(), key).Val(); n > 1 {
			t.Errorf("%s has %d members, want those of live bindings", key, n)
		}
	}
}

func TestRedisChecksAtStart(t *testing.T) {
	t.Parallel()
	client := startRedis(t, "--maxmemory-policy", "allkeys-lru").client()
	var log safeBuffer
	newRedis(t, location.RedisOptions{Client: client, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "allkeys-lru") {
		t.Errorf("log %q", log.String())
	}
	for name, opts := range map[string]location.RedisOptions{
		"other shards": {Client: client, Shards: 128},
		"prefix":       {Client: client, Prefix: "phones"},
		"brace":        {Client: client, Prefix: "dialtone:{a}"},
		"shards":       {Client: client, Shards: 5000},
		"no client":    {},
	} {
		if s, err := location.NewRedis(opts); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestRedisContactDeleted: an operator may delete a contact by its key.
func TestRedisContactDeleted(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	s := newRedis(t, location.RedisOptions{Client: client})
	changes := watching(t, s)
	apply(t, s, register("1@pbx.dev", "a", 5, time.Hour))
	apply(t, s, register("1@pbx.dev", "b", 1, time.Hour))
	client.Del(t.Context(), keysOf(t, client, "dialtone:*:contact:*:a")...)
	if n := count(t, s, "1@pbx.dev"); n != 1 {
		t.Errorf("%d bindings, want 1", n)
	}
	if n := len(apply(t, s, register("1@pbx.dev", "a", 1, time.Hour)).Bindings); n != 2 {
		t.Errorf("%d bindings, want 2", n)
	}
	var got []string
	for range 4 {
		c := receive(t, changes)
		got = append(got, string(c.Kind)+" "+c.Binding.ID)
	}
	if want := []string{"added a", "added b", "expired a", "added a"}; !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}
