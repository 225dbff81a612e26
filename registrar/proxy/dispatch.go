package proxy

import (
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// allow are the methods that are forwarded, as Allow lists them.
const allow = "REGISTER, INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE"

// lookupTimeout bounds what a request asks the directory and the store.
const lookupTimeout = 5 * time.Second

// handle is sipgo's handler of all requests; it runs in a goroutine of its own.
func (p *Proxy) handle(s *stack, req *sip.Request, tx *sip.ServerTx) {
	if !p.work.enter() {
		p.metrics.dropped.Inc()
		p.turnAway(s, req, tx)
		return
	}
	defer p.work.leave()
	if req.Method == sip.ACK || req.Method == methodCancel {
		defer tx.Terminate() // has no final response that would end it
	}
	var in *inbound
	defer func() {
		if v := recover(); v != nil {
			p.panicked(v)
			if in != nil && req.Method != sip.ACK {
				in.reply(sip.StatusInternalServerError)
			}
		}
	}()
	in, err := p.newInbound(s, req, tx)
	if err != nil {
		p.log.Warn("request without a usable source", "error", err, "proto", s.transport)
		tx.Terminate()
		return
	}
	if err := validate(req); err != nil {
		p.answer(in, err)
		return
	}
	p.dispatch(in)
}

// turnAway ends a request that there is no room for. Over UDP the client repeats it,
// and silence is cheapest; over a connection it would wait for half a minute.
func (p *Proxy) turnAway(s *stack, req *sip.Request, tx *sip.ServerTx) {
	if !s.reliable() || req.Method == sip.ACK || validate(req) != nil {
		tx.Terminate()
		return
	}
	in, err := p.newInbound(s, req, tx)
	if err != nil {
		tx.Terminate()
		return
	}
	in.replyOnce(sip.StatusServiceUnavailable, sip.NewHeader("Retry-After", retryAfter))
}

func (p *Proxy) dispatch(in *inbound) {
	switch in.req.Method {
	case sip.INVITE:
		p.invite(in)
	case sip.ACK:
		p.ack(in, in.req)
	case methodCancel:
		p.cancel(in)
	case sip.OPTIONS:
		p.options(in)
	case sip.BYE, sip.UPDATE, sip.PRACK, sip.INFO, sip.REFER, sip.NOTIFY, sip.SUBSCRIBE, sip.MESSAGE:
		p.request(in)
	default:
		p.answer(in, refuse(sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow)))
	}
}

// options answers a keepalive to the server itself; to an extension OPTIONS is
// a request as any other.
func (p *Proxy) options(in *inbound) {
	to := in.req.Recipient
	if to.User != "" || !p.isLocal(to.Host) || toTag(in.req) != "" {
		p.request(in)
		return
	}
	if tags := unsupported(in.req); tags != "" { // here we are the end of its way (RFC 3261 section 8.2.2.3)
		p.answer(in, refuse(sip.StatusBadExtension, sip.NewHeader("Unsupported", tags)))
		return
	}
	in.reply(sip.StatusOK, sip.NewHeader("Allow", allow), sip.NewHeader("Accept", "application/sdp"),
		sip.NewHeader("Supported", "path, outbound"))
	p.metrics.request(in.req.Method, sip.StatusOK)
}

// unsupported are the extensions that a request to the server requires and that it
// does not have.
func unsupported(req *sip.Request) string {
	var unknown []string
	for _, v := range values(req, "Require") {
		for _, tag := range splitList(v) {
			if !is(tag, "path", "outbound") {
				unknown = append(unknown, tag)
			}
		}
	}
	return strings.Join(unknown, ", ")
}

// request forwards what is neither INVITE nor ACK nor CANCEL.
func (p *Proxy) request(in *inbound) {
	p.acks.wait(in.req)
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
	if in.linked() {
		in.reply(sip.StatusTrying) // the node that waits knows that we are there
	}
	newRelay(p, in, plan, nil).run()
}

// isLocal reports whether a host of a URI means this server.
func (p *Proxy) isLocal(host string) bool {
	if p.opt.IsLocal(host) {
		return true
	}
	for _, t := range transports {
		if h, _ := p.opt.Advertise(t); h != "" && sameHost(h, host) {
			return true
		}
	}
	return false
}

// spawn runs fn beside; the caller runs itself.
func (p *Proxy) spawn(fn func()) {
	p.work.add()
	go func() {
		defer p.work.leave()
		defer func() {
			if v := recover(); v != nil {
				p.panicked(v)
			}
		}()
		fn()
	}()
}

func (p *Proxy) panicked(v any) {
	p.metrics.panics.Inc()
	p.log.Error("panic while handling a request", "panic", v, "stack", string(debug.Stack()))
}

// listener is the UDP socket that a request to f has to leave through: the one
// the phone sent to, else one that can reach it.
func (p *Proxy) listener(f flow) net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	var usable net.Addr
	for _, c := range p.packets {
		a, err := addrPort(c.LocalAddr().String())
		switch {
		case err != nil || c.transport != f.transport:
		case a == f.local:
			return c.LocalAddr()
		case usable == nil && (a.Addr().Is4() == f.remote.Addr().Is4() || a.Addr().IsUnspecified()):
			usable = c.LocalAddr()
		}
	}
	return usable
}

// logFor is the log of one request.
func (p *Proxy) logFor(in *inbound) *slog.Logger {
	return p.log.With("call_id", callID(in.req), "client", in.from.remote.String(), "proto", in.from.transport)
}
