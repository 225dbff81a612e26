package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/inventory/pgtest"
)

// PostgreSQL goes away: phones that are known register on and are called, their files are
// served, and the API says that it is not its fault.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server := &pgtest.Server{}
	d := serve(t, "--database.url", server.URL(t))
	const mac = "001565aabb01"
	desk, stranger := d.extension("101", "Desk"), d.extension("102", "Stranger") // who never registers before
	d.phone(mac, "T46S", "101")
	p := newRawPhone(t, d.addr["sip.udp"])
	register := func(c credentials, cseq int) string {
		return strings.SplitN(p.roundTrip(p.signed(c.Number, c, cseq, "desk"+c.Number, 600, ""), 5*time.Second), "\r\n", 2)[0]
	}
	if got := register(desk, 1); got != "SIP/2.0 200 OK" {
		t.Fatal(got)
	}
	url := "http://" + d.addr["http"] + "/" + mac + ".cfg"
	_, file := d.fetch(url)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "readyz says so", func() bool {
		res, err := http.Get("http://" + d.addr["admin"] + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	if got := register(desk, 2); got != "SIP/2.0 200 OK" {
		t.Errorf("a known user: %s", got)
	}
	if got := register(stranger, 3); got != "SIP/2.0 503 Service Unavailable" {
		t.Errorf("one that was never asked for: %s", got)
	}
	if status, again := d.fetch(url); again != file || file == "" {
		t.Errorf("its file is now %s\n%s", status, again)
	}
	if status, text := d.raw("POST", "/v1/pbx/extensions", `{"number":"103"}`); status != http.StatusServiceUnavailable || !strings.Contains(string(text), "cannot be reached") {
		t.Errorf("a write: %d %s", status, text)
	}
}
