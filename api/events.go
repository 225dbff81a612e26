package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pbx.dev/dialtone/internal/feed"
	"pbx.dev/dialtone/internal/phone"
)

// Feed passes on what happens to phones; *feed.Feed is one.
type Feed interface {
	// Now is the position of the newest event.
	Now() int64
	// After returns events after a position and waits until there is one;
	// feed.ErrLost with the position to go on from, feed.ErrClosed.
	After(ctx context.Context, position int64, limit int) (items []feed.Item, from int64, err error)
}

const (
	maxStreams    = 100              // listeners at once
	streamBatch   = 256              // events written at once
	streamBeat    = 15 * time.Second // a comment is sent at least this often
	streamPatient = 10 * time.Second // for a listener to take what is sent
)

// eventRoutes is the call that streams events.
func (s *server) eventRoutes() []route {
	if s.Feed == nil {
		return nil
	}
	return []route{{"GET", base + "/events", phonesRead, s.streamEvents}}
}

// streamEvents answers GET /v1/pbx/events: server-sent events (HTML Living Standard
// section 9.2), from now on or after Last-Event-ID.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	only := q.text("phoneId")
	position, err := s.resumeAt(r)
	if err := errors.Join(q.err(), err); err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		return refuse(http.StatusServiceUnavailable, fmt.Sprintf("%d clients listen already.", maxStreams))
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // or a proxy keeps them back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	stream := &stream{w: w, out: http.NewResponseController(w), only: only}
	_ = stream.out.SetReadDeadline(time.Time{}) // the server's is for requests that end
	s.listen(r.Context(), stream, position)
	return nil
}

// resumeAt is the position that a client was at; without one it is now.
func (s *server) resumeAt(r *http.Request) (int64, error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		return s.Feed.Now(), nil
	}
	position, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return 0, phone.Invalid("Last-Event-ID", "is not the id of an event")
	}
	return position, nil
}

// stream writes to one listener.
type stream struct {
	w    http.ResponseWriter
	out  *http.ResponseController
	only string // id of the one phone that is listened for; "" is all
}

// listen writes until the client goes, is too slow, or the server stops.
func (s *server) listen(ctx context.Context, out *stream, position int64) {
	if out.send(": listening\n\n") != nil {
		return
	}
	for {
		wait, cancel := context.WithTimeout(ctx, streamBeat)
		items, from, err := s.Feed.After(wait, position, streamBatch)
		cancel()
		text := ": beat\n\n"
		switch {
		case errors.Is(err, feed.ErrLost):
			text = lostText(from)
		case errors.Is(err, feed.ErrClosed):
			_ = out.send(": the server stops\n\n")
			return
		case ctx.Err() != nil:
			return
		case err == nil:
			text = out.textOf(items)
		}
		if position = from; out.send(text) != nil {
			return
		}
	}
}

// textOf writes events in the format of the stream.
func (o *stream) textOf(items []feed.Item) string {
	var text []byte
	for _, it := range items {
		if it.Lost {
			text = append(text, lostText(it.Position)...)
			continue
		}
		if o.only != "" && it.Event.DeviceID != o.only {
			continue
		}
		e := it.Event
		e.At = stamp(e.At)
		data, err := json.Marshal(e)
		if err != nil {
			continue // numbers and texts only: cannot fail
		}
		text = fmt.Appendf(text, "event: %s\nid: %d\ndata: %s\n\n", topicOf(e.Kind), it.Position, data)
	}
	return string(text)
}

// lostText says that events are missing before a position.
func lostText(position int64) string {
	return fmt.Sprintf("event: lost\nid: %d\ndata: {}\n\n", position)
}

// topicOf sorts the kinds of events by what a listener is interested in.
func topicOf(k phone.EventKind) string {
	switch k {
	case phone.EventRegister, phone.EventUnregister, phone.EventExpired, phone.EventFlowLost, phone.EventAuthFailed, phone.EventConnect, phone.EventSIP:
		return "registration"
	case phone.EventCall:
		return "call"
	}
	return "provisioning"
}

// send writes a text; a client that does not take it in time is let go.
func (o *stream) send(text string) error {
	if text == "" {
		return nil
	}
	_ = o.out.SetWriteDeadline(time.Now().Add(streamPatient)) // not every writer has one
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return o.out.Flush()
}
