package proxy

import (
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/fork"
)

// abortWait is how long the phones of a call that Shutdown ends may take to
// answer their CANCEL.
const abortWait = 500 * time.Millisecond

// relay is one request on its way: a server transaction, a fork.Context that
// decides, and a client transaction per branch. The goroutine in run owns it;
// everybody else posts events.
type relay struct {
	p        *Proxy
	in       *inbound
	plan     plan
	log      callLog
	fork     *fork.Context
	branches map[int]*branch
	events   chan func(now time.Time) []fork.Action
	canceled <-chan *sip.Request // the caller's CANCEL; nil for other requests
	done     chan struct{}       // closed when run returns
	settled  func()              // called once, when the caller gets its final response
	final    int                 // status code of that response; 0 before
}

func newRelay(p *Proxy, in *inbound, pl plan, canceled <-chan *sip.Request) *relay {
	opt := p.opt.Fork
	if in.req.Method != sip.INVITE {
		opt = fork.Options{Linger: 1} // nothing is repeated by the phone
	}
	r := &relay{
		p: p, in: in, plan: pl, fork: fork.New(opt), branches: map[int]*branch{}, canceled: canceled,
		events: make(chan func(time.Time) []fork.Action), done: make(chan struct{}), settled: func() {},
	}
	r.log = callLog{r: r}
	return r
}

// run forwards the request and returns when all is over.
func (r *relay) run() {
	defer close(r.done)
	r.start()
	timer := time.NewTimer(0)
	defer timer.Stop()
	gone, quit := r.in.tx.Done(), r.p.ctx.Done()
	var giveUp <-chan time.Time
	for !r.fork.Finished() {
		timer.Reset(r.wait())
		select {
		case event := <-r.events:
			r.do(event(time.Now()))
		case <-timer.C:
			r.do(r.fork.Tick(time.Now()))
		case c := <-r.canceled:
			r.hangUp(c)
		case ack := <-r.in.tx.Acks():
			if r.final/100 == 2 {
				r.p.ack(r.in, ack) // from a client that repeats the INVITE's branch
			}
		case <-gone:
			gone = nil
			r.lost()
		case <-quit:
			if r.fork.Settled() {
				return
			}
			quit, giveUp = nil, time.After(abortWait)
			r.do(r.fork.Abort(time.Now(), sip.StatusServiceUnavailable))
		case <-giveUp:
			return
		}
	}
}

func (r *relay) start() {
	r.log.started()
	select {
	case c := <-r.canceled: // before it was known whom to ring
		r.hangUp(c)
	default:
	}
	var ts []fork.Target
	for i, t := range r.plan.targets {
		ts = append(ts, fork.Target{ID: i, Group: t.group})
	}
	r.do(r.fork.Start(time.Now(), ts))
}

func (r *relay) wait() time.Duration {
	next := r.fork.Next()
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), 0)
}

func (r *relay) hangUp(cancel *sip.Request) {
	r.do(r.fork.Cancel(time.Now(), strings.Join(values(cancel, "Reason"), ", ")))
}

// lost is the end of the server transaction: while the phones still ring, the
// caller's connection is gone and nobody is there to answer to.
func (r *relay) lost() {
	if !r.fork.Settled() {
		r.do(r.fork.Cancel(time.Now(), ""))
	}
}

// post hands an event to run; it is dropped when run is over.
func (r *relay) post(event func(now time.Time) []fork.Action) {
	select {
	case r.events <- event:
	case <-r.done:
	}
}

func (r *relay) do(actions []fork.Action) {
	for _, a := range actions {
		switch a.Kind {
		case fork.SendInvite:
			r.send(a.Branch)
		case fork.ForwardUp:
			r.forwardUp(a)
		case fork.SendCancel, fork.AckBye, fork.Ack:
			if r.in.req.Method == sip.INVITE { // no other request is cancelled
				r.branches[a.Branch].end(a)
			}
		}
	}
}

func (r *relay) send(id int) {
	t := &r.plan.targets[id]
	b := &branch{r: r, id: id, target: t, req: r.p.build(r.in, &r.plan, t)}
	r.branches[id] = b
	r.p.spawn(b.run)
}

func (r *relay) forwardUp(a fork.Action) {
	switch {
	case a.Code < 200:
		r.log.rung(a)
	case r.final == 0: // a 2xx comes again and again
		r.final = a.Code
		r.settled() // before the answer is out: the caller's next call finds room
		r.p.metrics.request(r.in.req.Method, a.Code)
		r.log.ended(a)
	}
	res, ok := a.Ref.(*sip.Response)
	switch {
	case ok:
		r.in.forward(res, challenges(a.Merge)...)
	case a.Code == sip.StatusRequestTimeout && r.in.req.Method != sip.INVITE:
		r.in.tx.Terminate() // the caller has timed out as well (RFC 4320 section 4.2)
	case a.Code == sip.StatusServiceUnavailable:
		r.in.reply(a.Code, sip.NewHeader("Retry-After", retryAfter))
	default:
		r.in.reply(a.Code)
	}
}

// challenges are those of the other branches' 401 and 407.
func challenges(refs []any) []sip.Header {
	var hs []sip.Header
	for _, ref := range refs {
		for _, h := range ref.(*sip.Response).Headers() {
			if is(h.Name(), "WWW-Authenticate", "Proxy-Authenticate") {
				hs = append(hs, h)
			}
		}
	}
	return hs
}
