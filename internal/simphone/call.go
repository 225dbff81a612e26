package simphone

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// callTable holds the calls of a phone, by Call-ID and From tag.
type callTable struct {
	mu    sync.Mutex
	calls map[string]*call
}

// call is one INVITE that the phone answers.
type call struct {
	invite *sip.Request
	tag    string
	last   *sip.Response // repeated when the INVITE is
	timer  *time.Timer   // the hand that lifts the handset
	over   bool
}

// handle answers one request, as a phone that is a user agent server.
func (ln *line) handle(req *sip.Request) {
	switch req.Method {
	case sip.INVITE:
		ln.invite(req)
	case sip.CANCEL:
		ln.cancel(req)
	case sip.BYE:
		ln.bye(req)
	case sip.ACK:
	case sip.OPTIONS:
		ln.respond(req, 200, "OK", "")
	case sip.NOTIFY:
		ln.notify(req)
	default:
		ln.respond(req, 405, "Method Not Allowed", "")
	}
}

func callKey(req *sip.Request) string {
	tag, _ := req.From().Params.Get("tag")
	return req.CallID().Value() + " " + tag
}

func (ln *line) invite(req *sip.Request) {
	p := ln.phone
	p.calls.mu.Lock()
	defer p.calls.mu.Unlock()
	if p.calls.calls == nil {
		p.calls.calls = map[string]*call{}
	}
	key := callKey(req)
	if c := p.calls.calls[key]; c != nil {
		if req.CSeq().SeqNo == c.invite.CSeq().SeqNo {
			ln.write(c.last)
			return
		}
		ln.respond(req, 200, "OK", ln.sdp()) // re-INVITE: the same media again
		return
	}
	c := &call{invite: req}
	p.calls.calls[key] = c
	p.step("ring", "line %d: call from %s", ln.account.line, req.From().Value())
	c.last = ln.respond(req, 180, "Ringing", "")
	c.tag, _ = c.last.To().Params.Get("tag")
	if p.opts.RingFor >= 0 {
		c.timer = time.AfterFunc(p.opts.RingFor, func() { ln.answer(c) })
	}
}

func (ln *line) answer(c *call) {
	ln.phone.calls.mu.Lock()
	defer ln.phone.calls.mu.Unlock()
	if c.over {
		return
	}
	c.last = ln.respondTagged(c.invite, c.tag, 200, "OK", ln.sdp())
	ln.phone.step("answer", "line %d: answered", ln.account.line)
}

func (ln *line) cancel(req *sip.Request) {
	ln.respond(req, 200, "OK", "")
	ln.phone.calls.mu.Lock()
	defer ln.phone.calls.mu.Unlock()
	c := ln.phone.calls.calls[callKey(req)]
	if c == nil || c.over || c.last.StatusCode >= 200 {
		return
	}
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.last = ln.respondTagged(c.invite, c.tag, 487, "Request Terminated", "")
	why := "caller hung up"
	if h := req.GetHeader("Reason"); h != nil {
		why = h.Value()
	}
	ln.phone.step("stop", "line %d: stopped ringing (%s)", ln.account.line, why)
}

func (ln *line) bye(req *sip.Request) {
	ln.phone.calls.mu.Lock()
	defer ln.phone.calls.mu.Unlock()
	c := ln.phone.calls.calls[callKey(req)]
	if c == nil {
		ln.respond(req, 481, "Call/Transaction Does Not Exist", "")
		return
	}
	c.over = true
	delete(ln.phone.calls.calls, callKey(req))
	ln.respond(req, 200, "OK", "")
	ln.phone.step("hangup", "line %d: the other side hung up", ln.account.line)
}

// notify obeys check-sync (phone-facts/request_sequence.md 1.4, 2.5, 3.4).
func (ln *line) notify(req *sip.Request) {
	event := ""
	if h := req.GetHeader("Event"); h != nil {
		event = h.Value()
	}
	if !strings.HasPrefix(event, "check-sync") {
		ln.respond(req, 489, "Bad Event", "")
		return
	}
	ln.respond(req, 200, "OK", "")
	select {
	case ln.phone.resync <- "server asked: " + event:
	default: // one is already on its way
	}
}

func (ln *line) respond(req *sip.Request, code int, reason, sdp string) *sip.Response {
	return ln.respondTagged(req, "", code, reason, sdp)
}

func (ln *line) respondTagged(req *sip.Request, tag string, code int, reason, sdp string) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, []byte(sdp))
	if tag != "" {
		res.To().Params.Add("tag", tag)
	}
	if sdp != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	res.AppendHeader(sip.NewHeader("Contact", ln.contact()))
	res.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY"))
	res.AppendHeader(sip.NewHeader("User-Agent", ln.phone.vendor.sipAgent(ln.phone.opts)))
	ln.write(res)
	return res
}

// write sends a response over the link. A link that broke is noticed by its
// reader; there is nobody here to tell.
func (ln *line) write(res *sip.Response) { _ = ln.link.send(res.String()) }

func (ln *line) sdp() string {
	host, _, err := net.SplitHostPort(ln.link.conn.LocalAddr().String())
	if err != nil {
		host = "0.0.0.0"
	}
	family := "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN %[1]s %[2]s\r\ns=call\r\nc=IN %[1]s %[2]s\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 8\r\na=inactive\r\n", family, host)
}
