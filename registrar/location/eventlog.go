package location

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	logKeep    = 8192        // entries kept
	logQueue   = 8192        // of this node that wait to be written
	logBatch   = 256         // written with one round trip
	logPage    = 1000        // read with one
	logBlock   = time.Second // how long a read waits for news
	logTimeout = 2 * time.Second
	logPause   = time.Second // between two tries to write while Redis is away
	seqBits    = 20          // of a position are the number within its millisecond
)

// LogEntry is one entry of an EventLog.
type LogEntry struct {
	// Position grows from entry to entry and is the same at every node; 0: Redis was
	// away, and only this node knows of the entry.
	Position int64
	Own      bool   // this node wrote it
	Lost     bool   // entries before this one are missing; Text is empty
	Text     string // as it was told
}

// EventLogOptions are the settings of an EventLog. Client, Node and Heard are required.
type EventLogOptions struct {
	Client redis.UniversalClient
	Prefix string // of the key; "" is "dialtone"
	Node   string // this run of this node, as no other
	Keep   int    // newest entries kept for nodes that come later; 0: 8192
	// Heard gets every entry, those of this node included, in the order of the log, one
	// at a time. It must not wait.
	Heard      func(LogEntry)
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
}

// EventLog carries what nodes tell to all of them, in one order, and keeps the newest
// of it, in a stream of Redis. While that is away nodes hear only themselves, and are
// told that something is missing when it is back. An entry whose writing was not
// acknowledged in time may be heard twice.
type EventLog struct {
	opts    EventLogOptions
	key     string
	log     *slog.Logger
	queue   chan string
	dropped atomic.Bool // something was, since the last write that went well
	stand   string      // the entry that was read last; the reader's own
	drops   prometheus.Counter
	panics  prometheus.Counter

	mu sync.Mutex // held while Heard is called
}

// NewEventLog makes a log; Begin or Run connects it.
func NewEventLog(opts EventLogOptions) *EventLog {
	if opts.Prefix == "" {
		opts.Prefix = "dialtone"
	}
	if opts.Keep <= 0 {
		opts.Keep = logKeep
	}
	l := &EventLog{
		opts: opts, key: opts.Prefix + ":events", log: opts.Logger, queue: make(chan string, logQueue),
		drops: register(opts.Registerer, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_event_log_unshared_total", Help: "Events that other nodes do not hear of: Redis was away, or too many waited.",
		})),
		panics: register(opts.Registerer, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_event_log_panics_total", Help: "Panics while handling an event of any node.",
		})),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	return l
}

// PositionAt is where an entry of that time would be.
func PositionAt(t time.Time) int64 { return t.UnixMilli() << seqBits }

// positionOf reads the id of a stream's entry, "milliseconds-number".
func positionOf(id string) int64 {
	ms, seq, _ := strings.Cut(id, "-")
	m, _ := strconv.ParseInt(ms, 10, 64)
	n, _ := strconv.ParseInt(seq, 10, 64)
	return m<<seqBits | min(n, 1<<seqBits-1)
}

// Tell tells all nodes, this one included. It does not wait: what is too much is heard
// here only.
func (l *EventLog) Tell(text string) {
	select {
	case l.queue <- text:
	default:
		l.unshared(text)
	}
}

// unshared is for what the others do not get to know.
func (l *EventLog) unshared(texts ...string) {
	l.dropped.Store(true)
	l.drops.Add(float64(len(texts)))
	for _, text := range texts {
		l.hear(LogEntry{Own: true, Text: text})
	}
}

func (l *EventLog) hear(e LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			l.panics.Inc()
			l.log.Error("panic in an event of a node", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	l.opts.Heard(e)
}

// Begin returns what the log holds, oldest first, and lets Run go on after that. The
// first node of all finds one entry, which says that there was nothing before it.
func (l *EventLog) Begin(ctx context.Context) ([]LogEntry, error) {
	for range 2 {
		found, err := l.opts.Client.XRevRangeN(ctx, l.key, "+", "-", int64(l.opts.Keep)).Result()
		if err != nil {
			return nil, unavailable("read "+l.key, err)
		}
		if len(found) == 0 {
			if err := l.opts.Client.XAdd(ctx, l.entry("", true)).Err(); err != nil {
				return nil, unavailable("write "+l.key, err)
			}
			continue
		}
		past := make([]LogEntry, len(found))
		for i, m := range found {
			past[len(found)-1-i] = l.parse(m)
		}
		l.stand = found[0].ID
		return past, nil
	}
	return nil, unavailable("read "+l.key, errors.New("what was written is not there"))
}

// entry is the command that writes an entry.
func (l *EventLog) entry(text string, lost bool) *redis.XAddArgs {
	values := []string{"n", l.opts.Node, "e", text}
	if lost {
		values = []string{"n", l.opts.Node, "lost", "1"}
	}
	return &redis.XAddArgs{Stream: l.key, MaxLen: int64(l.opts.Keep), Approx: true, Values: values}
}

func (l *EventLog) parse(m redis.XMessage) LogEntry {
	text := func(name string) string {
		s, _ := m.Values[name].(string)
		return s
	}
	return LogEntry{Position: positionOf(m.ID), Own: text("n") == l.opts.Node, Lost: text("lost") != "", Text: text("e")}
}

// Run writes and reads until ctx ends.
func (l *EventLog) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { l.write(ctx) })
	l.read(ctx)
	return nil
}
