package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"pbx.dev/dialtone/firmware"
)

// touchEvery is how often an upload says that it goes on, several times before it
// would count as cut off.
const touchEvery = 20 * time.Second

// onceForm is once for a form, which is too large to be read before it is handled. What
// it says is known only at its end: a repetition is read to its end, without being kept,
// and compared. The boundary, which clients choose anew each time, does not count.
func (s *server) onceForm(w http.ResponseWriter, r *http.Request, key string, next handler) error {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	id := replayID(r, key)
	answer, err := s.reserve(r, id, digestOf("form", r.URL.RawQuery, r.Header.Get("If-Match")))
	if err != nil {
		return err
	}
	if answer != nil {
		paced := &pacedBody{body: http.MaxBytesReader(w, r.Body, firmware.MaxSize+maxEnvelope), conn: http.NewResponseController(w)}
		sum, err := formDigest(paced, params["boundary"])
		if err != nil {
			return unreadable(err)
		}
		var k kept
		if err := json.Unmarshal(answer, &k); err != nil {
			return err
		}
		if k.Form != sum {
			return anotherRequest()
		}
		return replay(w, r, answer)
	}
	tee := newFormTee(r.Body, params["boundary"], func() {
		if err := s.Replays.TouchReplay(context.WithoutCancel(r.Context()), id); err != nil {
			s.Logger.WarnContext(r.Context(), "idempotency key not kept alive", "request_id", infoOf(r).id, "error", err)
		}
	})
	defer tee.sum() // ends its goroutine, whatever becomes of the request
	r.Body = tee
	return s.keepingAnswer(w, r, id, next, tee.sum)
}

// formDigest hashes what a form says: the names and contents of its parts, in order.
func formDigest(from io.Reader, boundary string) (string, error) {
	parts := multipart.NewReader(from, boundary)
	var texts []string
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return digestOf(texts...), nil
		}
		if err != nil {
			return "", err
		}
		h := sha256.New()
		if _, err := io.Copy(h, part); err != nil {
			return "", err
		}
		texts = append(texts, part.FormName(), part.FileName(), hex.EncodeToString(h.Sum(nil)))
	}
}

// formTee hashes a form while somebody else reads it.
type formTee struct {
	body  io.ReadCloser
	pipe  *io.PipeWriter
	done  chan string
	touch func()
	last  time.Time
	text  string
}

func newFormTee(body io.ReadCloser, boundary string, touch func()) *formTee {
	in, out := io.Pipe()
	t := &formTee{body: body, pipe: out, done: make(chan string, 1), touch: touch, last: time.Now()}
	go func() {
		sum, err := formDigest(in, boundary)
		if err != nil {
			sum = "" // the one who reads it finds out what is wrong
		}
		_ = in.CloseWithError(io.EOF) // what is written from now on is dropped
		t.done <- sum
	}()
	return t
}

// Read implements io.Reader.
func (t *formTee) Read(b []byte) (int, error) {
	n, err := t.body.Read(b)
	_, _ = t.pipe.Write(b[:n]) // fails when the form has ended
	if time.Since(t.last) > touchEvery || err != nil {
		t.touch()
		t.last = time.Now()
	}
	return n, err
}

// Close implements io.Closer.
func (t *formTee) Close() error { return t.body.Close() }

// sum is the hash of what was read, "" when it was no form. Nothing is read after it.
func (t *formTee) sum() string {
	_ = t.pipe.Close() // never fails
	if sum, ok := <-t.done; ok {
		t.text = sum
		close(t.done)
	}
	return t.text
}
