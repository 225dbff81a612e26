package location

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedisURLs(t *testing.T) {
	t.Parallel()
	cases := []struct {
		url, mode, user, password, master string
		hosts                             []string
		db                                int
		tls                               bool
	}{
		{url: "redis://localhost", hosts: []string{"localhost:6379"}},
		{url: "redis://h:1234/3", hosts: []string{"h:1234"}, db: 3},
		{url: "redis://u:p@[::1]/2", hosts: []string{"[::1]:6379"}, user: "u", password: "p", db: 2},
		{url: "rediss://:p%40ss@h", hosts: []string{"h:6379"}, password: "p@ss", tls: true},
		{url: "unix:///run/redis.sock?db=4", hosts: []string{"/run/redis.sock"}, db: 4},
		{url: "unix://u:p@/run/redis.sock", hosts: []string{"/run/redis.sock"}, user: "u", password: "p"},
		{
			url: "redis://u:p@s1,s2:26380/1?master_name=main", mode: "sentinel", master: "main",
			hosts: []string{"s1:26379", "s2:26380"}, user: "u", password: "p", db: 1,
		},
		{url: "redis+sentinel://s1,[::2]/main/5", mode: "sentinel", master: "main", hosts: []string{"s1:26379", "[::2]:26379"}, db: 5},
		{url: "rediss+sentinel://s1:1/main", mode: "sentinel", master: "main", hosts: []string{"s1:1"}, tls: true},
		{url: "redis://a:1,b:2,c", mode: "cluster", hosts: []string{"a:1", "b:2", "c:6379"}},
		{url: "redis://u:p@a:1?addr=b:2", mode: "cluster", hosts: []string{"a:1", "b:2"}, user: "u", password: "p"},
		{url: "redis+cluster://a", mode: "cluster", hosts: []string{"a:6379"}},
		{url: "rediss+cluster://:x@a,b", mode: "cluster", hosts: []string{"a:6379", "b:6379"}, password: "x", tls: true},
	}
	for _, c := range cases {
		client, err := redisClient(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		client.Close()
		mode, user, password, tls, hosts, db := "", "", "", false, []string(nil), 0
		timeouts := map[time.Duration]bool{}
		switch client := client.(type) {
		case *redis.Client:
			o := client.Options()
			user, password, tls, hosts, db = o.Username, o.Password, o.TLSConfig != nil, []string{o.Addr}, o.DB
			timeouts[o.ReadTimeout], timeouts[o.WriteTimeout], timeouts[o.DialTimeout] = true, true, true
			if o.MaxRetries > 0 || !o.ContextTimeoutEnabled {
				t.Errorf("%s: retries %d, context %v", c.url, o.MaxRetries, o.ContextTimeoutEnabled)
			}
		case *redis.ClusterClient:
			o := client.Options()
			mode, user, password, tls, hosts = "cluster", o.Username, o.Password, o.TLSConfig != nil, o.Addrs
			timeouts[o.ReadTimeout], timeouts[o.WriteTimeout], timeouts[o.DialTimeout] = true, true, true
		}
		if c.mode == "sentinel" {
			u, err := splitRedisURL(c.url)
			if err != nil || u.mode != c.mode || u.url.Query().Get("master_name") != c.master || !slices.Equal(u.hosts, c.hosts) {
				t.Errorf("%s: %+v, %v", c.url, u, err)
			}
			mode, hosts = u.mode, c.hosts
		}
		if mode != c.mode || user != c.user || password != c.password || tls != c.tls || db != c.db || !slices.Equal(hosts, c.hosts) {
			t.Errorf("%s: %q %q %q %v %v %d", c.url, mode, user, password, tls, hosts, db)
		}
		if len(timeouts) != 1 || !timeouts[redisTimeout] {
			t.Errorf("%s: timeouts %v, want %v", c.url, timeouts, redisTimeout)
		}
	}
	client, err := redisClient("redis://h?read_timeout=2s&max_retries=2")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if o := client.(*redis.Client).Options(); o.ReadTimeout != 2*time.Second || o.MaxRetries != 2 {
		t.Errorf("read timeout %v, retries %d: the URL does not win", o.ReadTimeout, o.MaxRetries)
	}
}

func TestBadRedisURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "localhost:6379", "http://:geheim@h", "redis://:geheim@h:port", "redis://:geheim@h/x", "redis://:geheim@h?wrong=1",
		"redis+sentinel://:geheim@h", "redis://:geheim@a,,b", "unix+cluster:///x", "unix://", "redis://:geheim@h/%zz",
		"redis://:ge heim@h/1/2", "redis+other://:geheim@h", "redis://:geheim@%zz", "redis+cluster://:geheim@h/?addr=x",
	} {
		client, err := redisClient(url)
		if err == nil {
			client.Close()
			t.Errorf("%s: accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error shows the password: %v", url, err)
		}
	}
}
