package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pbx.dev/dialtone/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local is a configuration on free loopback ports.
func local(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.DataDir = filepath.Join(t.TempDir(), "data")
	c.Advertise, c.SIP.Server = "127.0.0.1", "127.0.0.1"
	for _, l := range []*string{&c.Admin.Listen, &c.HTTP.Listen, &c.HTTPS.Listen, &c.TFTP.Listen, &c.SIP.UDP, &c.SIP.TCP, &c.SIP.TLS, &c.SIP.WS, &c.SIP.WSS} {
		*l = "127.0.0.1:0"
	}
	return c
}

// watched is an output that says when the table has ended.
type watched struct {
	mu    sync.Mutex
	b     bytes.Buffer
	ready chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if bytes.HasSuffix(w.b.Bytes(), []byte("\n\n")) {
		close(w.ready)
	}
	return len(p), nil
}

// Nothing is left of a process that served, was sent nonsense and was stopped.
func TestNoGoroutineLeft(t *testing.T) {
	out := &watched{ready: make(chan struct{})}
	a, err := New(t.Context(), Options{Config: local(t), Out: out, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	select {
	case <-out.ready:
	case err := <-done:
		t.Fatalf("ended with %v", err)
	}
	for _, r := range a.sockets.rows {
		nonsense(t, r)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + a.sockets.admin.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("readyz: %s %s", res.Status, text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// nonsense sends garbage to a listener and does not wait for an answer.
func nonsense(t *testing.T, r row) {
	t.Helper()
	conn, err := net.DialTimeout(r.network, r.addr, time.Second)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	defer conn.Close()
	for _, text := range []string{"\x00\x01\x02", "REGISTER sip:x SIP/2.0\r\nVia: ", strings.Repeat("A", 1400), "GET / HTTP/9\r\n\r\n"} {
		if _, err := fmt.Fprint(conn, text); err != nil {
			return // it hung up, as it may
		}
	}
}

// A start that fails in the middle leaves nothing open and says what failed.
func TestFailedStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"port taken":       {func(c *config.Config) { c.SIP.TCP = taken.Addr().String() }, "sip.tcp"},
		"no such redis":    {func(c *config.Config) { c.Redis.URL = secretOf("redis://127.0.0.1:1/first") }, "redis"},
		"no database":      {func(c *config.Config) { c.Database.URL = secretOf("postgres://127.0.0.1:1/x") }, "inventory"},
		"no data_dir":      {func(c *config.Config) { c.DataDir = "/proc/nowhere" }, "data_dir"},
		"no interface":     {func(c *config.Config) { c.DHCP.Mode, c.DHCP.Interface = "proxy", "nowhere0" }, "nowhere0"},
		"no certificate":   {func(c *config.Config) { c.HTTPS.Cert, c.HTTPS.Key = "/nowhere.pem", "/nowhere.key" }, "certificate"},
		"no client ca":     {func(c *config.Config) { c.HTTPS.ClientCA = "/nowhere.pem" }, "https.client_ca"},
		"no address in it": {func(c *config.Config) { c.HTTPS.ClientCA = "/etc/hostname" }, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			c := local(t)
			tt.change(&c)
			a, err := New(t.Context(), Options{Config: c, Out: io.Discard})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if a != nil {
				t.Error("an App beside the error")
			}
		})
	}
}
