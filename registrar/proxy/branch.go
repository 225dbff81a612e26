package proxy

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/fork"
)

// branch is one client transaction of a relay. Its request is written once and
// then only read.
type branch struct {
	r      *relay
	id     int
	target *target
	req    *sip.Request
	heard  bool // a ringing event was recorded; owned by the relay
	// answered: any response has come.
	answered atomic.Bool
}

// run sends the request and reports what comes back.
func (b *branch) run() {
	if b.target.dead {
		b.fail(sip.StatusServiceUnavailable, "dead")
		return
	}
	tx, err := b.r.p.send(b.target.flow, b.req)
	if err != nil {
		b.r.p.logFor(b.r.in).Info("branch failed", "error", err, "aor", string(b.target.binding.AOR))
		b.fail(sip.StatusServiceUnavailable, "unreachable")
		return
	}
	// Repetitions of a 2xx come this way only.
	tx.OnRetransmission(b.received)
	silent := b.watch(tx)
	switch err := drain(tx, b.r.done, b.received); {
	case silent():
		b.fail(sip.StatusServiceUnavailable, "unreachable")
	case err == nil:
	case errors.Is(err, sip.ErrTransactionTimeout):
		b.fail(sip.StatusRequestTimeout, "timeout")
	default:
		b.fail(sip.StatusServiceUnavailable, "unreachable")
	}
}

// watch ends a branch to another node that says nothing: it must not hold up the call.
// The function stops the watch and reports whether it has ended the branch.
func (b *branch) watch(tx *sip.ClientTx) (ended func() bool) {
	if b.target.flow.transport != Link {
		return func() bool { return false }
	}
	var silent atomic.Bool
	timer := time.AfterFunc(linkPatience, func() {
		if !b.answered.Load() {
			silent.Store(true)
			tx.Terminate()
		}
	})
	return func() bool {
		timer.Stop()
		return silent.Load()
	}
}

func (b *branch) received(res *sip.Response) {
	b.answered.Store(true)
	if !res.IsProvisional() {
		b.r.p.metrics.branch(b.target.flow.transport, class(res.StatusCode))
	}
	if b.redirected(res) {
		return
	}
	tag := ""
	if to := res.To(); to != nil {
		tag = tagOf(to.Params)
	}
	b.r.post(func(now time.Time) []fork.Action {
		return b.r.fork.Respond(now, b.id, fork.Response{Code: res.StatusCode, Tag: tag, Ref: res})
	})
}

func (b *branch) fail(code int, outcome string) {
	b.r.p.metrics.branch(b.target.flow.transport, outcome)
	b.r.post(func(now time.Time) []fork.Action { return b.r.fork.Fail(now, b.id, code) })
}

// end does what ends a branch: CANCEL, or ACK and BYE of an answer that lost.
func (b *branch) end(a fork.Action) {
	p, f := b.r.p, b.target.flow
	if a.Kind == fork.SendCancel {
		p.metrics.cancels.Inc()
		p.spawn(func() { p.exchange(f, b.cancel(a.Reason)) })
		return
	}
	res := a.Ref.(*sip.Response)
	p.spawn(func() {
		if err := p.write(f, b.inDialog(sip.ACK, res)); err != nil {
			p.logFor(b.r.in).Warn("answer that lost cannot be acknowledged", "error", err)
		}
		if a.Kind == fork.AckBye {
			p.exchange(f, b.inDialog(sip.BYE, res))
		}
	})
}

// exchange sends a request of our own and waits for its end.
func (p *Proxy) exchange(f flow, req *sip.Request) {
	tx, err := p.send(f, req)
	if err == nil {
		err = drain(tx, p.ctx.Done(), func(*sip.Response) {})
	}
	if err != nil {
		p.log.Info("no answer from a phone", "error", err, "method", string(req.Method), "call_id", callID(req))
	}
}

// cancel is the CANCEL of the branch's INVITE (RFC 3261 section 9.1).
func (b *branch) cancel(reason string) *sip.Request {
	req := b.skeleton(sip.CANCEL, b.req.Recipient, b.req.Via().Clone(), b.req.CSeq().SeqNo)
	req.AppendHeader(sip.HeaderClone(b.req.To()))
	for _, h := range b.req.GetHeaders("Route") {
		req.AppendHeader(sip.HeaderClone(h))
	}
	if reason != "" {
		req.AppendHeader(sip.NewHeader("Reason", reason))
	}
	req.SetBody(nil)
	return req
}

// inDialog is a request of ours in the dialog that a 2xx has made, in the
// caller's place: the caller got another answer and knows nothing of this one.
func (b *branch) inDialog(method sip.RequestMethod, res *sip.Response) *sip.Request {
	recipient, seq := *b.req.Recipient.Clone(), b.req.CSeq().SeqNo
	for _, v := range values(res, "Contact", "m") {
		var uri sip.Uri
		if _, err := sip.ParseAddressValue(v, &uri, &sip.HeaderParams{}); err == nil {
			recipient = uri
			break
		}
	}
	if method == sip.BYE {
		seq++
	}
	req := b.skeleton(method, recipient, b.r.p.via(b.target.flow.transport, ""), seq)
	req.AppendHeader(sip.HeaderClone(res.To()))
	if b.target.flow.transport == Link {
		req.AppendHeader(sip.NewHeader("Route", linkRoute(b.target.flow.remote, sealedUser(b.req))))
	}
	for _, route := range b.r.p.beyond(res) {
		req.AppendHeader(sip.NewHeader("Route", route))
	}
	if method == sip.BYE {
		req.AppendHeader(sip.NewHeader("Reason", fork.CompletedElsewhere))
	}
	req.SetBody(nil)
	return req
}

func (b *branch) skeleton(method sip.RequestMethod, to sip.Uri, via *sip.ViaHeader, seq uint32) *sip.Request {
	req := sip.NewRequest(method, to)
	hops, id := sip.MaxForwardsHeader(70), sip.CallIDHeader(callID(b.req))
	req.AppendHeader(via)
	req.AppendHeader(&hops)
	req.AppendHeader(sip.HeaderClone(b.req.From()))
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	return req
}

// class is the class of a status code as metrics name it.
func class(code int) string {
	if code < 100 || code > 699 {
		return "other"
	}
	return string(rune('0'+code/100)) + strings.Repeat("x", 2)
}
