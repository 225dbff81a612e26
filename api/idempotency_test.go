package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	post := func(call, key, body string) (status int, answer string, header http.Header) {
		w := send(t, c.handler, request{call: "POST " + call, body: body, key: c.key, header: map[string]string{"Idempotency-Key": key}})
		return w.Code, w.Body.String(), w.Header()
	}
	const extensions, body = "/v1/pbx/extensions", `{"number":"101"}`
	status, first, header := post(extensions, "k1", body)
	if status != http.StatusCreated || !strings.Contains(first, "sipPassword") || header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", status, first)
	}
	status, again, repeated := post(extensions, "k1", body)
	if status != http.StatusCreated || again != first || repeated.Get("Idempotency-Replayed") != "true" ||
		repeated.Get("Location") != header.Get("Location") || repeated.Get("Content-Type") != header.Get("Content-Type") {
		t.Errorf("again: %d %s %v", status, cmp.Diff(first, again), repeated)
	}
	if status, answer, _ := post(extensions, "k1", `{"number":"102"}`); status != http.StatusUnprocessableEntity {
		t.Errorf("another body: %d %s", status, answer)
	}
	if status, answer, _ := post(extensions, "k2", body); status != http.StatusConflict {
		t.Errorf("another key: %d %s", status, answer)
	}
	// What failed is not kept, and may be mended under its key.
	if status, answer, _ := post(extensions, "k2", `{"number":"103"}`); status != http.StatusCreated {
		t.Errorf("mended: %d %s", status, answer)
	}
	// Another call with the same key is another request.
	if status, answer, _ := post("/v1/pbx/extensions/101/credentials", "k1", ""); status != http.StatusOK || answer == first {
		t.Errorf("another call: %d %s", status, answer)
	}
	for _, bad := range []string{"", "\x01", strings.Repeat("x", 256)} {
		if status, answer, _ := post(extensions, bad, body); status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, status, answer)
		}
	}
	trail := c.do(http.StatusOK, "GET /v1/pbx/audit?subject=101", "")["audit"].([]any)
	replays := 0
	for _, e := range trail {
		detail, _ := e.(map[string]any)["detail"].(map[string]any)
		if detail["replayed"] == true && detail["secretShown"] == "sipPassword" {
			replays++
		}
	}
	if replays != 1 {
		t.Errorf("the audit trail: %v", trail)
	}
}

// Another access key with the same idempotency key gets nothing of the first one's.
func TestIdempotencyKeyOfAnother(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	other := c.do(http.StatusCreated, "POST /v1/pbx/keys", `{"name":"other","scopes":["pbx:extensions:write"]}`)["key"].(string)
	header := map[string]string{"Idempotency-Key": "k"}
	call := request{call: "POST /v1/pbx/extensions", body: `{"number":"101"}`, key: c.key, header: header}
	if w := send(t, c.handler, call); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	call.key = other
	if w := send(t, c.handler, call); w.Code != http.StatusConflict || strings.Contains(w.Body.String(), "sipPassword") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
