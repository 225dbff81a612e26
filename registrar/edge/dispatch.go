package edge

import (
	"strings"
	"time"
)

// dispatch decides what becomes of a message that was received. True means that
// Handler.Register has to answer it; otherwise it is dealt with.
func (s *Server) dispatch(r *Request) bool {
	m := &r.Msg
	if !m.IsRequest() {
		s.response(r)
		return false
	}
	if fault := m.Check(); fault.Code != 0 {
		s.refuse(r, fault.Code, fault.Reason)
		return false
	}
	method := m.Method()
	switch {
	case method == "REGISTER":
		return !s.opts.Handler.Quick(r)
	case method != strings.ToUpper(method):
		// Methods have a case (RFC 3261 section 7.1), which what is behind us loses.
		s.refuse(r, 501, "Not Implemented")
	case !knownScheme(m.URI()): // what is behind us does not always find words for it
		s.refuse(r, 416, "Unsupported URI Scheme")
	case s.opts.Rest != nil:
		r.forward()
	case method != "ACK":
		s.opts.Handler.Other(r)
	}
	return false
}

// knownScheme reports whether a Request-URI has a scheme that Rest may route.
func knownScheme(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	for _, known := range [...]string{"sip", "sips", "tel"} {
		if strings.EqualFold(scheme, known) {
			return true
		}
	}
	return false
}

// response passes a response on. A malformed one has nobody to tell.
func (s *Server) response(r *Request) {
	if s.opts.Rest == nil || r.Msg.Check().Code != 0 {
		s.metrics.dropped[dropResponse].Inc()
		return
	}
	r.forward()
}

// refuse answers a malformed request, when it says whom to answer; an ACK is
// never answered.
func (s *Server) refuse(r *Request, code int, reason string) {
	s.metrics.malformed.Inc()
	s.noise("malformed sip request", "reason", reason, "client", r.flow.Remote, "transport", r.flow.Transport)
	if _, ok := r.Msg.TopVia(); ok && r.Msg.Method() != "ACK" {
		r.Reply(code, reason)
	}
}

// busy tells a phone to come back when the queue is full. The time is spread, so
// that they do not all come back together.
func (s *Server) busy(r *Request) {
	s.metrics.dropped[dropBusy].Inc()
	out := r.Begin(503, "Service Unavailable")
	out = append(out, "Retry-After: "...)
	out = append(out, byte('1'+time.Now().UnixNano()%9), '0', '\r', '\n')
	r.Send(out)
}

// forward gives the message to Rest.
func (r *Request) forward() {
	r.Msg.Tidy()
	if r.conn != nil {
		r.conn.forward(r.Msg.Bytes())
		return
	}
	data := r.Msg.Bytes()
	if len(data) > MaxPacket {
		if r.Msg.IsRequest() {
			r.server.refuse(r, 513, "Message Too Large")
		} else {
			r.server.metrics.dropped[dropResponse].Inc()
		}
		return
	}
	r.packet.forward(data, r.flow.Remote)
}

// noise logs what anybody on the network can cause, a few lines a second at most.
func (s *Server) noise(msg string, args ...any) {
	if s.metrics.noise.AllowN(time.Now(), 1) {
		s.log.Warn(msg, args...)
	}
}
