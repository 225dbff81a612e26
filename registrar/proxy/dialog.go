package proxy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// defaultBreadth is Max-Breadth where a request has none (RFC 5393 section 5.3.3).
const defaultBreadth = 60

// planDialog forwards a request of a dialog over the flow in its token, to the
// end it does not come from.
func (p *Proxy) planDialog(ctx context.Context, r routed) (plan, error) {
	t := target{flow: r.dialog.caller, uri: r.recipient}
	ext, node := r.dialog.callerExt, r.dialog.callerNode
	if r.fromCaller {
		t.flow, ext, node = r.dialog.callee, r.dialog.calleeExt, r.dialog.calleeNode
	}
	for _, uri := range r.rest {
		t.path = append(t.path, "<"+uri.String()+">")
	}
	if addr, ok := p.other(node); ok {
		t.over(addr, r.sealed)
		return plan{targets: []target{t}, dialog: true}, nil
	}
	foreign := p.opt.Peer != nil && node != "" && node != p.opt.Node // and away
	if foreign || !p.connected(t.flow) {
		found, err := p.findAgain(ctx, ext, r.recipient)
		if err != nil {
			return plan{}, err
		}
		t.flow, t.path = found.flow, append(found.path, t.path...)
	}
	return plan{targets: []target{t}, dialog: true}, nil
}

// connected reports whether a flow can be written to; UDP always can.
func (p *Proxy) connected(f flow) bool {
	s := p.stacks[f.transport]
	if !s.reliable() {
		return true
	}
	c, err := s.connection(f.remote.String())
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // gives the reference back
	return true
}

// findAgain looks for a phone whose connection has been replaced during the
// dialog: the live binding with the contact that the request is for. Without
// one the flow has failed (RFC 5626 section 5.3).
func (p *Proxy) findAgain(ctx context.Context, ext string, recipient *sip.Uri) (target, error) {
	if ext == "" {
		return target{}, refuse(430)
	}
	bindings, err := p.opt.Lookup.Lookup(ctx, p.aor(ext))
	if err != nil {
		return target{}, fmt.Errorf("look up contacts of %s: %w", ext, err)
	}
	for _, b := range bindings {
		t, err := p.contact(b)
		if err == nil && !t.dead && sameContact(t.uri, recipient) && p.connected(t.flow) {
			if t.node == "" {
				t.path = nil // the dialog's own routes say the rest
			} else {
				t.path = t.path[:1] // to the node
			}
			return t, nil
		}
	}
	return target{}, refuse(430)
}

func sameContact(a, b *sip.Uri) bool {
	return unescape(a.User) == unescape(b.User) && sameHost(a.Host, b.Host) && a.Port == b.Port
}

// checkHeaders is RFC 3261 section 16.3 steps 2 to 5 without the digest.
func (p *Proxy) checkHeaders(in *inbound) error {
	req := in.req
	if !is(req.Recipient.Scheme, "sip", "sips", "tel") {
		return refuse(416)
	}
	if mf := req.MaxForwards(); mf != nil && mf.Val() == 0 {
		return refuse(sip.StatusTooManyHops)
	}
	suffix := "." + p.loopMark(req)
	for _, h := range req.GetHeaders("Via") {
		if via, ok := h.(*sip.ViaHeader); ok && strings.HasSuffix(via.Params.GetOr("branch", ""), suffix) {
			return refuse(sip.StatusLoopDetected)
		}
	}
	if required := values(req, "Proxy-Require"); len(required) > 0 {
		return refuse(sip.StatusBadExtension, sip.NewHeader("Unsupported", strings.Join(required, ", ")))
	}
	return nil
}

// loopMark is equal for a request that comes back unchanged.
func (p *Proxy) loopMark(req *sip.Request) string {
	parts := []string{req.Recipient.String(), callID(req), fromTag(req), toTag(req), strconv.Itoa(int(req.CSeq().SeqNo))}
	return p.tokens.loop(append(parts, values(req, "Route")...)...)
}

// share splits Max-Breadth between the branches (RFC 5393 section 5.3.3).
func (pl *plan) share(in *inbound) error {
	breadth := defaultBreadth
	if vs := values(in.req, "Max-Breadth"); len(vs) > 0 {
		n, err := strconv.Atoi(strings.TrimSpace(vs[0]))
		if err != nil {
			return refuse(sip.StatusBadRequest)
		}
		breadth = min(n, defaultBreadth)
	}
	if len(pl.targets) > breadth {
		return refuse(440)
	}
	for i := range pl.targets {
		pl.targets[i].breadth = breadth / len(pl.targets)
	}
	return nil
}

// allowEvents are packages that phones have and that are forwarded, as a 489 has to list
// some (RFC 6665 section 8.2.1).
const allowEvents = "dialog, presence, refer"

// checkEvent refuses events that no phone may send another: subscriptions that
// only a server could answer, and the NOTIFYs that make a phone restart or load
// its configuration (phone-facts/request_sequence.md).
func checkEvent(req *sip.Request) error {
	for _, v := range values(req, "Event", "o") {
		event, _, _ := strings.Cut(v, ";")
		event = strings.TrimSpace(event)
		switch {
		case req.Method == sip.SUBSCRIBE && is(event, "reg", "message-summary", "ua-profile"):
			return refuse(489, sip.NewHeader("Allow-Events", allowEvents))
		case req.Method == sip.NOTIFY && is(event, "check-sync", "resync", "reboot", "ua-profile", "ACTION-URI"):
			return refuse(sip.StatusForbidden)
		}
	}
	return nil
}
