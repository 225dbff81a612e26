package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// maxTargets bounds the branches of a request whatever the store says.
const maxTargets = 60

// target is one place a request is forwarded to.
type target struct {
	flow    flow
	end     flow     // of the phone, when flow is the link to the node that has it
	node    string   // that node; "" is this one
	uri     *sip.Uri // Request-URI
	path    []string // Route to write, top first
	group   string   // see fork.Target
	breadth int      // Max-Breadth of the branch; 0 is none to write
	dead    bool     // its connection is known to be gone
	// redirected: a phone has sent the call here; it is not sent on again.
	redirected bool
	binding    location.Binding
}

// plan is what is done with a request.
type plan struct {
	targets     []target
	dialog      bool // the request is part of a dialog
	caller      phone.Credential
	callee      string // extension number; "" in a dialog
	asserted    string // P-Asserted-Identity to write
	recordRoute bool
	direct      bool // to one phone, not to the extension
}

// plan decides where a request goes, in the order of RFC 3261 section 16.3 to
// 16.5. An error is the answer.
func (p *Proxy) plan(in *inbound) (plan, error) {
	ctx, cancel := context.WithTimeout(p.ctx, lookupTimeout)
	defer cancel()
	if err := p.checkHeaders(in); err != nil {
		return plan{}, err
	}
	r, err := p.readRoute(in)
	if err != nil {
		return plan{}, err
	}
	if in.linked() {
		in.known = true
		return p.planLinked(ctx, in, r)
	}
	if r.dialog != nil {
		in.known = true
		return p.planDialog(ctx, r)
	}
	switch in.req.Method {
	case sip.BYE, sip.UPDATE, sip.PRACK:
		return plan{}, refuse(sip.StatusCallTransactionDoesNotExists)
	}
	if toTag(in.req) != "" {
		return plan{}, refuse(sip.StatusCallTransactionDoesNotExists)
	}
	return p.planNew(ctx, in, r)
}

// planNew is for requests outside a dialog: they need a digest, and go to all
// contacts of an extension.
func (p *Proxy) planNew(ctx context.Context, in *inbound, r routed) (plan, error) {
	caller, err := p.identify(ctx, in)
	if err != nil {
		return plan{}, err
	}
	in.known = true
	if err := checkEvent(in.req); err != nil {
		return plan{}, err
	}
	pl := plan{caller: caller, asserted: p.asserted(in, caller), direct: !p.isLocal(r.recipient.Host)}
	if pl.callee, err = p.resolve(ctx, unescape(r.recipient.User)); err == nil {
		pl.targets, err = p.contacts(ctx, in, caller, pl.callee)
	}
	if pl.direct {
		err = pl.only(r.recipient, err)
	}
	if err != nil {
		return plan{}, err
	}
	pl.recordRoute = makesDialog(in.req.Method)
	return pl, pl.share(in)
}

// only leaves the one phone whose contact the request names: a phone that hands a call
// over names who it talks to by that (RFC 5589 section 7). Nobody else outside of the
// domain is reached; we are no relay for the world.
func (pl *plan) only(contact *sip.Uri, err error) error {
	var refused *refusal
	if err != nil && !errors.As(err, &refused) && !errors.Is(err, phone.ErrNotFound) && !errors.Is(err, phone.ErrInvalid) {
		return err
	}
	pl.targets = slices.DeleteFunc(pl.targets, func(t target) bool { return !sameContact(t.uri, contact) })
	if len(pl.targets) == 0 {
		return refuse(sip.StatusForbidden)
	}
	return nil
}

func (p *Proxy) aor(extension string) location.AOR {
	return location.AOR(extension + "@" + strings.ToLower(p.opt.Domain))
}

// contacts are the targets of an extension: every live binding but the caller's
// own. None is 480 (RFC 3261 section 16.5).
func (p *Proxy) contacts(ctx context.Context, in *inbound, caller phone.Credential, callee string) ([]target, error) {
	bindings, err := p.opt.Lookup.Lookup(ctx, p.aor(callee))
	if err != nil {
		return nil, fmt.Errorf("look up contacts of %s: %w", callee, err)
	}
	var ts []target
	for _, b := range bindings {
		t, err := p.contact(b)
		if err != nil {
			p.logFor(in).WarnContext(ctx, "contact cannot be used", "error", err, "aor", string(b.AOR))
			continue
		}
		if caller.Extension == callee && sameFlow(t.flow, in.from) || rung(ts, &t) {
			continue
		}
		if ts = append(ts, t); len(ts) == maxTargets {
			break
		}
	}
	if len(ts) == 0 {
		return nil, refuse(sip.StatusTemporarilyUnavailable)
	}
	return ts, nil
}

// rung reports whether a phone is among the targets under another name already, as one
// is that began to say which instance it is: to it, a second INVITE is a second call.
func rung(ts []target, t *target) bool {
	return slices.ContainsFunc(ts, func(have target) bool {
		return have.flow == t.flow && have.end == t.end && have.uri.String() == t.uri.String()
	})
}

// contact makes a target of a binding. The phone is reached over the flow it
// registered on and never where its contact points: behind NAT, or in a browser
// (".invalid"), that is nowhere.
func (p *Proxy) contact(b location.Binding) (target, error) {
	t := target{binding: b, path: b.Path, group: b.Instance, uri: &sip.Uri{}}
	if err := sip.ParseUri(b.Contact, t.uri); err != nil {
		return t, fmt.Errorf("parse contact %.100q: %w", b.Contact, err)
	}
	// RFC 3261 section 19.1.5 and 16.6 step 2: neither belongs in a Request-URI.
	t.uri.Headers = nil
	t.uri.UriParams.Remove("method")
	s := p.stacks[b.Transport]
	if s == nil {
		return t, fmt.Errorf("transport %q is unknown", b.Transport)
	}
	var err error
	t.flow.transport = b.Transport
	if t.flow.remote, err = addrPort(b.Received); err != nil {
		return t, err
	}
	if !s.reliable() {
		t.flow.local, _ = addrPort(b.Socket) // without it any socket of ours will do
	} else {
		t.dead = !p.opt.Alive(b)
	}
	p.across(&t, &b)
	return t, nil
}

func sameFlow(a, b flow) bool { return a.transport == b.transport && a.remote == b.remote }
