package registrar

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestSIPp lets a foreign user agent register and unregister a hundred contacts,
// twenty at a time, over each transport.
func TestSIPp(t *testing.T) {
	t.Parallel()
	sipp := testkit.Need(t, "sipp")
	scenario, err := filepath.Abs("testdata/register.xml")
	if err != nil {
		t.Fatal(err)
	}
	for mode, network := range map[string]string{"u1": "udp", "t1": "tcp", "tn": "tcp"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *Options) { o.MaxContacts = 100 })
			addr := w.udp
			if network == "tcp" {
				addr = w.tcp
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, sipp, addr, "-sf", scenario, "-i", "127.0.0.1", "-t", mode,
				"-m", "100", "-r", "200", "-l", "20", "-nostdin", "-timeout", "40s", "-timeout_error", "-max_socket", "1000")
			cmd.Dir = t.TempDir()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("sipp: %v\n%s", err, out)
			}
			if left := w.contacts(t, "101"); len(left) != 0 {
				t.Errorf("contacts left: %q", left)
			}
		})
	}
}
