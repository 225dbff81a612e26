// Package feed passes what happens to phones on to whoever listens: the newest
// events in one bounded ring that all listeners read, each at its own pace. Who is
// slower than the ring is told so; nobody ever holds up who publishes. It keeps
// nothing on disk: the timeline does.
package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// The ends of listening.
var (
	ErrClosed = errors.New("the feed is closed")
	// ErrLost: events after the position are not kept any more, or never were here.
	ErrLost = errors.New("events have been lost")
)

// Item is an event with its position, which grows by one and goes on growing after
// a restart.
type Item struct {
	Position int64
	Event    phone.Event
}

// Feed is a ring of events. Its methods may be called from many goroutines.
type Feed struct {
	mu     sync.Mutex
	ring   []Item // position p is at p % len
	first  int64  // the first position of this run
	next   int64  // the position of the next event
	news   chan struct{}
	closed bool
}

// New makes a feed that keeps the newest size events. Positions begin at the time,
// so that those of an earlier run are known to be past.
func New(size int, now time.Time) *Feed {
	start := now.UnixMicro()
	return &Feed{ring: make([]Item, size), first: start, next: start, news: make(chan struct{})}
}

// Publish adds an event. It does not wait for anybody.
func (f *Feed) Publish(e phone.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.ring[f.next%int64(len(f.ring))] = Item{f.next, e}
	f.next++
	close(f.news)
	f.news = make(chan struct{})
}

// Now is the position of the newest event, to listen from here on.
func (f *Feed) Now() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next - 1
}

// After returns the events after a position, at most limit, and waits until there is
// one. ErrLost, with the position to go on from, when some are missing.
func (f *Feed) After(ctx context.Context, position int64, limit int) (items []Item, from int64, err error) {
	for {
		f.mu.Lock()
		oldest := max(f.first, f.next-int64(len(f.ring)))
		switch {
		case f.closed:
			f.mu.Unlock()
			return nil, position, ErrClosed
		case position < oldest-1, position >= f.next:
			defer f.mu.Unlock()
			return nil, oldest - 1, ErrLost
		}
		for p := position + 1; p < f.next && len(items) < limit; p++ {
			items = append(items, f.ring[p%int64(len(f.ring))])
		}
		news := f.news
		f.mu.Unlock()
		if len(items) > 0 {
			return items, items[len(items)-1].Position, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, position, ctx.Err()
		}
	}
}

// Close ends all listening.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.news)
	}
}
