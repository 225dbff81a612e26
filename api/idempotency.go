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
	// TouchReplay says that a request is still under way.
	TouchReplay(ctx context.Context, id string) error
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
	Form    string         `json:"form,omitempty"`  // hash of the form, when it was one
}

// once lets a POST with an Idempotency-Key be sent again (as in
// draft-ietf-httpapi-idempotency-key-header): the same request gets the same answer,
// and is done once. Only what succeeded is kept: what failed has changed nothing.
func (s *server) once(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		given := r.Header.Values(idempotencyHeader)
		if len(given) == 0 {
			return next(w, r)
		}
		if err := checkKey(given); err != nil {
			return err
		}
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "multipart/form-data" {
			return s.onceForm(w, r, given[0], next)
		}
		request, err := fingerprint(w, r)
		if err != nil {
			return err
		}
		id := replayID(r, given[0])
		answer, err := s.reserve(r, id, request)
		switch {
		case err != nil:
			return err
		case answer != nil:
			return replay(w, r, answer)
		}
		return s.keepingAnswer(w, r, id, next, nil)
	}
}

// reserve is ReserveReplay with the answers that a client gets.
func (s *server) reserve(r *http.Request, id, request string) ([]byte, error) {
	answer, err := s.Replays.ReserveReplay(r.Context(), id, request)
	switch {
	case errors.Is(err, phone.ErrInvalid):
		return nil, anotherRequest()
	case errors.Is(err, phone.ErrConflict):
		return nil, refuse(http.StatusConflict, "The request with this Idempotency-Key is still under way.")
	}
	return answer, err
}

func anotherRequest() error {
	return refuse(http.StatusUnprocessableEntity, "This Idempotency-Key was sent with another request.")
}

func checkKey(given []string) error {
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if key := given[0]; len(given) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, odd) {
		return refuse(http.StatusBadRequest, "Idempotency-Key must be one text of 1 to 255 printable ASCII characters.")
	}
	return nil
}

// replayID hashes who asks for what under which key.
func replayID(r *http.Request, key string) string {
	return digestOf(infoOf(r).key.ID, r.Method+" "+r.URL.Path, key)
}

// fingerprint hashes the request, and leaves its body to be read again.
func fingerprint(w http.ResponseWriter, r *http.Request) (string, error) {
	limit := int64(maxBody)
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "text/csv" {
		limit = maxImportBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return "", err
	}
	if err != nil {
		return "", refuse(http.StatusBadRequest, "The body could not be read.")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return digestOf(r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("If-Match"), string(body)), nil
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

// keepingAnswer lets next answer into memory, stores that and sends it then. form is the
// hash of the form that next has read; nil: there is none.
func (s *server) keepingAnswer(w http.ResponseWriter, r *http.Request, id string, next handler, form func() string) error {
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
	held := &heldAnswer{header: w.Header().Clone(), out: w}
	if err := next(held, r); err != nil {
		return err
	}
	if held.status/100 == 2 {
		i := infoOf(r)
		k := kept{Status: held.status, Header: held.header, Body: held.body.Bytes(), Subject: i.subject, Noted: i.noted}
		if form != nil {
			k.Form = form()
		}
		text, err := json.Marshal(k)
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
