package proxy

import (
	"errors"
	"strconv"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// retryAfter is the number of seconds after which a 503 may be tried again.
const retryAfter = "5"

// refusal is an answer that is not 2xx, as an error.
type refusal struct {
	code    int
	headers []sip.Header
}

// Error implements error.
func (r *refusal) Error() string { return strconv.Itoa(r.code) + " " + reasonPhrase(r.code) }

func refuse(code int, headers ...sip.Header) error { return &refusal{code: code, headers: headers} }

// answer turns an error into the response of this edge; nil is no response.
func (p *Proxy) answer(in *inbound, err error) {
	var r *refusal
	code, headers := sip.StatusInternalServerError, []sip.Header(nil)
	switch {
	case errors.As(err, &r):
		code, headers = r.code, r.headers
	case errors.Is(err, phone.ErrNotFound):
		code = sip.StatusNotFound
	case errors.Is(err, phone.ErrInvalid):
		code = sip.StatusBadRequest
	case errors.Is(err, location.ErrUnavailable):
		code, headers = sip.StatusServiceUnavailable, []sip.Header{sip.NewHeader("Retry-After", retryAfter)}
	default:
		p.log.Error("request failed", "error", err, "method", string(in.req.Method), "call_id", callID(in.req))
	}
	if in.req.Method == sip.ACK {
		return // is never answered
	}
	p.metrics.request(in.req.Method, code)
	if in.known {
		in.reply(code, headers...)
	} else {
		in.replyOnce(code, headers...)
	}
}

// validate checks what sipgo's parser lets through (RFC 3261 section 16.3 step 1).
func validate(req *sip.Request) error {
	if req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
		return refuse(sip.StatusBadRequest)
	}
	if req.SipVersion != "SIP/2.0" {
		return refuse(sip.StatusVersionNotSupported)
	}
	method := req.Method
	if method == methodCancel {
		method = sip.CANCEL
	}
	if req.CSeq().MethodName != method {
		return refuse(sip.StatusBadRequest)
	}
	for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"} {
		if len(req.GetHeaders(name)) > 1 {
			return refuse(sip.StatusBadRequest)
		}
	}
	for _, h := range req.Headers() {
		if len(h.Name()) > len(badHeader) && is(h.Name()[:len(badHeader)], badHeader) {
			return refuse(sip.StatusBadRequest)
		}
	}
	return nil
}
