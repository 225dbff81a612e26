package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"pbx.dev/dialtone/internal/phone"
)

// Replays keeps the answers to requests that may be sent again.
type Replays interface {
	// ReserveReplay returns the answer of the time before, or nil: do it.
	// phone.ErrInvalid when it was another request, phone.ErrConflict while it is
	// under way. id and request are hashes.
	ReserveReplay(ctx context.Context, id, request string) (answer []byte, err error)
	KeepReplay(ctx context.Context, id string, answer []byte) error
	// DropReplay forgets a request that has changed nothing.
	DropReplay(ctx context.Context, id string) error
}

const (
	idempotencyHeader = "Idempotency-Key"
	maxIdempotencyKey = 255 // bytes
)

// kept is an answer as it is stored.
type kept struct {
	Status  int            `json:"status"`
	Header  http.Header    `json:"header"`
	Body    []byte         `json:"body"`
	Subject string         `json:"subject,omitempty"`
	Noted   map[string]any `json:"noted,omitempty"` // of the audit trail
}

// once lets a POST with an Idempotency-Key be sent again (as in
// draft-ietf-httpapi-idempotency-key-header): the same request gets the same answer,
// and is done once. Only what succeeded is kept: what failed has changed nothing. An
// upload of an image passes: its content says whether it is the same.
func (s *server) once(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		given := r.Header.Values(idempotencyHeader)
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); len(given) == 0 || media == "multipart/form-data" {
			return next(w, r)
		}
		id, request, err := identify(w, r, given)
		if err != nil {
			return err
		}
		answer, err := s.Replays.ReserveReplay(r.Context(), id, request)
		switch {
		case errors.Is(err, phone.ErrInvalid):
			return refuse(http.StatusUnprocessableEntity, "This Idempotency-Key was sent with another request.")
		case errors.Is(err, phone.ErrConflict):
			return refuse(http.StatusConflict, "The request with this Idempotency-Key is still under way.")
		case err != nil:
			return err
		case answer != nil:
			return replay(w, r, answer)
		}
		return s.keepingAnswer(w, r, id, next)
	}
}

// identify hashes who asks for what under which key, and the request itself.
func identify(w http.ResponseWriter, r *http.Request, given []string) (id, request string, err error) {
	key := given[0]
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if len(given) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, odd) {
		return "", "", refuse(http.StatusBadRequest, "Idempotency-Key must be one text of 1 to 255 printable ASCII characters.")
	}
	limit := int64(maxBody)
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "text/csv" {
		limit = maxImportBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return "", "", err
	}
	if err != nil {
		return "", "", refuse(http.StatusBadRequest, "The body could not be read.")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := r.Method + " " + r.URL.Path
	return digestOf(infoOf(r).key.ID, call, key), digestOf(r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("If-Match"), string(body)), nil
}

// digestOf hashes texts so that no two lists of them are alike.
func digestOf(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		one := sha256.Sum256([]byte(t))
		h.Write(one[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// keepingAnswer lets next answer into memory, stores that and sends it then.
func (s *server) keepingAnswer(w http.ResponseWriter, r *http.Request, id string, next handler) error {
	ctx := context.WithoutCancel(r.Context()) // the client may be gone, what was done is not
	done := false
	defer func() {
		if done {
			return
		}
		if err := s.Replays.DropReplay(ctx, id); err != nil {
			s.Logger.ErrorContext(ctx, "idempotency key not freed", "request_id", infoOf(r).id, "error", err)
		}
	}()
	held := &heldAnswer{header: w.Header().Clone()}
	if err := next(held, r); err != nil {
		return err
	}
	if held.status/100 == 2 {
		i := infoOf(r)
		text, err := json.Marshal(kept{Status: held.status, Header: held.header, Body: held.body.Bytes(), Subject: i.subject, Noted: i.noted})
		if err == nil {
			err = s.Replays.KeepReplay(ctx, id, text)
		}
		if done = err == nil; !done {
			s.Logger.ErrorContext(ctx, "answer not kept for its idempotency key", "request_id", i.id, "error", err)
		}
	}
	return held.send(w)
}

// replay sends an answer again. It may show a secret again, which the audit trail
// says again.
func replay(w http.ResponseWriter, r *http.Request, answer []byte) error {
	var k kept
	if err := json.Unmarshal(answer, &k); err != nil {
		return err
	}
	infoOf(r).subject = k.Subject
	for name, value := range k.Noted {
		note(r, name, value)
	}
	note(r, "replayed", true)
	for _, name := range []string{"Content-Type", "Location", "ETag"} {
		if v := k.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(k.Status)
	_, _ = w.Write(k.Body) // the client may be gone
	return nil
}

// heldAnswer is an answer in memory.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (h *heldAnswer) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// send passes the answer on.
func (h *heldAnswer) send(w http.ResponseWriter) error {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	h.WriteHeader(http.StatusOK)
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes()) // the client may be gone
	return nil
}
