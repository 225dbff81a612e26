package proxy

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// inbound is a request that has come in, and the way back to who sent it. The
// request itself is never changed: the transaction layer reads it too.
type inbound struct {
	stack *stack
	req   *sip.Request
	tx    *sip.ServerTx
	from  flow
	vias  []sip.Header // of a response: received and rport filled in
	dest  string       // of a response
	at    time.Time
	// known: the sender has proved who it is, or belongs to the dialog.
	known bool
}

func (p *Proxy) newInbound(s *stack, req *sip.Request, tx *sip.ServerTx) (*inbound, error) {
	in := &inbound{stack: s, req: req, tx: tx, at: p.opt.Now()}
	remote, err := addrPort(req.Source())
	if err != nil {
		return nil, err
	}
	in.from = flow{transport: s.transport, remote: remote}
	if !s.reliable() {
		if in.from.local, err = addrPort(tx.Connection().LocalAddr().String()); err != nil {
			return nil, err
		}
	}
	probe := sip.NewResponseFromRequest(req, sip.StatusTrying, "Trying", nil)
	in.dest = probe.Destination()
	if p.opt.ForceRport {
		in.dest = remote.String() // over a connection it is that anyway
	}
	for i, h := range probe.GetHeaders("Via") {
		if via, ok := h.(*sip.ViaHeader); ok && i == 0 && !sameHost(via.Host, remote.Addr().String()) {
			via.Params.Add("received", remote.Addr().String()) // RFC 3261 section 18.2.1
		}
		in.vias = append(in.vias, h)
	}
	return in, nil
}

// reply answers the request with a response of our own.
func (in *inbound) reply(code int, headers ...sip.Header) {
	// What cannot be sent is repeated by the client, or its connection is gone.
	_ = in.tx.Respond(in.response(code, headers))
}

// replyOnce answers without a transaction: the response is not repeated until it
// is acknowledged. An INVITE with a forged source would have us send it ten times
// to somebody else (RFC 3261 section 26.3.2.4).
func (in *inbound) replyOnce(code int, headers ...sip.Header) {
	conn, res := in.tx.Connection(), in.response(code, headers)
	in.tx.Terminate()      // first: a quick client may use the branch again
	_ = conn.WriteMsg(res) // as in reply
}

func (in *inbound) response(code int, headers []sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(in.req, code, reasonPhrase(code), nil)
	for i, h := range res.GetHeaders("Via") {
		if via, ok := h.(*sip.ViaHeader); ok && i == 0 {
			via.Params = in.vias[0].(*sip.ViaHeader).Params.Clone()
		}
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	res.SetDestination(in.dest)
	return res
}

// forward sends a phone's response to who sent the request (RFC 3261 section
// 16.7 step 9), over our own Via list rather than what the phone made of it.
func (in *inbound) forward(res *sip.Response, extra ...sip.Header) {
	up := sip.NewResponse(res.StatusCode, res.Reason)
	for _, via := range in.vias {
		up.AppendHeader(sip.HeaderClone(via))
	}
	for _, h := range res.Headers() {
		if name := h.Name(); !is(name, "Via", "v") && !is(name, identityHeaders...) {
			up.AppendHeader(verbatim(h))
		}
	}
	for _, h := range extra {
		up.AppendHeader(sip.HeaderClone(h))
	}
	up.SetBody(res.Body())
	up.SetTransport(in.req.Transport())
	up.SetDestination(in.dest)
	_ = in.tx.Respond(up) // as in reply
}

// verbatim is a header to send on; one that could not be parsed gets its own
// name back.
func verbatim(h sip.Header) sip.Header {
	if name, bad := strings.CutPrefix(h.Name(), badHeader); bad {
		return sip.NewHeader(name, h.Value())
	}
	return sip.HeaderClone(h)
}

// is compares header names, which have no case.
func is(name string, names ...string) bool {
	for _, n := range names {
		if strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// values returns the values of a header under its names.
func values(m sip.Message, names ...string) []string {
	var vs []string
	for _, n := range names {
		for _, h := range m.GetHeaders(n) {
			vs = append(vs, h.Value())
		}
	}
	return vs
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.Trim(a, "[]"), strings.Trim(b, "[]"))
}

// hostPort writes a host and port for a URI.
func hostPort(host string, port int) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
}

func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}

func fromTag(req *sip.Request) string { return tagOf(req.From().Params) }
func toTag(req *sip.Request) string   { return tagOf(req.To().Params) }

func callID(req *sip.Request) string { return req.CallID().Value() }

// reasonPhrase is the reason phrase of RFC 3261 section 21.
func reasonPhrase(code int) string {
	if r, ok := reasons[code]; ok {
		return r
	}
	return "Error"
}

var reasons = map[int]string{
	100: "Trying", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 430: "Flow Failed", 440: "Max-Breadth Exceeded",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
	483: "Too Many Hops", 487: "Request Terminated", 489: "Bad Event",
	500: "Server Internal Error", 503: "Service Unavailable", 505: "Version Not Supported",
}
