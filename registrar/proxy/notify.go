package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// Notice is a NOTIFY of our own outside any dialog: what phones are told to fetch
// their configuration or to restart with.
type Notice struct {
	Event       string // value of the Event header, e.g. "check-sync;reboot=false"; required
	ContentType string // of Body; "" with none
	Body        []byte
}

// The outcomes of a Notice that are no answer of the phone.
var (
	// ErrFlowGone: the connection or socket that the phone registered over is not
	// there, so nothing was sent.
	ErrFlowGone = errors.New("the way to the phone is gone")
	// ErrSilent: the phone did not answer in time. It may have heard.
	ErrSilent = errors.New("the phone does not answer")
	// ErrStopped: we shut down before the phone has answered. It may have heard.
	ErrStopped = errors.New("the proxy has been shut down")
)

// Notify sends n to the phone of one binding over the flow it registered on, and
// returns the status of its final response: 200 is taken, 401 wants a password,
// 481 and 489 do not know the event. The error is ErrFlowGone, ErrStopped,
// ErrSilent (32 s after sending, or when ctx ends before) or says what else failed.
// It is on the timeline of the phone however it ends, but for ErrStopped.
func (p *Proxy) Notify(ctx context.Context, b location.Binding, n Notice) (status int, err error) {
	if !p.work.enter() {
		return 0, fmt.Errorf("notify %s: %w", b.AOR, p.busyOrStopped())
	}
	defer p.work.leave()
	start := p.opt.Now()
	if status, err = p.notify(ctx, b, n); err != nil && p.ctx.Err() != nil {
		return 0, fmt.Errorf("notify %s: %w", b.AOR, ErrStopped)
	}
	outcome := noticeOutcome(status, err)
	p.metrics.notices.WithLabelValues(outcome).Inc()
	p.opt.Recorder(phone.Event{
		At: p.opt.Now(), Kind: phone.EventNotify, Outcome: outcome, Status: status, DeviceID: p.deviceOf(ctx, b),
		Proto: b.Transport, Path: b.Contact, Source: b.Received, UserAgent: b.UserAgent,
		Millis: p.opt.Now().Sub(start).Round(time.Millisecond).Milliseconds(), Detail: "told to " + n.Event,
	})
	return status, err
}

// busyOrStopped is why there is no room for another request.
func (p *Proxy) busyOrStopped() error {
	if p.ctx.Err() != nil {
		return ErrStopped
	}
	return fmt.Errorf("too much is in work: %w", ErrFlowGone)
}

func noticeOutcome(status int, err error) string {
	switch {
	case errors.Is(err, ErrSilent):
		return "no-answer"
	case err != nil:
		return "unreachable"
	case status/100 == 2:
		return "ok"
	}
	return "refused"
}

func (p *Proxy) notify(ctx context.Context, b location.Binding, n Notice) (int, error) {
	t, err := p.contact(b)
	if err != nil {
		return 0, fmt.Errorf("notify %s: %w", b.AOR, err)
	}
	if t.dead {
		return 0, fmt.Errorf("notify %s: %w", b.AOR, ErrFlowGone)
	}
	tx, err := p.send(t.flow, p.noticeFor(&t, n))
	if err != nil {
		return 0, fmt.Errorf("notify %s: %w: %w", b.AOR, ErrFlowGone, err)
	}
	status := 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	err = drain(tx, ctx.Done(), func(res *sip.Response) {
		if !res.IsProvisional() {
			status = res.StatusCode
		}
	})
	switch {
	case status != 0:
		return status, nil
	case err == nil, errors.Is(err, sip.ErrTransactionTimeout):
		return 0, fmt.Errorf("notify %s: %w", b.AOR, ErrSilent)
	}
	return 0, fmt.Errorf("notify %s: %w: %w", b.AOR, ErrFlowGone, err)
}

// noticeFor writes the request. Phones compare From and To with their account, so
// both are the AOR (as of RFC 3842's unsolicited NOTIFY); there is no subscription
// and so it has ended (RFC 6665 section 4.1.3 wants the header all the same).
func (p *Proxy) noticeFor(t *target, n Notice) *sip.Request {
	req := p.ownRequest(sip.NOTIFY, t)
	host, port := p.opt.Advertise(t.flow.transport)
	req.AppendHeader(sip.NewHeader("Contact", "<sip:"+hostPort(host, port)+";transport="+t.flow.transport+">"))
	req.AppendHeader(sip.NewHeader("Event", n.Event))
	req.AppendHeader(sip.NewHeader("Subscription-State", "terminated;reason=noresource"))
	if len(n.Body) > 0 {
		req.AppendHeader(sip.NewHeader("Content-Type", n.ContentType))
	}
	req.SetBody(n.Body)
	if aor, err := p.identityOf(t.binding); err == nil {
		req.From().Address, req.To().Address = aor, aor
	}
	return req
}

func (p *Proxy) identityOf(b location.Binding) (sip.Uri, error) {
	var uri sip.Uri
	err := sip.ParseUri("sip:"+string(b.AOR), &uri)
	return uri, err
}

// ownRequest begins a request of our own to a contact, outside any dialog.
func (p *Proxy) ownRequest(method sip.RequestMethod, t *target) *sip.Request {
	req := sip.NewRequest(method, *t.uri)
	hops, id := sip.MaxForwardsHeader(70), sip.CallIDHeader(rand.Text())
	req.AppendHeader(p.via(t.flow.transport, ""))
	req.AppendHeader(&hops)
	for _, route := range t.path {
		req.AppendHeader(sip.NewHeader("Route", route))
	}
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", Host: p.opt.Domain}, Params: sip.NewParams()}
	from.Params.Add("tag", rand.Text())
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: *t.uri, Params: sip.NewParams()})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	return req
}

// deviceOf is the device whose line a binding is: the user minted for the line
// says so. "" is none.
func (p *Proxy) deviceOf(ctx context.Context, b location.Binding) string {
	cred, err := p.opt.Directory.Credential(context.WithoutCancel(ctx), b.AuthUser)
	if err != nil {
		return ""
	}
	return cred.DeviceID
}
