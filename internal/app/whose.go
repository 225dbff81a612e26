package app

import (
	"context"
	"net"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// recordSIP takes an event of the registrar, or of a TLS handshake. What failed before
// anything was proved carries no name: it is put down to the phone whose MAC address
// the User-Agent has, else to the phone at its address, if there is only one.
func (a *App) recordSIP(e phone.Event) {
	mac := useragent.Parse(e.UserAgent, useragent.SIP).MAC
	owner, known := a.roster.WithMAC(mac)
	switch {
	case e.Kind == phone.EventRegister && e.DeviceID != "" && known && owner != e.DeviceID:
		a.record(otherUser(e, owner, mac))
	case e.DeviceID != "":
	case e.Kind != phone.EventConnect && e.Kind != phone.EventSIP && e.Kind != phone.EventAuthFailed:
	case known:
		e.DeviceID = owner
	case a.guesses.Allow():
		if host, _, err := net.SplitHostPort(e.Source); err == nil {
			e.DeviceID, _ = a.roster.OnlyAt(host)
		}
	}
	a.record(e)
}

// otherUser is what it says of a phone that it has registered with another's user.
func otherUser(e phone.Event, owner string, mac phone.MAC) phone.Event {
	e.Kind, e.Outcome, e.DeviceID, e.MAC = phone.EventSIP, phone.SIPOtherUser, owner, mac
	e.Detail = "it has " + e.Detail + " with the SIP user of another phone"
	return e
}

// answers puts it on the timeline that a phone leaves OPTIONS unanswered, or answers
// them again.
func (a *App) answers(b location.Binding, does bool) {
	e := phone.Event{
		At: time.Now(), Kind: phone.EventSIP, Outcome: phone.SIPSilent, Proto: b.Transport, Path: b.Contact, Source: b.Received,
		UserAgent: b.UserAgent, Detail: "it leaves OPTIONS unanswered",
	}
	if does {
		e.Outcome, e.Detail = phone.SIPAnswers, "it answers OPTIONS again"
	}
	if cred, err := a.inventory.Credential(context.Background(), b.AuthUser); err == nil {
		e.DeviceID = cred.DeviceID
	}
	if e.DeviceID == "" {
		e.DeviceID, _ = a.roster.PhoneOf(b)
	}
	a.record(e)
}
