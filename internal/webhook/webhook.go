// Package webhook tells an HTTP server of somebody else what happened: one POST of
// JSON for each event, signed, tried again for a while when it is not taken. It keeps
// nothing on disk, and never holds up who tells it.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

const (
	queued   = 1024 // events that wait; more are dropped
	attempts = 8
	perTry   = 10 * time.Second
	maxReply = 64 << 10 // bytes read of an answer, so that the connection is used again
)

// Signature is the header that proves who sent the body: "t=UNIX,v1=HEX", where HEX is
// the HMAC-SHA256 of UNIX, a full stop and the body under the shared secret.
const Signature = "Dialtone-Signature"

// Options of New. URL is required.
type Options struct {
	URL    string
	Secret phone.Secret // zero: not signed
	// Wait is the time before the second try, which doubles; 0 is 1 s.
	Wait time.Duration

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Sender sends events in the order they were told.
type Sender struct {
	o      Options
	client *http.Client
	queue  chan []byte
	count  *prometheus.CounterVec
}

// New returns a sender; Run lets it work.
func New(o Options) (*Sender, error) {
	if o.URL == "" {
		return nil, errors.New("webhook: URL is required")
	}
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "webhook")
	s := &Sender{
		o: o, queue: make(chan []byte, queued),
		client: &http.Client{
			Timeout: perTry,
			// A redirect would carry the body elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_webhook_events_total", Help: "Events for the webhook: sent, failed after all tries, dropped since too many waited.",
		}, []string{"outcome"}),
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.count); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

// Tell queues an event, which is encoded as JSON. It does not wait: when too many do,
// this one is dropped and counted.
func (s *Sender) Tell(event any) {
	body, err := json.Marshal(event)
	if err != nil {
		s.o.Logger.Error("an event cannot be sent", "error", err)
		return
	}
	select {
	case s.queue <- body:
	default:
		s.count.WithLabelValues("dropped").Inc()
	}
}

// Run sends until ctx ends. What waits then is lost.
func (s *Sender) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case body := <-s.queue:
			s.deliver(ctx, body)
		}
	}
}

// deliver tries until the event is taken.
func (s *Sender) deliver(ctx context.Context, body []byte) {
	wait := s.o.Wait
	for try := 1; ; try++ {
		again, err := s.post(ctx, body)
		switch {
		case err == nil:
			s.count.WithLabelValues("sent").Inc()
			return
		case ctx.Err() != nil:
			return
		case !again || try == attempts:
			s.count.WithLabelValues("failed").Inc()
			s.o.Logger.WarnContext(ctx, "the webhook did not take an event", "tries", try, "error", err)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait *= 2
	}
}

// post tries once; again says whether another try may help.
func (s *Sender) post(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("webhook.url cannot be asked") // the URL may hold a token
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "dialtone")
	if !s.o.Secret.IsZero() {
		req.Header.Set(Signature, sign(s.o.Secret, s.o.Now(), body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return true, errors.Unwrap(err) // without the URL
	}
	defer func() { _ = res.Body.Close() }() // it was read
	_, _ = io.CopyN(io.Discard, res.Body, maxReply)
	if res.StatusCode/100 == 2 {
		return false, nil
	}
	again = res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout
	return again, fmt.Errorf("answered %d", res.StatusCode)
}

func sign(secret phone.Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
