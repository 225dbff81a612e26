package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/testkit"
)

// TestUploadTwice: curl sends an upload again under its Idempotency-Key, to the other
// node, and gets the answer of the first time; another file is refused.
func TestUploadTwice(t *testing.T) {
	t.Parallel()
	one, two := serveCluster(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "T46S-66.86.0.15.rom"), "rom")
	other := writeFile(t, filepath.Join(t.TempDir(), "T46S-66.86.0.15.rom"), "another")
	post := func(d *daemon, file string) (status, headers, body string) {
		out, err := exec.Command(testkit.Need(t, "curl"), "-sS", "-i", "-H", "Authorization: Bearer "+d.key, "-H", "Idempotency-Key: k",
			"-F", "model=T46S", "-F", "file=@"+file, "http://"+d.addr["admin"]+"/v1/pbx/firmware").Output()
		if err != nil {
			t.Fatalf("curl: %v %s", err, out)
		}
		headers, body, _ = strings.Cut(string(out), "\r\n\r\n")
		return strings.Fields(headers)[1], headers, body
	}
	status, _, first := post(one, file)
	if status != "201" {
		t.Fatalf("%s %s", status, first)
	}
	if status, headers, body := post(two, file); status != "201" || body != first || !strings.Contains(headers, "Idempotency-Replayed: true") {
		t.Errorf("again: %s\n%s", headers, body)
	}
	if status, _, body := post(two, other); status != "422" {
		t.Errorf("another file: %s %s", status, body)
	}
}
