package api

import (
	"fmt"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// silent says of a registered phone that it cannot be reached, "" when nothing is
// known against it: what counts is what happened after it registered.
func silent(events []phone.Event) string {
	for _, e := range events {
		switch {
		case e.Kind == phone.EventRegister, e.Kind == phone.EventSIP && e.Outcome == phone.SIPAnswers:
			return ""
		case e.Kind == phone.EventSIP && e.Outcome == phone.SIPSilent:
			return fmt.Sprintf("It is registered, but has left OPTIONS unanswered since %s: a NAT or a firewall lets nothing through to %s, or it is off. Calls do not reach it.", when(e.At), e.Source)
		}
	}
	return ""
}

// explainPassword is what a REGISTER with a wrong password says.
func explainPassword(p roster.Phone, e phone.Event) string {
	at := when(e.At)
	switch {
	case e.Outcome == "banned":
		return fmt.Sprintf("It has registered with a wrong password so often that nothing of it is looked at any more (%s, since %s): give it the right one, then wait for the ban to end.", strings.TrimSuffix(e.Detail, "."), at)
	case strings.HasPrefix(e.Detail, phone.DetailUnknownUser):
		return fmt.Sprintf("Its registration was refused at %s: %s. Something else has configured it, or its line was changed since; let it fetch its configuration.", at, e.Detail)
	case p.HasRevision > 0 && p.HasRevision < p.Revision:
		return fmt.Sprintf("It registers with an old password (refused at %s): it last fetched revision %d of its configuration, the current one is %d; tell it to fetch it again.", at, p.HasRevision, p.Revision)
	case p.Provisioned && p.HasRevision == 0:
		return fmt.Sprintf("Its registration was refused at %s: wrong password. It has never fetched its configuration from here: something else has configured it.", at)
	case p.Provisioned:
		return fmt.Sprintf("Its registration was refused at %s: wrong password. Restart it so that it fetches its configuration again.", at)
	}
	return fmt.Sprintf("Its registration was refused at %s: wrong password. Enter the current password of its extension.", at)
}

// explainSIP is what else went wrong with its registration.
func explainSIP(e phone.Event) string {
	detail, at := strings.TrimSuffix(e.Detail, "."), when(e.At)
	switch e.Outcome {
	case phone.SIPRefused:
		return fmt.Sprintf("Its registration was refused with %d at %s: %s.", e.Status, at, detail)
	case phone.SIPStale:
		return fmt.Sprintf("It cannot register (last at %s): %s. Restart it, or update its firmware.", at, detail)
	case phone.SIPOtherUser:
		return fmt.Sprintf("At %s %s: it was given the configuration of that one.", at, detail)
	case phone.SIPSilent:
		return fmt.Sprintf("It left OPTIONS unanswered before its registration ended (since %s): it is off, or the network to it is broken.", at)
	}
	return ""
}

// A phone whose registration ended flaps times within flapsWithin comes and goes.
const (
	flaps       = 4
	flapsWithin = time.Hour
)

// explainEnd is what it says that a registration ended, how often that happened
// included; e is the first of events.
func explainEnd(events []phone.Event, e phone.Event) string {
	at, ends := when(e.At), 0
	for _, o := range events {
		if isEnd(o.Kind) && e.At.Sub(o.At) <= flapsWithin {
			ends++
		}
	}
	why := map[phone.EventKind]string{
		phone.EventFlowLost: "its connection ended", phone.EventExpired: "it ran out", phone.EventUnregister: "it removed it itself",
	}[e.Kind]
	switch {
	case ends >= flaps:
		return fmt.Sprintf("Its registration comes and goes: it ended %d times within an hour, last at %s, when %s.", ends, at, why)
	case e.Kind == phone.EventFlowLost:
		return fmt.Sprintf("Its connection ended at %s and it has not come back: it is off, or the network to it is broken.", at)
	case e.Kind == phone.EventExpired:
		return fmt.Sprintf("Its registration ran out at %s and it did not renew it: it is off, or the network to it is broken.", at)
	}
	return fmt.Sprintf("It removed its registration itself at %s and has not come back.", at)
}

func isEnd(k phone.EventKind) bool {
	return k == phone.EventFlowLost || k == phone.EventExpired || k == phone.EventUnregister
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
