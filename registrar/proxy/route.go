package proxy

import (
	"strings"

	"github.com/emiago/sipgo/sip"
)

// routed is a request after its Route header has been read.
type routed struct {
	rest       []sip.Uri // routes beyond us
	dialog     *token    // of the dialog the request belongs to; nil outside
	sealed     string    // the token itself
	fromCaller bool      // the request comes from who made the call
	way        *way      // to a phone of ours, as another node has written it
	recipient  *sip.Uri  // Request-URI to forward
}

// readRoute takes our own entries off the Route header (RFC 3261 section 16.4
// and 16.12). A token that is not ours is 403, so that nobody can aim a request
// at a phone; a route elsewhere is followed only inside a dialog, so that nobody
// can use us as a relay.
func (p *Proxy) readRoute(in *inbound) (routed, error) {
	r := routed{recipient: p.dialled(&in.req.Recipient)}
	for _, h := range in.req.GetHeaders("Route") {
		route, ok := h.(*sip.RouteHeader)
		if !ok {
			return r, refuse(sip.StatusBadRequest)
		}
		r.rest = append(r.rest, *route.Address.Clone())
	}
	p.fixStrict(in, &r)
	for len(r.rest) > 0 {
		user := r.rest[0].User
		if w, ok := parseWay(user); ok && in.linked() && strings.HasPrefix(user, wayPrefix) {
			r.rest, r.way = r.rest[1:], &w
			return r, nil // what is left is the phone's Path
		}
		t, fromCaller, err := p.tokens.open(user, callID(in.req), fromTag(in.req), toTag(in.req))
		// A token says that the entry is ours or that of a node which shares our key,
		// whatever its host is called.
		ours := user != "" && err == nil && toTag(in.req) != ""
		if !ours && !p.isLocal(r.rest[0].Host) {
			break
		}
		r.rest = r.rest[1:]
		switch {
		case ours:
			r.dialog, r.fromCaller, r.sealed = &t, fromCaller, user
		case user != "": // "" is an outbound proxy setting, no dialog
			return r, refuse(sip.StatusForbidden)
		}
	}
	if r.dialog == nil && len(r.rest) > 0 {
		return r, refuse(sip.StatusForbidden)
	}
	return r, nil
}

// fixStrict undoes what a strict router before us has done: our own entry is the
// Request-URI and the real one the last route (RFC 3261 section 16.4).
func (p *Proxy) fixStrict(in *inbound, r *routed) {
	if len(r.rest) == 0 || r.recipient.User == "" || !p.isLocal(r.recipient.Host) {
		return
	}
	if _, _, err := p.tokens.open(r.recipient.User, callID(in.req), fromTag(in.req), toTag(in.req)); err != nil {
		return
	}
	last := len(r.rest) - 1
	ours, target := *r.recipient, r.rest[last]
	r.rest = append([]sip.Uri{ours}, r.rest[:last]...)
	r.recipient = &target
}

// recordRoutes are our entries in a request that may make a dialog: one, or two
// when it leaves over another transport than it came (RFC 5658 section 3). The
// upper one faces the callee; when that is a phone of another node, that node adds it
// with the same token.
func (p *Proxy) recordRoutes(in *inbound, pl *plan, to *target) []sip.Header {
	if in.linked() {
		return []sip.Header{p.recordRoute(to.flow.transport, sealedUser(in.req))}
	}
	t := token{caller: in.from, callee: to.flow, callerExt: pl.caller.Extension, calleeExt: pl.callee}
	if p.opt.Peer != nil {
		t.callerNode, t.calleeNode = p.opt.Node, p.opt.Node
	}
	if to.node != "" {
		t.callee, t.calleeNode = to.end, to.node
	}
	user := p.tokens.seal(t, callID(in.req), fromTag(in.req))
	if to.node != "" {
		return []sip.Header{p.recordRoute(t.caller.transport, user)}
	}
	hs := []sip.Header{p.recordRoute(t.callee.transport, user)}
	if t.caller.transport != t.callee.transport {
		hs = append(hs, p.recordRoute(t.caller.transport, user))
	}
	return hs
}

func (p *Proxy) recordRoute(transport, user string) sip.Header {
	host, port := p.opt.Advertise(transport)
	uri := "sip:" + user + "@" + hostPort(host, port)
	switch transport {
	case "udp":
	case "wss":
		uri += ";transport=ws" // RFC 7118 section 5.2 knows no other
	default:
		uri += ";transport=" + transport
	}
	return sip.NewHeader("Record-Route", "<"+uri+";lr>")
}

// beyond are the Record-Route entries of a response that were added after ours,
// in the order a request of ours has to visit them.
func (p *Proxy) beyond(res *sip.Response) []string {
	var routes []string
	for _, v := range values(res, "Record-Route") {
		for _, entry := range splitList(v) {
			var uri sip.Uri
			_, inside, _ := strings.Cut(entry, "<")
			inside, _, _ = strings.Cut(inside, ">")
			if sip.ParseUri(inside, &uri) != nil || p.isLocal(uri.Host) {
				return routes
			}
			routes = append([]string{entry}, routes...)
		}
	}
	return routes
}

// splitList splits a header value at the commas outside quotes and brackets.
func splitList(s string) []string {
	var parts []string
	quoted, bracket, start := false, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<', c == '>':
			bracket = c == '<'
		case c == ',' && !bracket:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if last := strings.TrimSpace(s[start:]); last != "" {
		parts = append(parts, last)
	}
	return parts
}
