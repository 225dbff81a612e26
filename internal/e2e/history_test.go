package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What the overview draws outlives a restart; a file that nobody wrote does not keep the
// server from starting.
func TestHistorySurvivesARestart(t *testing.T) {
	t.Parallel()
	d := serve(t)
	d.answer("GET", "/nothing.html", "")
	total := func() (n int) {
		var answer struct {
			History struct {
				Points []struct{ Outcomes map[string]int }
			}
		}
		d.call("GET", "/v1/pbx/phones/stats/history?hours=24", nil, &answer)
		for _, p := range answer.History.Points {
			for _, count := range p.Outcomes {
				n += count
			}
		}
		return n
	}
	before := total()
	if before == 0 {
		t.Fatal("no file was counted")
	}
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.start()
	if after := total(); after < before {
		t.Errorf("%d files before the restart, %d after it", before, after)
	}
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "overview.json"), []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	if n := total(); n != 0 || !strings.Contains(d.log.String(), "history of the overview begins anew") {
		t.Errorf("%d files, log:\n%s", n, d.log)
	}
}
