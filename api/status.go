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
// it is. It looks at nothing but its arguments; events are newest first. The
// newest event that explains something wins: a wrong password from before the
// phone fetched its configuration again is no longer the reason.
func stuckAt(p roster.Phone, events []phone.Event) string {
	if p.Registered {
		return ""
	}
	if p.State == roster.StatePending && p.Provisioned {
		return "It has no line: give it an extension."
	}
	if p.State == roster.StatePending {
		return "It is not provisioned: adopt it to give it an extension."
	}
	for _, e := range events {
		if sentence := explain(p, e); sentence != "" {
			return sentence
		}
	}
	return neverConfigured(p, events)
}

// explain is what one event says about a phone that is not registered.
func explain(p roster.Phone, e phone.Event) string {
	at := when(e.At)
	switch e.Kind {
	case phone.EventAuthFailed:
		if p.HasRevision > 0 && p.HasRevision < p.Revision {
			return fmt.Sprintf("It registers with an old password (refused at %s): it last fetched revision %d of its configuration, the current one is %d; tell it to fetch it again.", at, p.HasRevision, p.Revision)
		}
		if p.Provisioned && p.HasRevision == 0 {
			return fmt.Sprintf("Its registration was refused at %s: wrong password. It has never fetched its configuration from here: something else has configured it.", at)
		}
		if p.Provisioned {
			return fmt.Sprintf("Its registration was refused at %s: wrong password. Restart it so that it fetches its configuration again.", at)
		}
		return fmt.Sprintf("Its registration was refused at %s: wrong password. Enter the current password of its extension.", at)
	case phone.EventConnect:
		return fmt.Sprintf("It tried to connect over %s at %s and could not: %s.", strings.ToUpper(e.Proto), at, strings.TrimSuffix(e.Detail, "."))
	case phone.EventFlowLost:
		return fmt.Sprintf("Its connection ended at %s and it has not come back: it is off, or the network to it is broken.", at)
	case phone.EventExpired:
		return fmt.Sprintf("Its registration ran out at %s and it did not renew it: it is off, or the network to it is broken.", at)
	case phone.EventUnregister:
		return fmt.Sprintf("It removed its registration itself at %s and has not come back.", at)
	case phone.EventNotify:
		return explainNotify(e)
	case phone.EventFile:
		return explainFile(p, e)
	}
	return ""
}

// explainNotify is what it says that a phone did not obey. That it did says nothing.
func explainNotify(e phone.Event) string {
	at := when(e.At)
	switch e.Outcome {
	case "no-answer":
		return fmt.Sprintf("It did not answer when it was %s at %s: it is off, or the network to it is broken.", e.Detail, at)
	case "unreachable":
		return fmt.Sprintf("It could not be %s at %s: the connection it had registered over was gone.", e.Detail, at)
	}
	return ""
}

func explainFile(p roster.Phone, e phone.Event) string {
	at, name := when(e.At), path.Base(e.Path)
	own := isOwnConfig(p, e.Path)
	switch {
	case e.Outcome == "denied":
		reason := "its proof of identity is not enough"
		if e.Detail != "" {
			reason = strings.TrimSuffix(e.Detail, ".")
		}
		return fmt.Sprintf("Its request for %s was refused at %s: %s.", name, at, reason)
	case e.Outcome == "error":
		return fmt.Sprintf("Sending it %s failed at %s, on the side of dialtone; see the log.", name, at)
	case e.Outcome == "aborted":
		return fmt.Sprintf("Its transfer of %s broke off at %s: the phone or the network ended it.", name, at)
	case own && e.Outcome == "not-found":
		return fmt.Sprintf("It asked for %s at %s and there is no such file for it.", name, at)
	case own && e.Outcome == "ok" && e.Revision > 0 && e.Revision < p.Revision:
		return fmt.Sprintf("It fetched revision %d of its configuration at %s; the current one is %d, which it has not fetched yet.", e.Revision, at, p.Revision)
	case own && e.Outcome == "ok":
		return fmt.Sprintf("It fetched its configuration %s at %s but has not registered since: check that it can reach the SIP server.", name, at)
	}
	return ""
}

// neverConfigured is the reason when no event explains it: how far the phone
// came before its configuration.
func neverConfigured(p roster.Phone, events []phone.Event) string {
	for _, e := range events {
		if e.Kind == phone.EventFile && e.Outcome == "not-found" {
			return fmt.Sprintf("It asked for %s at %s, which is not there, but never for its own configuration file.", path.Base(e.Path), when(e.At))
		}
		if e.Kind == phone.EventFile && e.Outcome == "ok" {
			return fmt.Sprintf("It fetched %s at %s but never its own configuration file.", path.Base(e.Path), when(e.At))
		}
	}
	if sentence := onlyDHCP(events); sentence != "" {
		return sentence
	}
	if !p.LastRegistered.IsZero() {
		return fmt.Sprintf("It last registered at %s and nothing has been heard of it since.", when(p.LastRegistered))
	}
	return "It has never contacted dialtone: check power, network and the provisioning address (DHCP option 66 or 160)."
}

// onlyDHCP is what DHCP says of a phone that never asked for a file. That some of
// its requests are not answered is nothing when others are.
func onlyDHCP(events []phone.Event) string {
	unanswered := ""
	for _, e := range events {
		switch {
		case e.Kind != phone.EventDHCP:
		case e.Outcome == "ok":
			return fmt.Sprintf("It asked DHCP at %s but never fetched a file: check that it uses option 66 or 160 and can reach the address in it.", when(e.At))
		case unanswered == "":
			unanswered = fmt.Sprintf("It asked DHCP at %s and was not given what it asked for (%s).", when(e.At), e.Outcome)
		}
	}
	return unanswered
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
