package proxy

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"pbx.dev/dialtone/registrar/location"
)

// QualifyOptions are the settings of a Pinger.
type QualifyOptions struct {
	Every      time.Duration // between two OPTIONS to a contact, whole seconds, at least one
	Node       string        // only its contacts are asked: who holds the flow
	Transports []string      // nil is "udp": a connection shows by itself when it breaks
	Rate       int           // OPTIONS a second, 0 is 500
	Parallel   int           // that wait for an answer, 0 is 64; more have to wait for their next turn
	Patience   time.Duration // for an answer, 0 is 4 s
	// Changed hears when a phone counts as unreachable and when it answers again; it
	// must not wait. nil: nobody.
	Changed    func(b location.Binding, answers bool)
	Registerer prometheus.Registerer
}

// Pinger asks phones with OPTIONS whether they are there (RFC 3261 section 11) and
// how long they take to say so. Every contact has its own second of the interval,
// so that the requests are spread and stay so. It keeps nothing of contacts that
// are gone.
type Pinger struct {
	p       *Proxy
	opt     QualifyOptions
	seed    maphash.Seed
	limit   *rate.Limiter
	slots   chan struct{}
	answers *prometheus.CounterVec

	mu       sync.Mutex
	contacts map[contactKey]*contactState
	turns    []map[contactKey]bool // by second of the interval
}

type contactKey struct {
	aor location.AOR
	id  string
}

type contactState struct {
	binding location.Binding
	latency time.Duration // of the last answer; 0 is none yet
	missed  int           // requests without an answer in a row
}

// missedMost is after how many unanswered requests in a row a phone counts as
// unreachable.
const missedMost = 3

// NewPinger makes a Pinger of the proxy's phones; Run lets it ask.
func (p *Proxy) NewPinger(o QualifyOptions) *Pinger {
	if o.Rate <= 0 {
		o.Rate = 500
	}
	if o.Parallel <= 0 {
		o.Parallel = 64
	}
	if o.Patience <= 0 {
		o.Patience = 4 * time.Second
	}
	if o.Transports == nil {
		o.Transports = []string{"udp"}
	}
	q := &Pinger{
		p: p, opt: o, seed: maphash.MakeSeed(), limit: rate.NewLimiter(rate.Limit(o.Rate), max(1, o.Rate/10)),
		slots: make(chan struct{}, o.Parallel), contacts: map[contactKey]*contactState{},
		turns: make([]map[contactKey]bool, max(1, int(o.Every/time.Second))),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_qualify_total", Help: "OPTIONS to phones by outcome: answered, silent, failed, skipped for want of room.",
		}, []string{"outcome"}),
	}
	for i := range q.turns {
		q.turns[i] = map[contactKey]bool{}
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(q.answers)
	}
	return q
}

// Binding takes over a change of the location service.
func (q *Pinger) Binding(c location.Change) {
	key := contactKey{c.Binding.AOR, c.Binding.ID}
	turn := q.turns[maphash.Comparable(q.seed, key)%uint64(len(q.turns))]
	q.mu.Lock()
	defer q.mu.Unlock()
	switch c.Kind {
	case location.Added, location.Changed, location.Refreshed:
		if !is(c.Binding.Transport, q.opt.Transports...) || c.Binding.Node != q.opt.Node {
			break
		}
		s := q.contacts[key]
		if s == nil || c.Kind != location.Refreshed {
			s = &contactState{}
			q.contacts[key], turn[key] = s, true
		}
		s.binding = c.Binding
		return
	case location.Removed, location.Expired, location.Evicted:
	}
	delete(q.contacts, key)
	delete(turn, key)
}

// Latency is how long a contact took to answer last; false when it did not or was
// not asked.
func (q *Pinger) Latency(aor location.AOR, id string) (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.contacts[contactKey{aor, id}]
	if s == nil || s.latency == 0 || s.missed > 0 {
		return 0, false
	}
	return s.latency, true
}

// Unreachable reports whether a phone has left several requests unanswered.
func (q *Pinger) Unreachable(b location.Binding) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.contacts[contactKey{b.AOR, b.ID}]
	return s != nil && s.missed >= missedMost
}

// Run asks until ctx ends.
func (q *Pinger) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for turn := 0; ; turn = (turn + 1) % len(q.turns) {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		q.takeTurn(ctx, turn)
	}
}

// takeTurn asks the contacts of one second.
func (q *Pinger) takeTurn(ctx context.Context, turn int) {
	q.mu.Lock()
	due := make([]contactKey, 0, len(q.turns[turn]))
	for key := range q.turns[turn] {
		due = append(due, key)
	}
	q.mu.Unlock()
	for _, key := range due {
		if q.limit.Wait(ctx) != nil {
			return
		}
		select {
		case q.slots <- struct{}{}:
		default:
			q.answers.WithLabelValues("skipped").Inc()
			continue
		}
		if !q.p.work.enter() {
			<-q.slots
			return
		}
		q.p.spawn(func() {
			defer func() { <-q.slots }()
			q.ask(ctx, key)
		})
		q.p.work.leave() // spawn has a place of its own
	}
}
