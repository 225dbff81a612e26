package dhcpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/ipv4"

	"pbx.dev/dialtone/internal/phone"
)

// TestMain runs the tests, or what lab.serve and lab.ask start in a namespace.
func TestMain(m *testing.M) {
	for env, do := range map[string]func(string) error{helperEnv: helper, askEnv: asker} {
		if cfg := os.Getenv(env); cfg != "" {
			if err := do(cfg); err != nil {
				panic(err) // the parent reads it
			}
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// asker sends a packet every half second until a reply comes, for 10 s at most.
func asker(cfg string) error {
	var q question
	if err := json.Unmarshal([]byte(cfg), &q); err != nil {
		return err
	}
	from, to := netip.MustParseAddrPort(q.From), netip.MustParseAddrPort(q.To)
	l := &link{name: q.Dev}
	if err := l.open(context.Background(), int(from.Port())); err != nil {
		return err
	}
	defer func() { _ = l.conn.Close() }()
	if !from.Addr().IsUnspecified() {
		l.oob = (&ipv4.ControlMessage{Src: from.Addr().AsSlice()}).Marshal()
	}
	buf := make([]byte, maxDatagram)
	for range 20 {
		if err := l.send(q.Packet, to); err != nil {
			return err
		}
		_ = l.conn.SetReadDeadline(time.Now().Add(time.Second / 2))
		if n, _, err := l.conn.ReadFromUDPAddrPort(buf); err == nil {
			fmt.Fprintf(os.Stdout, "reply %x\n", buf[:n])
			return nil
		}
	}
	return errors.New("no reply")
}

// helper serves until SIGTERM and prints its events.
func helper(cfg string) error {
	var h helperOptions
	if err := json.Unmarshal([]byte(cfg), &h); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var mu sync.Mutex
	var s *Server
	o := Options{
		Mode: h.Mode, Interfaces: h.Interfaces, Facts: func() Facts { return h.Facts }, LeaseTime: h.LeaseTime,
		PhonesOnly: !h.Everybody, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
		Recorder: func(ev phone.Event) {
			mu.Lock()
			defer mu.Unlock()
			_ = json.NewEncoder(os.Stdout).Encode(ev)
			if ev.Kind == phone.EventNetwork {
				for list, _ := s.Others(); len(list) > 0; list = list[1:] {
					fmt.Fprintf(os.Stdout, "{\"other\":%q,\"interface\":%q,\"problem\":%q}\n", list[0].Server, list[0].Interface, list[0].Problem)
				}
			}
		},
	}
	if h.Mode == Lease {
		o.Range = [2]netip.Addr{netip.MustParseAddr(h.First), netip.MustParseAddr(h.Last)}
		o.Leases = &fileLeases{path: h.Store}
		if h.Store == "" {
			o.Leases = &memLeases{}
		}
	}
	if h.Router != "" {
		o.Router = netip.MustParseAddr(h.Router)
	}
	var err error
	if s, err = New(o); err != nil {
		return err
	}
	if h.Poll > 0 {
		s.poll = h.Poll
	}
	if err := s.Listen(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "ready")
	return s.Serve(ctx)
}

// fileLeases is a store that survives its process.
type fileLeases struct {
	mu   sync.Mutex
	path string
}

var _ Leases = (*fileLeases)(nil)

func (f *fileLeases) change(do func(map[string]phone.Lease)) (map[string]phone.Lease, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := map[string]phone.Lease{}
	if b, err := os.ReadFile(f.path); err == nil {
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, err
		}
	}
	if do == nil {
		return m, nil
	}
	do(m)
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return m, os.WriteFile(f.path, b, 0o600)
}

func (f *fileLeases) SaveLease(_ context.Context, l phone.Lease) error {
	_, err := f.change(func(m map[string]phone.Lease) { m[l.MAC.Hex()] = l })
	return err
}

func (f *fileLeases) DeleteLease(_ context.Context, mac phone.MAC) error {
	_, err := f.change(func(m map[string]phone.Lease) { delete(m, mac.Hex()) })
	return err
}

func (f *fileLeases) Leases(context.Context) ([]phone.Lease, error) {
	m, err := f.change(nil)
	var out []phone.Lease
	for _, l := range m {
		out = append(out, l)
	}
	return out, err
}

var testFacts = Facts{
	HTTPURL: "http://10.9.0.1:8081/", HTTPSURL: "https://10.9.0.1:8443/", TFTPHost: "10.9.0.1", SIPServer: "10.9.0.1",
	NTP: []netip.Addr{netip.MustParseAddr("10.9.0.2")},
}

// testNow is the time of the tests that need none to pass.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
