package api

import (
	"fmt"
	"path"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// stuckAt says in one plain sentence why a phone is not registered, or "" when
// it is and can be reached. It looks at nothing but its arguments; events are newest
// first. The newest event that explains something wins: a wrong password from before
// the phone fetched its configuration again is no longer the reason.
func stuckAt(p roster.Phone, events []phone.Event) string {
	if p.Registered {
		return silent(events)
	}
	if p.State == roster.StatePending && p.Provisioned {
		return "It has no line: give it an extension."
	}
	if p.State == roster.StatePending {
		return "It is not provisioned: adopt it to give it an extension."
	}
	for i, e := range events {
		if sentence := explain(p, events[i:], e); sentence != "" {
			return sentence
		}
	}
	return neverConfigured(p, events)
}

// explain is what one event, the first of events, says about a phone that is not
// registered.
func explain(p roster.Phone, events []phone.Event, e phone.Event) string {
	at := when(e.At)
	switch e.Kind {
	case phone.EventAuthFailed:
		return explainPassword(p, e)
	case phone.EventSIP:
		return explainSIP(e)
	case phone.EventConnect:
		return fmt.Sprintf("It tried to connect over %s at %s and could not: %s.", strings.ToUpper(e.Proto), at, strings.TrimSuffix(e.Detail, "."))
	case phone.EventFlowLost, phone.EventExpired, phone.EventUnregister:
		return explainEnd(events, e)
	case phone.EventNotify:
		return explainNotify(e)
	case phone.EventFirmware:
		return fmt.Sprintf("It is in a loop of its firmware: at %s it had %s.", at, strings.TrimSuffix(e.Detail, "."))
	case phone.EventFile:
		return explainFile(p, events, e)
	}
	return ""
}

// notConfig are the endings of files that carry the MAC address in their name
// but not the account: boot files, overrides and logs of the phone itself
// (phone-facts/request_sequence.md 1.2 and 2.3).
var notConfig = []string{
	".boot", ".log", "-phone.cfg", "-web.cfg", "-license.cfg", "-local.cfg", "-directory.xml",
	"-calls.xml", "-contact.xml", "-calllog.xml",
}

// isOwnConfig reports whether a path names a file with the account of this very
// phone. A Polycom's <mac>.cfg is only the master that names such files
// (phone-facts/request_sequence.md 1.2).
func isOwnConfig(p roster.Phone, file string) bool {
	if p.MAC.IsZero() {
		return false
	}
	name, hex := strings.ToLower(path.Base(file)), p.MAC.Hex()
	if p.Manufacturer == phone.Polycom.DisplayName() && name == hex+".cfg" {
		return false
	}
	for _, end := range notConfig {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	return strings.Contains(name, hex)
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
