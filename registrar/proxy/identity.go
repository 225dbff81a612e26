package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/digest"
)

// identityHeaders say who calls or who sent the call on; from a phone they are
// hearsay and taken off (RFC 3325 section 5).
var identityHeaders = []string{"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion"}

// identify returns who sends a request outside a dialog: 407 until the digest is
// right, 403 when From claims somebody else.
func (p *Proxy) identify(ctx context.Context, in *inbound) (phone.Credential, error) {
	req := in.req
	res := p.opt.Auth.Verify(ctx, digest.Request{
		Method: string(req.Method), URI: req.Recipient.String(),
		Authorization: values(req, "Proxy-Authorization"),
		RetryKey:      callID(req) + " " + strconv.Itoa(int(req.CSeq().SeqNo)),
	})
	if res.Outcome != digest.Missing && p.opt.Admit != nil && !p.opt.Admit(in.from.transport, in.from.remote, string(req.Method), res) {
		res = digest.Result{Outcome: digest.Denied} // whatever it was: the answer does not tell
	}
	switch res.Outcome {
	case digest.OK:
		return res.Credential, p.checkFrom(ctx, in, res.Credential)
	case digest.Malformed:
		return phone.Credential{}, refuse(sip.StatusBadRequest)
	case digest.Unavailable:
		return phone.Credential{}, refuse(sip.StatusServiceUnavailable, sip.NewHeader("Retry-After", retryAfter))
	}
	var hs []sip.Header
	agent := digest.Agent(in.from.transport, strings.Join(values(req, "User-Agent"), " "))
	for _, c := range p.opt.Auth.Challenges(res.Outcome == digest.Stale, agent) {
		hs = append(hs, sip.NewHeader("Proxy-Authenticate", c))
	}
	return phone.Credential{}, refuse(sip.StatusProxyAuthRequired, hs...)
}

// checkFrom allows the names an extension goes by: its number, its SIP user name
// and the user it proved to be.
func (p *Proxy) checkFrom(ctx context.Context, in *inbound, cred phone.Credential) error {
	from := in.req.From().Address
	if anonymous(&from) {
		return nil
	}
	if !p.isLocal(from.Host) {
		return refuse(sip.StatusForbidden)
	}
	user := unescape(from.User)
	if user == cred.Extension || user == cred.User {
		return nil
	}
	ext, err := p.opt.Directory.Extension(ctx, cred.Extension)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		return refuse(sip.StatusForbidden)
	case err != nil:
		return fmt.Errorf("look up extension %s: %w", cred.Extension, err)
	case ext.SIPUsername == "" || user != ext.SIPUsername:
		return refuse(sip.StatusForbidden)
	}
	return nil
}

// anonymous reports whether a From is that of a caller who does not want to be known
// (RFC 3323 section 4.1.1.3). It names nobody, so nobody else's name is used.
func anonymous(from *sip.Uri) bool {
	return is(from.User, "anonymous") && is(from.Host, "anonymous.invalid")
}

// asserted is the P-Asserted-Identity of a caller, "" when it asked for privacy
// (RFC 3325 section 9.3) or calls without a name.
func (p *Proxy) asserted(in *inbound, cred phone.Credential) string {
	if anonymous(&in.req.From().Address) {
		return ""
	}
	for _, v := range values(in.req, "Privacy") {
		for _, priv := range strings.Split(v, ";") {
			if is(strings.TrimSpace(priv), "id") {
				return ""
			}
		}
	}
	uri := "<sip:" + url.PathEscape(cred.Extension) + "@" + p.opt.Domain + ">"
	if name := quotable(cred.Name); name != "" {
		return `"` + name + `" ` + uri
	}
	return uri
}

// quotable is a display name for a quoted string (RFC 3261 section 25.1).
func quotable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, name)
}

// ownCredential reports whether a Proxy-Authorization is for our realm: it is
// for us alone and does not go on to the phones.
func (p *Proxy) ownCredential(value string) bool {
	for _, part := range splitList(value) {
		name, v, ok := strings.Cut(part, "=")
		fields := strings.Fields(name)
		if !ok || len(fields) == 0 || !is(fields[len(fields)-1], "realm") {
			continue
		}
		return strings.Trim(strings.TrimSpace(v), `"`) == p.opt.Realm
	}
	return false
}

// unescape undoes %XX of a URI user; what is not valid stays.
func unescape(user string) string {
	if s, err := url.PathUnescape(user); err == nil {
		return s
	}
	return user
}
