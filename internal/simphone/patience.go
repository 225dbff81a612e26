package simphone

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"
)

// busyError is an answer of a server that cannot serve the phone now.
type busyError struct {
	what  string
	after time.Duration // Retry-After; 0: it did not say
}

// Error implements error.
func (e *busyError) Error() string { return e.what }

// retryAfter reads the seconds of a Retry-After header; 0 for anything else.
func retryAfter(value string) time.Duration {
	value, _, _ = strings.Cut(strings.TrimSpace(value), ";")
	value, _, _ = strings.Cut(value, "(")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// passing reports whether err may be gone in a moment, and how long the server
// asked to wait.
func passing(err error) (time.Duration, bool) {
	var busy *busyError
	if errors.As(err, &busy) {
		return busy.after, true
	}
	var wire net.Error
	return 0, errors.As(err, &wire) || errors.Is(err, errNoAnswer) || errors.Is(err, errBroken)
}

// patiently does a step again while it fails for the moment, up to
// Options.Patience after the first failure, waiting 2 to 4 s in between or as long
// as the server asks.
func (p *Phone) patiently(ctx context.Context, step func() error) error {
	var since time.Time
	for {
		err := step()
		after, again := passing(err)
		if err == nil || !again || p.opts.Patience == 0 {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if after == 0 {
			after = 2*time.Second + rand.N(2*time.Second)
		}
		if time.Since(since)+after > p.opts.Patience {
			return err
		}
		p.step("wait", "%v; again in %.0f s", err, after.Seconds())
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
