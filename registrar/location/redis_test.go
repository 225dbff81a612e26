package location_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/location/locationtest"
)

// server is a redis-server of a test, on a unix socket.
type server struct {
	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
}

func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	testkit.Need(t, "redis-server")
	dir, err := os.MkdirTemp("", "redis") // a short path: sockets have room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, dir: dir, args: args}
	t.Cleanup(s.stop)
	s.start()
	return s
}

func (s *server) socket() string { return filepath.Join(s.dir, "sock") }

// patiently lets a command take its time: the machine of the tests is a busy one, and
// what a slow server means is the subject of other tests.
const patiently = "?read_timeout=10s&write_timeout=10s&pool_timeout=10s&dial_timeout=10s"

func (s *server) url() string { return "unix://" + s.socket() }

func (s *server) start() {
	s.t.Helper()
	args := append([]string{
		"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--logfile", filepath.Join(s.dir, "log"),
	}, s.args...)
	s.cmd = exec.Command(testkit.Need(s.t, "redis-server"), args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	waitFor(s.t, "redis-server", func() bool {
		c, err := location.OpenRedis(context.Background(), s.url())
		if err != nil {
			return strings.Contains(err.Error(), "NOAUTH") // it asks for a password, so it is there
		}
		c.Close()
		return true
	})
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// waitFor waits until ok, which is asked often but not busily.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (s *server) client() redis.UniversalClient {
	s.t.Helper()
	return openClient(s.t, s.url())
}

func openClient(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	c, err := location.OpenRedis(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newRedis(t testing.TB, opts location.RedisOptions) *location.Redis {
	t.Helper()
	s, err := location.NewRedis(opts)
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

// conforms runs the suite with a prefix of its own for each test.
func conforms(t *testing.T, client redis.UniversalClient) {
	var n atomic.Int64
	locationtest.Run(t, func(t *testing.T) location.Store {
		return newRedis(t, location.RedisOptions{Client: client, Prefix: fmt.Sprintf("dialtone:t%d", n.Add(1)), Node: "n1", Boot: "b1"})
	})
}

func TestRedisConforms(t *testing.T) {
	t.Parallel()
	// The suite runs its tests in parallel: the client must outlive them.
	t.Run("suite", func(t *testing.T) { conforms(t, openClient(t, startRedis(t).url()+patiently)) })
}

func TestRedisClusterConforms(t *testing.T) {
	t.Parallel()
	client := openClient(t, "redis+cluster://"+strings.Join(startCluster(t), ",")+patiently)
	t.Run("suite", func(t *testing.T) { conforms(t, client) })
}

// startCluster starts three masters and returns their addresses.
func startCluster(t testing.TB) []string {
	t.Helper()
	cli := testkit.Need(t, "redis-cli")
	var hosts []string
	var wg sync.WaitGroup
	for range 3 {
		port, bus := strconv.Itoa(testkit.FreePort(t)), strconv.Itoa(testkit.FreePort(t))
		hosts = append(hosts, "127.0.0.1:"+port)
		wg.Go(func() {
			startRedis(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", bus,
				"--cluster-node-timeout", "5000")
		})
	}
	wg.Wait()
	args := append([]string{"--cluster", "create"}, hosts...)
	out, err := exec.Command(cli, append(args, "--cluster-replicas", "0", "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("create cluster: %v\n%s", err, out)
	}
	for _, host := range hosts {
		waitFor(t, "cluster", func() bool {
			h, p, _ := net.SplitHostPort(host)
			out, _ := exec.Command(cli, "-h", h, "-p", p, "cluster", "info").Output()
			return strings.Contains(string(out), "cluster_state:ok")
		})
	}
	return hosts
}
