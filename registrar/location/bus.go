package location

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	busQueue    = 1024
	busAsks     = 256                    // questions without an answer yet
	busPatience = 300 * time.Millisecond // for an answer; a phone repeats itself after 500
	busSilent   = 5 * time.Second        // how long nobody is asked who has not answered
	busKnown    = 1000                   // of those
)

// BusOptions are the settings of a Bus. Client and ID are required.
type BusOptions struct {
	Client redis.UniversalClient
	Prefix string // of the channels; "" is "dialtone"
	ID     string // of this process: what others ask it by
	// Heard gets what other nodes tell all. Answer answers a question to this node;
	// false is no answer. Both are called by one goroutine and must not wait; nil
	// hears and answers nothing.
	Heard      func(what, data string)
	Answer     func(data string) (string, bool)
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
}

// Bus carries short messages between the nodes of one Redis, by its publish and
// subscribe: quickly, and without a promise that they arrive.
type Bus struct {
	opts    BusOptions
	log     *slog.Logger
	out     chan busMessage
	panics  prometheus.Counter
	dropped prometheus.Counter

	mu     sync.Mutex
	asks   map[uint64]chan busMessage
	next   uint64
	silent map[string]time.Time // who has not answered, and when
}

// busMessage is one message. What is "ask" and "answer" between two nodes.
type busMessage struct {
	to   string // channel
	From string `json:"from"`
	What string `json:"what"`
	N    uint64 `json:"n,omitempty"`
	OK   bool   `json:"ok,omitempty"`
	Data string `json:"data,omitempty"`
}

// NewBus makes a Bus; Run connects it.
func NewBus(opts BusOptions) *Bus {
	if opts.Prefix == "" {
		opts.Prefix = "dialtone"
	}
	b := &Bus{
		opts: opts, log: opts.Logger, out: make(chan busMessage, busQueue),
		asks: map[uint64]chan busMessage{}, silent: map[string]time.Time{},
		panics: register(opts.Registerer, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_bus_panics_total", Help: "Panics while handling a message of another node.",
		})),
		dropped: register(opts.Registerer, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_bus_dropped_total", Help: "Messages to other nodes that were not sent.",
		})),
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b
}

func (b *Bus) channel(id string) string {
	if id == "" {
		return b.opts.Prefix + ":bus"
	}
	return b.opts.Prefix + ":bus:" + id
}

// Run receives and sends until ctx ends.
func (b *Bus) Run(ctx context.Context) error {
	sub := b.opts.Client.Subscribe(ctx, b.channel(""), b.channel(b.opts.ID))
	defer func() { _ = sub.Close() }() // there is nothing left to be told
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { b.send(ctx) })
	in := sub.Channel() // connects again by itself
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-in:
			if !ok {
				return nil
			}
			b.receive(m.Payload)
		}
	}
}

// send publishes what is queued.
func (b *Bus) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-b.out:
			text, err := json.Marshal(m)
			if err == nil {
				err = b.opts.Client.Publish(ctx, m.to, text).Err()
			}
			if err != nil {
				b.dropped.Inc()
			}
		}
	}
}

func (b *Bus) queue(m busMessage) {
	m.From = b.opts.ID
	select {
	case b.out <- m:
	default:
		b.dropped.Inc()
	}
}

func (b *Bus) receive(text string) {
	defer func() {
		if p := recover(); p != nil {
			b.panics.Inc()
			b.log.Error("panic in a message of another node", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	var m busMessage
	if json.Unmarshal([]byte(text), &m) != nil || m.From == b.opts.ID {
		return
	}
	switch m.What {
	case "ask":
		answer := busMessage{to: b.channel(m.From), What: "answer", N: m.N}
		if b.opts.Answer != nil {
			answer.Data, answer.OK = b.opts.Answer(m.Data)
		}
		b.queue(answer)
	case "answer":
		b.mu.Lock()
		waiting := b.asks[m.N]
		delete(b.asks, m.N)
		b.mu.Unlock()
		if waiting != nil {
			waiting <- m // has room for one
		}
	default:
		if b.opts.Heard != nil {
			b.opts.Heard(m.What, m.Data)
		}
	}
}

// Tell tells all other nodes. It does not wait.
func (b *Bus) Tell(what, data string) { b.queue(busMessage{to: b.channel(""), What: what, Data: data}) }
