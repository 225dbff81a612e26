package location_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/registrar/location"
)

// layoutOne writes a contact as programs of layout 1 did (commit 6094d72): the CSeq
// unpadded, no hash, and a TTL on the set of IDs.
func layoutOne(t *testing.T, c redis.UniversalClient, aor location.AOR, id string, left time.Duration) {
	t.Helper()
	now := time.Now()
	value := fmt.Sprintf(`{"v":1,"registeredAt":%d,"refreshedAt":%[1]d,"expiresAt":%d,"cseq":2,"callId":"1-19286@127.0.0.1",`+
		`"device":"addr:127.0.0.1:5060","aor":%q,"id":%q,"contact":"sip:101@127.0.0.1:5060;transport=UDP","received":"127.0.0.1:5060",`+
		`"transport":"udp","socket":"127.0.0.1:53697","node":"vm","boot":"5i2mc2uso6dj","userAgent":"Yealink SIP-T46S 66.86.0.15","authUser":"101_desk","q":1000}`,
		now.UnixMilli(), now.Add(left).UnixMilli(), aor, id)
	if !json.Valid([]byte(value)) {
		t.Fatal(value)
	}
	base := fmt.Sprintf("dialtone:{s%02d}:", location.ShardOf(aor, 64))
	end := float64(now.Add(left).UnixMilli())
	for _, err := range []error{
		c.Set(t.Context(), "dialtone:meta", `{"layout":1,"shards":64}`, 0).Err(),
		c.Set(t.Context(), base+"contact:"+string(aor)+":"+id, value, left).Err(),
		c.ZAdd(t.Context(), base+"a:"+string(aor), redis.Z{Score: end, Member: id}).Err(),
		c.PExpire(t.Context(), base+"a:"+string(aor), left).Err(),
		c.ZAdd(t.Context(), base+"x", redis.Z{Score: end, Member: string(aor) + "|" + id}).Err(),
		c.XAdd(t.Context(), &redis.XAddArgs{Stream: base + "ev", Values: []any{"k", "added", "m", string(aor) + "|" + id, "e", "1", "v", value}}).Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Registrations of layout 1 are there after the upgrade, with the time that they
// had left, and are refreshed as any other.
func TestLayoutOneIsRewritten(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	for i := range 1200 {
		layoutOne(t, client, location.AOR(fmt.Sprintf("%d@pbx.dev", 1000+i)), "99a009b9c91800563ce7a6a5", time.Hour)
	}
	layoutOne(t, client, "1000@pbx.dev", "another", 30*time.Minute)
	s := newRedis(t, location.RedisOptions{Client: client, Node: "n1", Boot: "b1"})
	if got := keysOf(t, client, "dialtone:*:contact:*"); len(got) != 1201 {
		t.Errorf("%d contacts", len(got))
	}
	bindings, err := s.Lookup(t.Context(), "1000@pbx.dev")
	if err != nil || len(bindings) != 2 {
		t.Fatalf("%d bindings, %v", len(bindings), err)
	}
	for _, b := range bindings {
		if left := time.Until(b.ExpiresAt); b.AuthUser != "101_desk" || b.CSeq != 2 || left < 25*time.Minute || left > time.Hour {
			t.Errorf("%+v", b)
		}
	}
	b := bindings[0]
	u := location.Update{AOR: b.AOR, CallID: b.CallID, CSeq: 3, Contacts: []location.Contact{{Binding: b, TTL: 2 * time.Hour}}}
	if _, err := s.Apply(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("dialtone:{s%02d}:contact:1000@pbx.dev:%s", location.ShardOf(b.AOR, 64), b.ID)
	if ttl := client.TTL(t.Context(), key).Val(); ttl < 119*time.Minute {
		t.Errorf("ttl %v after a refresh", ttl)
	}
	if ttl := client.TTL(t.Context(), fmt.Sprintf("dialtone:{s%02d}:a:1000@pbx.dev", location.ShardOf(b.AOR, 64))).Val(); ttl != -1 {
		t.Errorf("the set of IDs ends in %v", ttl)
	}
	if meta := client.Get(t.Context(), "dialtone:meta").Val(); meta != `{"layout":2,"shards":64}` {
		t.Errorf("meta %s", meta)
	}
}

// Nodes that start at once do not rewrite twice; who comes in between is told that
// it has to wait.
func TestLayoutOneIsRewrittenOnce(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := server.client()
	for i := range 300 {
		layoutOne(t, client, location.AOR(fmt.Sprintf("%d@pbx.dev", i)), "a", time.Hour)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, err := location.NewRedis(location.RedisOptions{Client: server.client(), Node: fmt.Sprintf("n%d", i), Boot: "b", Later: true})
			if err != nil {
				t.Error(err)
				return
			}
			_ = s.Close()
		})
	}
	wg.Wait()
	s := newRedis(t, location.RedisOptions{Client: client, Node: "n", Boot: "b"})
	all, _, err := s.List(t.Context(), "", 1000)
	if err != nil || len(all) != 300 {
		t.Errorf("%d, %v", len(all), err)
	}
}

// What nobody knows is left alone, and the refusal says what to do.
func TestOtherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	client := startRedis(t).client()
	for _, meta := range []string{`{"layout":3,"shards":64}`, `{"layout":1,"shards":32}`, "x"} {
		if err := client.Set(t.Context(), "dialtone:meta", meta, 0).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := location.NewRedis(location.RedisOptions{Client: client, Node: "n", Boot: "b"})
		if err == nil || !strings.Contains(err.Error(), "register again") {
			t.Errorf("%s: %v", meta, err)
		}
		if got := client.Get(t.Context(), "dialtone:meta").Val(); got != meta {
			t.Errorf("%s became %s", meta, got)
		}
	}
}

// The journal of the first release is read as its program wrote it before it was
// killed.
func TestReleasedJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/6094d72")); err != nil {
		t.Fatal(err)
	}
	s, err := location.NewMemory(location.MemoryOptions{Dir: dir, Now: func() time.Time { return time.UnixMilli(1795628327376).Add(time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	got, err := s.Lookup(t.Context(), "101@pbx.dev")
	if err != nil || len(got) != 1 || got[0].AuthUser != "101_desk" || got[0].CSeq != 2 || got[0].Received != "127.0.0.1:5060" {
		t.Errorf("%+v, %v", got, err)
	}
}
