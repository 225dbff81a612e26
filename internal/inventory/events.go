package inventory

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

const (
	eventQueue   = 8192        // events waiting to be taken
	eventWaiting = 2048        // different events waiting to be written
	eventBatch   = 512         // events in one transaction at most
	eventLinger  = time.Second // how long an event waits for company
)

// eventLog writes events from a bounded queue, so that recording one never makes
// a phone wait.
type eventLog struct {
	s       *Store
	queue   chan phone.Event
	flushes chan chan struct{}
	stopped chan struct{}
	keep    int // newest events kept at all
	pruner  *pruner
	limit   *rate.Limiter // of log lines
	waiting []phone.Event // the run goroutine's own
	fetches map[fetch]int // which of waiting is the fetch of a file
}

func newEventLog(s *Store, keep int) *eventLog {
	return &eventLog{
		s: s, keep: keep, queue: make(chan phone.Event, eventQueue), pruner: newPruner(),
		flushes: make(chan chan struct{}), stopped: make(chan struct{}), fetches: map[fetch]int{},
		limit: rate.NewLimiter(rate.Every(time.Second), 1),
	}
}

// Record puts an event on the timeline of its device. It never waits: when
// events come faster than they can be written they are dropped and counted. An
// event without a time gets the present.
func (s *Store) Record(e phone.Event) {
	if e.At.IsZero() {
		e.At = s.now()
	}
	select {
	case s.events.queue <- e:
	default:
		s.events.drop(1, "events come faster than they can be stored")
	}
}

func (l *eventLog) drop(n int, why string) {
	l.s.metrics.dropped.Add(float64(n))
	if l.limit.Allow() {
		l.s.log.Warn("dropped events of phones' timelines", "events", n, "reason", why)
	}
}

// Flush returns when everything recorded before is stored or dropped.
func (s *Store) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.events.flushes <- done:
	case <-s.events.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes events until ctx ends, and then what is queued.
func (l *eventLog) run(ctx context.Context) {
	defer close(l.stopped)
	var linger <-chan time.Time
	for {
		select {
		case e := <-l.queue:
			if len(l.waiting) == 0 {
				linger = time.After(eventLinger)
			}
			if l.gather(e); len(l.waiting) >= eventWaiting {
				l.write(ctx)
			}
		case <-linger:
			linger = nil
			l.write(ctx)
		case done := <-l.flushes:
			l.drain(ctx)
			close(done)
		case <-ctx.Done():
			l.drain(context.WithoutCancel(ctx))
			return
		}
	}
}

func (l *eventLog) drain(ctx context.Context) {
	for len(l.queue) > 0 {
		if l.gather(<-l.queue); len(l.waiting) >= eventWaiting {
			l.write(ctx)
		}
	}
	l.write(ctx)
}

// fetch is what makes two fetches of a file one line of a timeline: all but when and
// how long, and the port that it came from.
type fetch struct {
	mac                                                     phone.MAC
	device, proto, path, outcome, userAgent, source, detail string
	status                                                  int
	bytes, revision                                         int64
}

// gather lets an event wait to be written. A phone that asks for the same file again
// and again, as one that cannot use it does, has one row for all that wait together.
func (l *eventLog) gather(e phone.Event) {
	if e.Kind == phone.EventFile {
		host, _, err := net.SplitHostPort(e.Source)
		if err != nil {
			host = e.Source
		}
		f := fetch{e.MAC, e.DeviceID, e.Proto, e.Path, e.Outcome, e.UserAgent, host, e.Detail, e.Status, e.Bytes, e.Revision}
		if i, waits := l.fetches[f]; waits {
			e.Count = max(l.waiting[i].Count, 1) + max(e.Count, 1)
			l.waiting[i] = e
			return
		}
		l.fetches[f] = len(l.waiting)
	}
	l.waiting = append(l.waiting, e)
}

// write stores what waits and prunes the timelines that have grown.
func (l *eventLog) write(ctx context.Context) {
	for part := range slices.Chunk(l.waiting, eventBatch) {
		l.store(ctx, part)
	}
	clear(l.fetches)
	clear(l.waiting)
	l.waiting = l.waiting[:0]
}

func (l *eventLog) store(ctx context.Context, events []phone.Event) {
	err := l.s.write(ctx, func(u *unit) error { return u.addEvents(events) })
	if err != nil {
		l.drop(len(events), err.Error())
		return
	}
	due := l.pruner.due(events)
	if len(due) == 0 {
		return
	}
	if err := l.s.write(ctx, func(u *unit) error { return u.prune(due, l.keep) }); err != nil && l.limit.Allow() {
		l.s.log.WarnContext(ctx, "cannot prune timelines", "error", err)
	}
}

// addEvents stores events, several to a statement: on a server each statement is
// a round trip.
func (u *unit) addEvents(events []phone.Event) error {
	const many = 16
	for len(events) > 0 {
		n := 1
		if len(events) >= many {
			n = many
		}
		args := make([]any, 0, n*eventWidth)
		for _, e := range events[:n] {
			args = append(args, eventValues(e)...)
		}
		if err := u.exec(insertEvents(n), args...); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
		events = events[n:]
	}
	return nil
}
