package registrar

import (
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/wire"
)

// tellRefused puts it on the timeline that a REGISTER was refused, and why, as long as
// there are not too many: anybody on the network can cause them. Before the password
// was right it is not known whose it was.
func (s *Server) tellRefused(r *edge.Request, status int, reason string) {
	if !s.amiss.Allow() {
		return
	}
	var cred phone.Credential
	if c, ok := r.State.(*change); ok {
		cred = c.cred
	}
	flow := r.Flow()
	s.opts.Recorder(phone.Event{
		At: s.opts.Now(), Kind: phone.EventSIP, DeviceID: cred.DeviceID, Proto: flow.Transport, Outcome: phone.SIPRefused,
		Status: status, UserAgent: userAgent(&r.Msg), Source: flow.Remote.String(), Detail: whyRefused(&r.Msg, cred, status, reason),
	})
}

// whyRefused says it in words for who mends it.
func whyRefused(m *wire.Message, cred phone.Credential, status int, reason string) string {
	to, _ := wire.ParseNameAddr(m.Get(wire.To))
	aor, _ := wire.ParseURI(to.URI)
	target, _ := wire.ParseURI(m.URI())
	switch {
	case status == 404 && cred.User == "":
		return "it registers at the domain " + quoted(target.Host) + ", which is not served here; see sip.domain and sip.aliases"
	case status == 404:
		return "it registers an address of the domain " + quoted(aor.Host) + ", which is not served here; see sip.domain and sip.aliases"
	case status == 403 && reason == reasonTooMany:
		return "extension " + cred.Extension + " has as many contacts as it may have; see sip.max_contacts"
	case status == 403:
		return "it registers " + quoted(wire.Unescape(aor.User)) + " with the user of extension " + cred.Extension
	case status == tooBrief:
		return "it registers for less than sip.min_expires and does not take more"
	}
	return "its REGISTER cannot be taken: " + strconv.Itoa(status) + " " + reason
}

// quoted is a text of the phone as a sentence can hold it.
func quoted(s string) string {
	const most = 64
	return strconv.Quote(strings.ToValidUTF8(s[:min(len(s), most)], ""))
}

// staleAgain tells of a phone whose nonces are no longer good again and again: once,
// and again after a while.
func (s *Server) staleAgain(a Attempt, now time.Time) {
	key := s.bans.stale.Key(a.Remote.Addr(), a.Result.User)
	if !s.bans.stale.Take(key, 1, now) || s.bans.stale.Has(key, 1, now) {
		return
	}
	s.opts.Recorder(phone.Event{
		At: now, Kind: phone.EventSIP, DeviceID: a.Result.DeviceID, Proto: a.Transport, Outcome: phone.SIPStale, Status: 401,
		Source: a.Remote.String(), Detail: "the password is right, but it signs with an old nonce again and again and does not take the new one",
	})
}
