package registrar

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/wire"
)

// handler is the Server as the edge sees it.
type handler struct{ *Server }

var (
	_ edge.Handler = handler{}
	_ edge.Grouper = handler{}
)

// Quick implements edge.Handler: what is decided before anything is looked up,
// above all the first challenge.
func (s handler) Quick(r *edge.Request) bool {
	m := &r.Msg
	uri, ok := wire.ParseURI(m.URI())
	switch {
	case !ok:
		s.refuse(r, wire.Fault{Code: 416, Reason: "Unsupported URI Scheme"})
	case !s.hosts.local(uri.Host): // RFC 3261 section 10.3 step 1
		s.refuse(r, wire.Fault{Code: 404, Reason: "Domain Not Served Here"})
	case m.Has(wire.Require) && s.unsupported(r): // step 2
	case !m.Has(wire.Authorization): // step 3
		s.challenge(r, challenged)
	default:
		return false
	}
	return true
}

// Other implements edge.Handler.
func (s handler) Other(r *edge.Request) {
	out, options := []byte(nil), r.Msg.Method() == "OPTIONS"
	if options {
		out = r.Begin(200, "OK")
	} else {
		out = r.Begin(405, "Method Not Allowed")
	}
	out = wire.AppendHeader(out, "Allow", "REGISTER, OPTIONS")
	if options {
		out = wire.AppendHeader(out, "Accept", "application/sdp")
		out = wire.AppendHeader(out, "Supported", supported)
	}
	r.Send(out)
}

// supported are the option tags that a REGISTER may require.
const supported = "path, outbound"

// unsupported answers a request that requires what we do not have.
func (s handler) unsupported(r *edge.Request) bool {
	var unknown []byte
	for tag := range r.Msg.List(wire.Require) {
		if !strings.EqualFold(tag, "path") && !strings.EqualFold(tag, "outbound") {
			if len(unknown) > 0 {
				unknown = append(unknown, ", "...)
			}
			unknown = append(unknown, tag...)
		}
	}
	if len(unknown) == 0 {
		return false
	}
	s.note(r, refused, 420, "Bad Extension")
	r.Send(wire.AppendHeader(r.Begin(420, "Bad Extension"), "Unsupported", string(unknown)))
	return true
}

// challenge asks for credentials.
func (s *Server) challenge(r *edge.Request, why outcome) {
	s.metrics.count(why, r.Flow().Transport)
	out := r.Begin(401, "Unauthorized")
	agent := digest.Agent(r.Flow().Transport, r.Msg.Get(wire.UserAgent))
	r.Send(s.digest.AppendChallenges(out, "WWW-Authenticate", why == stale, agent))
}

// refuse answers with an error that the phone has made.
func (s *Server) refuse(r *edge.Request, f wire.Fault) {
	s.note(r, refused, f.Code, f.Reason)
	r.Reply(f.Code, f.Reason)
}

// unavailable answers while something behind us does not.
func (s *Server) unavailable(r *edge.Request, err error) {
	s.note(r, unavailable, 503, err.Error())
	out := r.Begin(503, "Service Unavailable")
	// Spread, so that the phones do not come back together (10 to 39 s).
	wait := 10 + int(s.opts.Now().UnixNano()/1000%30)
	r.Send(wire.AppendHeader(out, "Retry-After", strconv.Itoa(wait)))
}

// note counts a refused request and writes its line of log, as long as there are
// not too many.
func (s *Server) note(r *edge.Request, why outcome, status int, reason string) {
	flow := r.Flow()
	s.metrics.count(why, flow.Transport)
	if why == refused {
		s.tellRefused(r, status, reason)
	}
	if !s.logs.Allow() {
		return
	}
	s.log.Info("registration refused", "status", status, "reason", reason, "client", flow.Remote,
		"transport", flow.Transport, "to", r.Msg.Get(wire.To), "call_id", r.Msg.Get(wire.CallID))
}

// authenticate checks the password of r and answers when it is not right
// (RFC 3261 section 10.3 step 3).
func (s *Server) authenticate(ctx context.Context, r *edge.Request) (phone.Credential, bool) {
	var lines [4]string
	return s.admitted(r, s.digest.Verify(ctx, proof(r, lines[:0])))
}

// proof is what the check of a password needs. lines is room for it.
func proof(r *edge.Request, lines []string) digest.Request {
	m := &r.Msg
	return digest.Request{
		Method: m.Method(), URI: m.URI(), RetryKey: m.Get(wire.CallID) + " " + m.Get(wire.CSeq),
		Authorization: collect(lines, m),
	}
}

// admitted goes by the result of the check.
func (s *Server) admitted(r *edge.Request, res digest.Result) (phone.Credential, bool) {
	m := &r.Msg
	attempt := Attempt{Method: m.Method(), Transport: r.Flow().Transport, Remote: r.Flow().Remote, Result: res}
	if res.Outcome == digest.Denied {
		attempt.UserAgent, attempt.Result.User = userAgent(m), strings.Clone(res.User)
	}
	if !s.Admit(attempt) {
		// The right password is not admitted either: that would tell it apart.
		s.metrics.count(banned, r.Flow().Transport)
		return phone.Credential{}, false
	}
	switch res.Outcome {
	case digest.OK:
		return res.Credential, true
	case digest.Stale:
		s.challenge(r, stale)
	case digest.Denied:
		s.challenge(r, denied)
	case digest.Malformed:
		s.refuse(r, wire.Fault{Code: 400, Reason: "Bad Authorization Header"})
	case digest.Unavailable:
		s.unavailable(r, errDirectory)
	default:
		s.challenge(r, challenged)
	}
	return phone.Credential{}, false
}

func collect(dst []string, m *wire.Message) []string {
	for line := range m.Lines(wire.Authorization) {
		dst = append(dst, line)
	}
	return dst
}

// dateHeader makes the Date header line, once a second.
type dateHeader struct{ cached atomic.Pointer[dateLine] }

type dateLine struct {
	second int64
	text   string
}

// appendTo appends the line (RFC 3261 section 20.17).
func (d *dateHeader) appendTo(dst []byte, now time.Time) []byte {
	line := d.cached.Load()
	if line == nil || line.second != now.Unix() {
		line = &dateLine{now.Unix(), now.UTC().Format("Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")}
		d.cached.Store(line)
	}
	return append(dst, line.text...)
}
