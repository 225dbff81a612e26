package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	attempts = 8 // at an event that the server does not like
	perTry   = 10 * time.Second
	maxReply = 64 << 10    // bytes read of an answer, so that the connection is used again
	leaving  = time.Second // for what is under way when the server stops
)

// What becomes of a try.
var (
	errBusy    = errors.New("the server is not there, or asks to come back") // tried while the event is kept
	errFailing = errors.New("the server fails")                              // perhaps at this event
	errRefused = errors.New("the server refuses it")
)

// send delivers what waits, one after the other, until ctx ends.
func (s *Sender) send(ctx context.Context) {
	defer s.leave(ctx)
	for ctx.Err() == nil {
		next, expired, err := s.o.Outbox.NextOutgoing(ctx, s.o.Node, s.o.Lease)
		s.failed(expired)
		switch {
		case err == nil:
			if wait := s.deliver(ctx, next); wait > 0 {
				pause(ctx, wait, nil)
			}
			continue
		case !errors.Is(err, phone.ErrNotFound) && ctx.Err() == nil:
			s.o.Logger.WarnContext(ctx, "events are not sent yet", "error", err)
		}
		pause(ctx, s.o.Lease/3, s.waits)
	}
}

// leave lets another node go on at once.
func (s *Sender) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	if err := s.o.Outbox.LeaveOutgoing(ctx, s.o.Node); err != nil {
		s.o.Logger.WarnContext(ctx, "other nodes wait until they deliver", "error", err)
	}
}

func (s *Sender) failed(n int) { s.count.WithLabelValues("failed").Add(float64(n)) }

// deliver tries once, and says how long to wait before the next look.
func (s *Sender) deliver(ctx context.Context, e phone.Outgoing) time.Duration {
	last, cancel := lasting(ctx)
	defer cancel()
	err := s.post(last, e.Body)
	switch {
	case err == nil:
		s.count.WithLabelValues("sent").Inc()
	case ctx.Err() != nil:
		return 0 // nobody knows whether it came: it is sent again
	case errors.Is(err, errBusy), errors.Is(err, errFailing) && e.Tries+1 < attempts:
		if e.Tries == 0 {
			s.o.Logger.WarnContext(ctx, "the webhook does not take an event yet", "error", err)
		}
		if err := s.o.Outbox.TriedOutgoing(ctx, e.ID); err != nil {
			s.o.Logger.WarnContext(ctx, "a try is not counted", "error", err)
		}
		return min(s.o.Wait<<min(e.Tries, 16), s.o.Lease/2)
	default:
		s.failed(1)
		s.o.Logger.WarnContext(ctx, "the webhook did not take an event", "tries", e.Tries+1, "error", err)
	}
	if err := s.o.Outbox.EndOutgoing(last, e.ID); err != nil {
		s.o.Logger.WarnContext(ctx, "an event that was sent will be sent again", "error", err)
		return s.o.Wait
	}
	return 0
}

// lasting is a context for what should not be cut off: it ends a moment after ctx.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(leaving, cancel) })
	return last, func() {
		stop()
		cancel()
	}
}

// post tries once. The error is errBusy, errFailing or errRefused.
func (s *Sender) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: webhook.url cannot be asked", errRefused) // the URL may hold a token
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "dialtone")
	if !s.o.Secret.IsZero() {
		req.Header.Set(Signature, sign(s.o.Secret, s.o.Now(), body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errBusy, errors.Unwrap(err)) // without the URL
	}
	defer func() { _ = res.Body.Close() }() // it was read
	_, _ = io.CopyN(io.Discard, res.Body, maxReply)
	kind := errRefused
	switch code := res.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests,
		code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		kind = errBusy
	case code >= 500:
		kind = errFailing
	}
	return fmt.Errorf("%w: answered %d", kind, res.StatusCode)
}

func sign(secret phone.Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
