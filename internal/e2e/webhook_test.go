package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestDriftWebhook: a phone that is not the model it is provisioned as is told to the
// webhook, signed, and again when it is what it should be.
func TestDriftWebhook(t *testing.T) {
	t.Parallel()
	type post struct{ body, signature string }
	posts := make(chan post, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posts <- post{string(body), r.Header.Get("Dialtone-Signature")}
	}))
	defer server.Close()
	d := serve(t, "--webhook.url", server.URL, "--webhook.secret", "shared")
	d.extension("101", "Desk")
	p := d.phone("001565aabb01", "T46S", "101")
	user, auth, password := rendered(t, d, "001565aabb01")
	await := func(want string) {
		t.Helper()
		for deadline := time.After(20 * time.Second); ; {
			select {
			case got := <-posts:
				at, mac, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",v1=")
				h := hmac.New(sha256.New, []byte("shared"))
				h.Write([]byte(at + "." + got.body))
				if hex.EncodeToString(h.Sum(nil)) != mac {
					t.Errorf("signature %s of %s", got.signature, got.body)
				}
				if strings.Contains(got.body, want) && strings.Contains(got.body, p.ID) {
					return
				}
			case <-deadline:
				t.Fatalf("nobody was told %s", want)
			}
		}
	}
	if err := sippRegister(t, d.addr["sip.udp"], "udp", user, auth, password, "Yealink SIP-T42S 66.86.0.15", 600); err != nil {
		t.Fatal(err)
	}
	await(`"drift":["model: the phone reports T42S`)
	if !strings.Contains(d.metrics(), "dialtone_phones_drift 1") {
		t.Error("the metric does not count it")
	}
	if status := d.call("PATCH", "/v1/pbx/phones/"+p.ID, `{"model":"T42S"}`, nil); status != http.StatusOK {
		t.Fatalf("patch: %d", status)
	}
	await(`"was":["model: `)
}
