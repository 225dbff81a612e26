package proxy

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/testkit"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/location"
)

// verifier is the real digest check; every SIPUsername has the password "secret".
func verifier(t *testing.T, h *house) *digest.Verifier {
	t.Helper()
	v, err := digest.New(digest.Options{
		Realm: testDomain, Key: []byte("0123456789abcdef"),
		Lookup: func(ctx context.Context, user string) (phone.Credential, error) {
			c, err := h.Credential(ctx, user)
			c.Secret = phone.NewSecret("secret")
			return c, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sipp runs one call of a scenario; wait until it has ended well with the
// returned function.
func sipp(t *testing.T, scenario string, port int, args ...string) (wait func()) {
	t.Helper()
	prog := testkit.Need(t, "sipp")
	file, err := filepath.Abs(filepath.Join("testdata", "sipp", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	args = append([]string{
		"-sf", file, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-m", "1", "-nostdin",
		"-timeout", "20s", "-timeout_error", "-trace_err", "-error_file", filepath.Join(t.TempDir(), "errors"),
	}, args...)
	cmd := exec.CommandContext(ctx, prog, args...)
	cmd.Dir = t.TempDir()
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); cancel() }()
	return sync.OnceFunc(func() {
		t.Helper()
		if err := <-ended; err != nil {
			t.Errorf("sipp %s: %v\n%s", scenario, err, out.tail())
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *lockedBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b[max(0, len(b.b)-3000):])
}

// TestSipp: callers and phones are sipp, the digest is the real one.
func TestSipp(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	cases := []struct {
		name, caller string
		phones       []string // of extension 102
		dial         string
	}{
		{"two ring, one answers, the other is cancelled", "uac_talk", []string{"uas_answer", "uas_cancelled"}, "102"},
		{"both busy", "uac_486", []string{"uas_busy", "uas_busy"}, "102"},
		{"caller hangs up", "uac_hangup", []string{"uas_cancelled"}, "102"},
		{"caller hangs up before anything rings", "uac_hangup_early", []string{"uas_late", "uas_late"}, "102"},
		{"answer crosses the CANCEL and wins", "uac_cross", []string{"uas_cross"}, "102"},
		{"both answer in the same moment, none is half open", "uac_talk", []string{"uas_at_once", "uas_at_once"}, "102"},
		{"three answer in the same moment, none is half open", "uac_talk", []string{"uas_at_once", "uas_at_once", "uas_at_once"}, "102"},
		{"unknown extension", "uac_404", nil, "999"},
		{"nobody registered", "uac_480", nil, "102"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &house{bindings: map[string][]location.Binding{}}
			s := newSite(t, func(o *Options) { o.Auth = verifier(t, h) })
			var waits []func()
			for _, scenario := range tc.phones {
				port := testkit.FreePort(t)
				addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
				waits = append(waits, sipp(t, scenario, port))
				s.mu.Lock()
				s.bindings["102"] = append(s.bindings["102"], location.Binding{
					Contact: "sip:102@" + addr, Received: addr, Transport: "udp", AOR: "102@" + testDomain,
				})
				s.mu.Unlock()
			}
			waits = append(waits, sipp(t, tc.caller, testkit.FreePort(t), s.udp, "-s", tc.dial, "-auth_uri", tc.dial+"@"+testDomain))
			for _, wait := range waits {
				wait()
			}
		})
	}
}
