package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
)

// A bundle is for who may do all, and comes whole or not at all.
func TestSupport(t *testing.T) {
	t.Parallel()
	h := fixed()
	w := send(t, h.handler(t), request{call: "GET /v1/pbx/support"})
	if w.Code != http.StatusOK || w.Body.String() != "a bundle" || w.Header().Get("Content-Type") != "application/zip" ||
		w.Header().Get("Content-Disposition") == "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	o := h.options()
	o.Support = func(_ context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, "half a bundle")
		return errors.New("the disk is full")
	}
	broken, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if w := send(t, broken, request{call: "GET /v1/pbx/support"}); w.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	c := newClient(t)
	c.key = c.do(http.StatusCreated, "POST /v1/pbx/keys", `{"name":"reader","scopes":["pbx:phones:read"]}`)["key"].(string)
	if w := c.send("GET /v1/pbx/support", ""); w.Code != http.StatusForbidden {
		t.Errorf("with a key that may read phones: %d", w.Code)
	}
}
