package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/location"
)

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
	if changed, answers := q.note(key, s, latency, outcome); changed && q.opt.Changed != nil {
		q.opt.Changed(b, answers)
	}
}

// note keeps what came of an OPTIONS and reports whether the phone counts as
// something else by it.
func (q *Pinger) note(key contactKey, s *contactState, latency time.Duration, outcome string) (changed, answers bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.contacts[key] != s {
		return false, false // it has changed meanwhile
	}
	switch outcome {
	case "answered":
		changed = s.missed >= missedMost
		s.latency, s.missed = max(latency, time.Microsecond), 0
		return changed, true
	case "silent":
		s.missed++
	}
	return outcome == "silent" && s.missed == missedMost, false
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
