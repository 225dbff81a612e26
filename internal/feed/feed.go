// Package feed passes what happens to phones on to whoever listens: the newest
// events in one bounded ring that all listeners read, each at its own pace. Who is
// slower than the ring is told so; nobody ever holds up who publishes. It keeps
// nothing on disk: the timeline does. Several nodes whose feeds are filled from one
// log have the same positions, so that a listener goes on at any of them.
package feed

import (
	"context"
	"errors"
	"sort"
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

// Item is an event with its position, which grows and goes on growing after a
// restart.
type Item struct {
	Position int64
	Event    phone.Event
	Lost     bool // no event: some before this position are missing
}

// Options of New.
type Options struct {
	Size int // the newest items that are kept
	// PositionAt is the position of something that happens then. It must grow faster
	// than events come, so that positions of an earlier run are known to be past.
	PositionAt func(time.Time) int64
	// Ahead is how far other nodes may be ahead of this one: a position of theirs is
	// waited for, not lost. 0: there are none.
	Ahead time.Duration

	Now func() time.Time // nil: time.Now
}

// Feed is a ring of events. Its methods may be called from many goroutines.
type Feed struct {
	o Options

	mu     sync.Mutex
	ring   []Item // in the order of positions; the oldest is at head
	head   int
	floor  int64 // what is at or before it is not here any more
	last   int64 // the newest position
	news   chan struct{}
	closed bool
}

// New makes a feed that begins now.
func New(o Options) *Feed {
	if o.Now == nil {
		o.Now = time.Now
	}
	start := o.PositionAt(o.Now()) - 1
	return &Feed{o: o, ring: make([]Item, 0, o.Size), floor: start, last: start, news: make(chan struct{})}
}

// Restore begins with what a log holds, oldest first. Nobody may be listening yet.
func (f *Feed) Restore(items []Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring, f.head = f.ring[:0], 0
	f.floor, f.last = items[0].Position-1, items[0].Position-1
	for _, it := range items {
		f.addLocked(it)
	}
}

// Publish adds an event that is in no log. It does not wait for anybody.
func (f *Feed) Publish(e phone.Event) { f.Put(Item{Event: e}) }

// Put adds an item at its position in the log. One that is not after the newest gets
// the next one.
func (f *Feed) Put(it Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.addLocked(it)
	close(f.news)
	f.news = make(chan struct{})
}

func (f *Feed) addLocked(it Item) {
	it.Position = max(it.Position, f.last+1)
	f.last = it.Position
	if len(f.ring) < cap(f.ring) {
		f.ring = append(f.ring, it)
		return
	}
	f.floor = f.ring[f.head].Position
	f.ring[f.head] = it
	f.head = (f.head + 1) % len(f.ring)
}

// Now is the position of the newest item, to listen from here on.
func (f *Feed) Now() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// After returns the items after a position, at most limit, and waits until there is
// one. ErrLost, with the position to go on from, when some are missing.
func (f *Feed) After(ctx context.Context, position int64, limit int) (items []Item, from int64, err error) {
	for {
		f.mu.Lock()
		switch {
		case f.closed:
			f.mu.Unlock()
			return nil, position, ErrClosed
		case position < f.floor, position > f.last && !f.comesLocked(position):
			defer f.mu.Unlock()
			return nil, f.floor, ErrLost
		}
		items = f.afterLocked(position, limit)
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

// comesLocked says of a position that is not here yet whether another node can have
// given it.
func (f *Feed) comesLocked(position int64) bool {
	return f.o.Ahead > 0 && position <= f.o.PositionAt(f.o.Now().Add(f.o.Ahead))
}

func (f *Feed) afterLocked(position int64, limit int) []Item {
	at := func(i int) *Item { return &f.ring[(f.head+i)%len(f.ring)] }
	first := sort.Search(len(f.ring), func(i int) bool { return at(i).Position > position })
	n := min(limit, len(f.ring)-first)
	if n <= 0 {
		return nil
	}
	items := make([]Item, n)
	for i := range items {
		items[i] = *at(first + i)
	}
	return items
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
