package proxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/fork"
)

// redirected follows a 300, 301 or 302 of a phone that forwards its calls, once and to
// extensions of the domain only: the phones there ring, too, and the 3xx counts no
// more (RFC 3261 section 16.7 step 4). False leaves it as it is: it points
// elsewhere, comes from a phone that the call was sent on to, or belongs to a
// dialog. It runs in the goroutine of the branch.
func (b *branch) redirected(res *sip.Response) bool {
	if res.StatusCode < 300 || res.StatusCode > 302 || b.r.in.req.Method != sip.INVITE || b.r.plan.dialog || b.target.redirected {
		return false
	}
	ctx, cancel := context.WithTimeout(b.r.p.ctx, lookupTimeout)
	defer cancel()
	var found []target
	for _, number := range b.r.p.extensionsIn(ctx, res) {
		targets, err := b.r.p.contacts(ctx, b.r.in, b.r.plan.caller, number)
		var refused *refusal
		if err != nil && !errors.As(err, &refused) {
			b.r.p.logFor(b.r.in).WarnContext(ctx, "call cannot be sent on", "error", err)
		}
		for _, t := range targets {
			t.redirected, t.breadth = true, 1
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return false
	}
	b.r.p.metrics.branch(b.target.flow.transport, "followed")
	b.r.post(func(now time.Time) []fork.Action {
		actions := b.r.sendOn(now, found)
		return append(actions, b.r.fork.Moved(now, b.id)...)
	})
	return true
}

// extensionsIn are the extensions of the domain that a 3xx points to, each once.
func (p *Proxy) extensionsIn(ctx context.Context, res *sip.Response) []string {
	var numbers []string
	for _, value := range values(res, "Contact", "m") {
		for _, part := range splitList(value) {
			var uri sip.Uri
			if _, err := sip.ParseAddressValue(part, &uri, &sip.HeaderParams{}); err != nil || !p.isLocal(uri.Host) {
				continue
			}
			number, err := p.resolve(ctx, unescape(uri.User))
			var refused *refusal
			switch {
			case err == nil:
			case errors.Is(err, phone.ErrNotFound), errors.Is(err, phone.ErrInvalid), errors.As(err, &refused):
				continue
			default:
				p.log.WarnContext(ctx, "call cannot be sent on", "error", err)
				continue
			}
			if !slices.Contains(numbers, number) && len(numbers) < maxRedirects {
				numbers = append(numbers, number)
			}
		}
	}
	return numbers
}

// maxRedirects bounds the extensions that one 3xx may name.
const maxRedirects = 5

// sendOn rings further targets; it runs in the goroutine of the relay.
func (r *relay) sendOn(now time.Time, found []target) []fork.Action {
	var actions []fork.Action
	for _, t := range found {
		known := slices.ContainsFunc(r.plan.targets, func(have target) bool {
			return have.flow == t.flow && have.uri.String() == t.uri.String()
		})
		if known || len(r.plan.targets) == maxTargets {
			continue
		}
		r.plan.targets = append(r.plan.targets, t)
		actions = append(actions, r.fork.Join(now, fork.Target{ID: len(r.plan.targets) - 1, Group: t.group})...)
	}
	return actions
}
