package proxy

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// cancelWait is how long a CANCEL waits for its INVITE: sipgo handles each
// message in a goroutine of its own, so one right behind the other may overtake.
const cancelWait = 100 * time.Millisecond

// inviteTable knows the INVITEs that are being handled, for their CANCEL.
type inviteTable struct {
	mu      sync.Mutex
	pending map[string]chan *sip.Request // by inviteKey; holds one CANCEL
	added   chan struct{}                // closed at the next add; nil when nobody waits
}

func newInviteTable() *inviteTable { return &inviteTable{pending: map[string]chan *sip.Request{}} }

// inviteKey is equal for an INVITE and its CANCEL (RFC 3261 section 9.1).
func inviteKey(req *sip.Request) string {
	via := req.Via()
	return fmt.Sprintf("%s|%s|%d|%s|%d", via.Params.GetOr("branch", ""), strings.ToLower(via.Host), via.Port,
		callID(req), req.CSeq().SeqNo)
}

// add makes an INVITE known until remove is called.
func (t *inviteTable) add(req *sip.Request) (canceled <-chan *sip.Request, remove func()) {
	key, ch := inviteKey(req), make(chan *sip.Request, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[key] = ch
	if t.added != nil {
		close(t.added)
		t.added = nil
	}
	return ch, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.pending[key] == ch {
			delete(t.pending, key)
		}
	}
}

// cancel hands a CANCEL to its INVITE after it called accept; false when there is
// none.
func (t *inviteTable) cancel(req *sip.Request, accept func()) bool {
	timer := time.NewTimer(cancelWait)
	defer timer.Stop()
	for key := inviteKey(req); ; {
		t.mu.Lock()
		ch, found := t.pending[key]
		if !found && t.added == nil {
			t.added = make(chan struct{})
		}
		added := t.added
		t.mu.Unlock()
		if found {
			accept()
			select {
			case ch <- req:
			default: // a repetition
			}
			return true
		}
		select {
		case <-added:
		case <-timer.C:
			return false
		}
	}
}

// cancel answers a CANCEL and passes it on to the INVITE it is for. Unlike sipgo
// on its own we do not force the INVITE to 487: a 2xx that is on its way still
// reaches the caller (RFC 3261 section 9.1, 16.10).
func (p *Proxy) cancel(in *inbound) {
	// Its own answer goes first: a 487 that overtakes it confuses callers.
	if !p.invites.cancel(in.req, func() { in.reply(sip.StatusOK) }) {
		p.answer(in, refuse(sip.StatusCallTransactionDoesNotExists))
	}
}

// invite makes a call, or changes one that is up.
func (p *Proxy) invite(in *inbound) {
	canceled, remove := p.invites.add(in.req)
	defer remove()
	p.acks.wait(in.req)
	leave := func() {}
	if toTag(in.req) == "" {
		if !p.calls.enter() {
			p.answer(in, refuse(sip.StatusServiceUnavailable, sip.NewHeader("Retry-After", retryAfter)))
			return
		}
		leave = sync.OnceFunc(p.calls.leave)
		defer leave()
	}
	plan, err := p.plan(in)
	if err != nil {
		p.answer(in, err)
		return
	}
	forget, ok := p.merged.enter(in.req)
	if !ok {
		p.answer(in, errMerged())
		return
	}
	defer forget()
	in.reply(sip.StatusTrying)
	r := newRelay(p, in, plan, canceled)
	silence := p.ringing.add(r)
	defer silence()
	r.settled = func() { silence(); leave() }
	r.run()
}

// ack forwards the ACK of a 2xx; one that has nowhere to go is dropped.
func (p *Proxy) ack(in *inbound, ack *sip.Request) {
	defer p.acks.done(ack)
	of := *in
	of.req = ack
	if toTag(ack) == "" {
		return
	}
	plan, err := p.plan(&of)
	if err != nil {
		p.answer(&of, err)
		return
	}
	t := &plan.targets[0]
	if err := p.write(t.flow, p.build(&of, &plan, t)); err != nil {
		p.logFor(&of).Info("ACK cannot be forwarded", "error", err)
	}
}
