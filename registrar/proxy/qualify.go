package proxy

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
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

// ask sends one OPTIONS and notes what comes of it.
func (q *Pinger) ask(ctx context.Context, key contactKey) {
	q.mu.Lock()
	s := q.contacts[key]
	var b location.Binding
	if s != nil {
		b = s.binding
	}
	q.mu.Unlock()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, q.opt.Patience)
	defer cancel()
	latency, outcome := q.p.ping(ctx, b)
	q.answers.WithLabelValues(outcome).Inc()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.contacts[key] != s {
		return // it has changed meanwhile
	}
	switch outcome {
	case "answered":
		s.latency, s.missed = max(latency, time.Microsecond), 0
	case "silent":
		s.missed++
	}
}

// ping sends OPTIONS to a contact. Any response is an answer.
func (p *Proxy) ping(ctx context.Context, b location.Binding) (latency time.Duration, outcome string) {
	t, err := p.contact(b)
	if err != nil || t.dead {
		return 0, "failed"
	}
	start := time.Now()
	tx, err := p.send(t.flow, p.optionsFor(&t))
	if err != nil {
		return 0, "failed"
	}
	err = drain(tx, ctx.Done(), func(*sip.Response) {
		if latency == 0 {
			latency = max(time.Since(start), time.Nanosecond)
		}
	})
	switch {
	case latency > 0:
		return latency, "answered"
	case err == nil && errors.Is(context.Cause(ctx), context.Canceled):
		return 0, "failed" // we are stopping
	}
	return 0, "silent"
}

// optionsFor is an OPTIONS of our own to a contact.
func (p *Proxy) optionsFor(t *target) *sip.Request {
	req := p.ownRequest(sip.OPTIONS, t)
	req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	req.SetBody(nil)
	return req
}
