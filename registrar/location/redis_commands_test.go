package location_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// commands62 are the commands that may be used: all of them are in Redis 6.2 and in
// Valkey 7.2, with the options that the scripts and the client give them (SET PXAT and
// XADD MAXLEN are of 6.2 and 5.0). Those of the last line are the client library's own,
// of this test, or of the server.
var commands62 = strings.Fields(`
	config|get del eval evalsha exists get getrange mget pexpireat ping psubscribe pttl publish scan set setnx setrange subscribe unsubscribe
	time xadd xlen xrange xread xrevrange zadd zcard zrange zrangebyscore zrem zscore
	client|setinfo client|setname client|maint_notifications hello info command cluster|slots cluster|shards select auth quit`)

// TestScriptsKeepToRedis62 reads the commands out of the scripts.
func TestScriptsKeepToRedis62(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("lua/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	call := regexp.MustCompile(`call\('([A-Z]+)'`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := call.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s: no command found", file)
		}
		for _, m := range found {
			if name := strings.ToLower(m[1]); !slices.Contains(commands62, name) {
				t.Errorf("%s: %s is not in the list", file, name)
			}
		}
	}
}

// TestStoreKeepsToRedis62 asks the server which commands it has been sent, by the
// scripts too.
func TestStoreKeepsToRedis62(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	var store *location.Redis
	r := newResilient(t, location.RedisOptions{Client: server.client(), Node: "n1", Boot: "b1"}, func(o *location.ResilientOptions) { store = o.Store })
	newNodes(t, store, r, time.Minute)
	apply(t, r, over("1@pbx.dev", "a", "n2", "f1"))
	apply(t, r, register("1@pbx.dev", "b", 1, 300*time.Millisecond))
	if err := r.Drop(t.Context(), location.FlowEnd{AOR: "1@pbx.dev", Node: "n2", Boot: "boot", Flow: "f1"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.List(t.Context(), "", 10); err != nil {
		t.Fatal(err)
	}
	if err := store.KeepBan(t.Context(), "a ban: *", time.Minute); err != nil {
		t.Fatal(err)
	}
	if bans, err := store.Bans(t.Context()); err != nil || bans["a ban: *"] <= 0 {
		t.Errorf("bans %v, %v", bans, err)
	}
	if err := store.Restore(t.Context(), []location.Held{{Binding: apply(t, r, register("2@pbx.dev", "c", 1, time.Hour)).Bindings[0]}}); err != nil {
		t.Fatal(err)
	}
	runBus(t, location.BusOptions{Client: server.client(), ID: "one"}).Tell("x", "y")
	waitFor(t, "the short one has run out", func() bool { return count(t, r, "1@pbx.dev") == 0 })
	info, err := server.client().Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):`).FindAllStringSubmatch(info, -1) {
		if !slices.Contains(commands62, m[1]) {
			t.Errorf("%s is not in the list", m[1])
		}
	}
}
