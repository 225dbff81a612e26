package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"pbx.dev/dialtone/internal/feed"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

const (
	// feedSize is how many events a client of the event stream may be behind.
	feedSize = 8192
	// feedAhead is how far other nodes, whose clocks may differ, may be ahead.
	feedAhead = time.Minute
	// feedTimeout bounds the wait for the events of before the start.
	feedTimeout = 2 * time.Second
)

// told is an event as nodes tell it to each other. It holds no secrets, as no event
// does.
type told struct {
	Event   phone.Event `json:"e"`
	Waiting bool        `json:"w,omitempty"` // of a phone that nobody provisioned, to be listed
	Claim   bool        `json:"c,omitempty"` // of a phone that shows a claim code
}

// public reports whether it is an event for the event stream.
func (t told) public() bool { return !t.Waiting && !t.Claim }

// openFeed makes the feed of the event stream. With Redis it is filled from the log of
// all nodes, so that a client finds the same events at any of them.
func (a *App) openFeed(ctx context.Context) error {
	o := feed.Options{Size: feedSize, PositionAt: location.PositionAt}
	if a.cluster == nil {
		a.feed = feed.New(o)
		return nil
	}
	o.Ahead = feedAhead
	a.feed = feed.New(o)
	a.events = location.NewEventLog(location.EventLogOptions{
		Client: a.cluster.client, Node: a.id.node + "/" + a.id.boot, Keep: feedSize, Heard: a.heardEvent, Logger: a.log, Registerer: a.registry,
	})
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	past, err := a.events.Begin(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "the events of other nodes are not known yet", slog.Any("error", err))
		return nil // they are heard when Redis comes
	}
	items := make([]feed.Item, 0, len(past))
	for _, entry := range past {
		if t, ok := readTold(entry); ok && t.public() {
			items = append(items, feed.Item{Position: entry.Position, Event: t.Event, Lost: entry.Lost})
		}
	}
	if len(items) > 0 {
		a.feed.Restore(items)
	}
	return nil
}

// publish passes an event on to the clients of the event stream and to the other nodes.
func (a *App) publish(t told) {
	if a.events == nil {
		if t.public() {
			a.feed.Publish(t.Event)
		}
		return
	}
	if text, err := json.Marshal(t); err == nil { // numbers and texts only: cannot fail
		a.events.Tell(string(text))
	}
}

func readTold(entry location.LogEntry) (t told, ok bool) {
	if entry.Lost {
		return t, true
	}
	return t, json.Unmarshal([]byte(entry.Text), &t) == nil
}

// heardEvent takes an event of any node. The list and the jobs of this node learn what
// phones do at the others: a phone may fetch its files at one and register at another.
func (a *App) heardEvent(entry location.LogEntry) {
	t, ok := readTold(entry)
	if !ok {
		return // of a later version
	}
	if !entry.Own && !entry.Lost {
		a.observeElsewhere(t)
	}
	if t.public() {
		a.feed.Put(feed.Item{Position: entry.Position, Event: t.Event, Lost: entry.Lost})
	}
}

// observeElsewhere takes what another node tells.
func (a *App) observeElsewhere(t told) {
	switch {
	case t.Waiting:
		a.roster.Waiting(t.Event)
	case t.Claim:
		a.desk.Shown(t.Event.MAC)
	default:
		a.roster.Observe(t.Event)
		a.jobs.Observe(t.Event.DeviceID)
		a.history.Observe(t.Event)
	}
}
