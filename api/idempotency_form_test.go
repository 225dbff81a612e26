package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// keyed posts a form under an idempotency key.
func (c *client) keyed(key, contentType string, body io.Reader) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), "POST", "/v1/pbx/firmware", body)
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w
}

// TestIdempotencyKeyOfForm: a form that is sent again, with whatever boundary, is answered
// the same; another content, name or field under its key is refused. What failed may be
// mended.
func TestIdempotencyKeyOfForm(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	upload := func(key, name, content string, fields ...string) *httptest.ResponseRecorder {
		body, contentType := form(t, name, content, true, fields...)
		return c.keyed(key, contentType, body)
	}
	const name = "T46S-66.86.0.15.rom"
	content := strings.Repeat("rom ", 100_000)
	first := upload("k", name, content, "model=T46S")
	if first.Code != http.StatusCreated {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	again := upload("k", name, content, "model=T46S")
	if again.Code != http.StatusCreated || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" ||
		again.Header().Get("Location") != first.Header().Get("Location") {
		t.Errorf("again: %d %s %v", again.Code, again.Body, again.Header())
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"content":    upload("k", name, content+"x", "model=T46S"),
		"name":       upload("k", "T46S-66.86.0.16.rom", content, "model=T46S"),
		"field":      upload("k", name, content, "model=T48S"),
		"one more":   upload("k", name, content, "model=T46S", "model=T48S"),
		"not a form": c.keyed("k", "multipart/form-data; boundary=x", strings.NewReader("--y")),
	} {
		if w.Code != http.StatusUnprocessableEntity && (what != "not a form" || w.Code != http.StatusBadRequest) {
			t.Errorf("another %s: %d %s", what, w.Code, w.Body)
		}
	}
	if w := upload("k2", name, content, "colour=red"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a form that is wrong: %d", w.Code)
	}
	if w := upload("k2", "T46S-66.86.0.17.rom", "other", "model=T46S"); w.Code != http.StatusCreated {
		t.Errorf("mended: %d %s", w.Code, w.Body)
	}
	if w := upload("k3", name, content, "model=T46S"); w.Code != http.StatusOK {
		t.Errorf("the same under another key: %d %s", w.Code, w.Body)
	}
	if w := c.keyed("k4", "multipart/form-data", strings.NewReader("x")); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("no boundary: %d %s", w.Code, w.Body)
	}
}

// TestIdempotencyKeyUnderWay: while an upload comes in, the same again is told so.
func TestIdempotencyKeyUnderWay(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	body, contentType := form(t, "T46S-66.86.0.15.rom", "rom", true, "model=T46S")
	text := body.String()
	slow, feed := io.Pipe()
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- c.keyed("k", contentType, slow) }()
	if _, err := io.WriteString(feed, text[:len(text)/2]); err != nil { // it is being read
		t.Fatal(err)
	}
	if w := c.keyed("k", contentType, strings.NewReader(text)); w.Code != http.StatusConflict {
		t.Errorf("meanwhile: %d %s", w.Code, w.Body)
	}
	if _, err := io.WriteString(feed, text[len(text)/2:]); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if w := <-done; w.Code != http.StatusCreated {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := c.keyed("k", contentType, strings.NewReader(text)); w.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// TestIdempotencyKeyAtOnce: of many that send the same at once one does it; the others get
// its answer, or are told to come back.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	call := request{call: "POST /v1/pbx/extensions", body: `{"number":"101"}`, key: c.key, header: map[string]string{"Idempotency-Key": "k"}}
	var wg sync.WaitGroup
	answers := make(chan *httptest.ResponseRecorder, 16)
	for range cap(answers) {
		wg.Go(func() { answers <- send(t, c.handler, call) })
	}
	wg.Wait()
	close(answers)
	made := map[string]int{}
	for w := range answers {
		switch {
		case w.Code == http.StatusConflict && strings.Contains(w.Body.String(), "under way"):
		case w.Code == http.StatusCreated:
			made[w.Body.String()]++
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(made) != 1 {
		t.Errorf("%d different extensions were made", len(made))
	}
}
