package pnp

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// question is a NOTIFY that waits for its answer.
type question struct {
	phone   Phone
	url     string
	message []byte
}

// pending are the NOTIFYs that wait, by branch.
type pending struct {
	mu      sync.Mutex
	waits   map[string]*waiting
	stopped bool
}

type waiting struct {
	question
	timer *time.Timer
	left  int
}

// add repeats a NOTIFY until take or stop is called, and calls given up after the
// last. False: too many wait already.
func (p *pending) add(branch string, q question, again, givenUp func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || len(p.waits) >= maxPending {
		return false
	}
	if p.waits == nil {
		p.waits = map[string]*waiting{}
	}
	w := &waiting{question: q, left: resends}
	wait := firstResend
	w.timer = time.AfterFunc(wait, func() {
		p.mu.Lock()
		if p.stopped || p.waits[branch] != w {
			p.mu.Unlock()
			return
		}
		last := w.left == 0
		if last {
			delete(p.waits, branch)
		} else {
			w.left--
			wait *= 2
			w.timer.Reset(wait)
		}
		p.mu.Unlock()
		if last {
			givenUp()
			return
		}
		again()
	})
	p.waits[branch] = w
	return true
}

// take ends the wait for a branch when the answer comes from where the question went.
func (p *pending) take(branch string, from netip.AddrPort) (question, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits[branch]
	if w == nil || w.phone.Source.Addr() != from.Addr() {
		return question{}, false
	}
	w.timer.Stop()
	delete(p.waits, branch)
	return w.question, true
}

// stop ends all waits.
func (p *pending) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	for _, w := range p.waits {
		w.timer.Stop()
	}
	clear(p.waits)
}

// A phone asks a few times in a row when it starts; a segment has some thousand
// phones that start together after a power cut.
const (
	perSource   = rate.Limit(1)
	sourceBurst = 6
	overall     = rate.Limit(500)
	allBurst    = 2000
	maxSources  = 4096
)

// limits bounds what is answered, per source and in all.
type limits struct {
	mu      sync.Mutex
	sources map[netip.Addr]*rate.Limiter
	all     *rate.Limiter
}

func newLimits() *limits {
	return &limits{sources: map[netip.Addr]*rate.Limiter{}, all: rate.NewLimiter(overall, allBurst)}
}

func (l *limits) allow(a netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lim := l.sources[a]
	if lim == nil {
		if len(l.sources) >= maxSources {
			clear(l.sources) // forgetting is cheaper than keeping order, and grants one burst more
		}
		lim = rate.NewLimiter(perSource, sourceBurst)
		l.sources[a] = lim
	}
	return lim.AllowN(now, 1) && l.all.AllowN(now, 1)
}

// sentence puts a URL into a text. It is ours, and has no secret: tokens are left out.
func sentence(text, url string) string {
	if before, _, ok := strings.Cut(url, "/p/"); ok {
		url = before + "/p/..."
	}
	return strings.Replace(text, "%s", url, 1)
}
