package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// TestNewerSchema: a node goes on, and starts, beside a database that a newer program has
// upgraded when that says that it may; when not, a node that runs is not ready any more
// and says why, and none starts.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	url := postgres.URL(t)
	d := serve(t, "--database.url", url)
	head := ""
	sql := func(text string) string {
		t.Helper()
		out, err := exec.Command(testkit.Need(t, "psql"), url, "-AtqX", "-c", text).CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	head = sql("SELECT max(version) FROM schema_migrations")
	upgrade := func(since string) {
		sql("INSERT INTO schema_migrations (version, name, checksum, applied_at, since) SELECT max(version) + 1, 'next.sql', '', 0, " + since + " FROM schema_migrations")
	}
	upgrade(head)
	if status, text := d.raw("GET", "/readyz", nil); status != http.StatusOK {
		t.Errorf("beside a compatible schema: %d %s", status, text)
	}
	if err := d.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	d.start()
	if !strings.Contains(d.log.String(), "beside which this one goes on") {
		t.Errorf("it does not say that it is old:\n%s", d.log)
	}
	d.extension("101", "Desk")

	upgrade("0")
	status, text := d.raw("GET", "/readyz", nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(string(text), "written by a newer dialtone") {
		t.Errorf("beside a schema that it does not understand: %d %s", status, text)
	}
	out, err := exec.Command(binary, append([]string{"serve", "--data_dir", d.dir}, d.args...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("knows versions up to %s", head)) || strings.Contains(string(out), "\nready") {
		t.Errorf("%v %s", err, out)
	}
}
