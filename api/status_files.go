package api

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// explainFile is what the fetch of a file says; e is the first of events.
func explainFile(p roster.Phone, events []phone.Event, e phone.Event) string {
	at, name := when(e.At), path.Base(e.Path)
	detail, own := strings.TrimSuffix(e.Detail, "."), isOwnConfig(p, e.Path)
	switch {
	case e.Outcome == "denied":
		if detail == "" {
			detail = "its proof of identity is not enough"
		}
		return fmt.Sprintf("Its request for %s was refused at %s: %s.", name, at, detail)
	case e.Outcome == "error":
		return fmt.Sprintf("Sending it %s failed at %s, on the side of dialtone (%s); see the log.", name, at, cmp.Or(detail, "an error"))
	case e.Outcome == "aborted":
		return fmt.Sprintf("Its transfer of %s over %s broke off at %s: the phone or the network ended it (%s).", name, strings.ToUpper(e.Proto), at, cmp.Or(detail, "no reason was given"))
	case own && e.Outcome == "not-found":
		return fmt.Sprintf("It asked for %s at %s and there is no such file for it: %s.", name, at, cmp.Or(detail, "no file of that name is made"))
	case own && e.Outcome == "ok":
		return explainConfig(p, events, e)
	}
	return ""
}

// otherPhone is the drift that says that the phone is another one; "" for none.
func otherPhone(p roster.Phone) string {
	for _, d := range p.Drift {
		if kind, _, _ := strings.Cut(d, ":"); kind == "mac" || kind == "vendor" || kind == "model" || kind == "type" {
			return d
		}
	}
	return ""
}

// A phone that fetched its configuration restarts times within restartsWithin, and did
// not register, starts over and over.
const (
	restarts       = 5
	restartsWithin = time.Hour
)

// explainConfig is what it says that a phone got its configuration and has not
// registered since.
func explainConfig(p roster.Phone, events []phone.Event, e phone.Event) string {
	at, name := when(e.At), path.Base(e.Path)
	switch n := fetches(events, e); {
	case e.Detail == phone.DetailStaleTemplate:
		return fmt.Sprintf("It asked for its configuration %s at %s and got the one it had before, since its template fails: mend the template.", name, at)
	case e.Detail == phone.DetailStaleStore:
		return fmt.Sprintf("It asked for its configuration %s at %s and got the one it had before, since the database did not answer.", name, at)
	case e.Revision > 0 && e.Revision < p.Revision:
		return fmt.Sprintf("It fetched revision %d of its configuration at %s; the current one is %d, which it has not fetched yet.", e.Revision, at, p.Revision)
	case n >= restarts:
		return fmt.Sprintf("It starts over and over: it fetched its configuration %s %d times within an hour, last at %s, and did not register.", name, n, at)
	}
	if other := otherPhone(p); other != "" {
		return fmt.Sprintf("It fetched its configuration %s at %s but has not registered since, and it is not the phone that is provisioned (%s).", name, at, other)
	}
	return fmt.Sprintf("It fetched its configuration %s at %s but has not registered since: check that it can reach the SIP server.", name, at)
}

// fetches is how often a phone fetched its configuration before e, since it was
// registered last.
func fetches(events []phone.Event, e phone.Event) (n int64) {
	for _, o := range events {
		switch {
		case o.Kind == phone.EventRegister || isEnd(o.Kind) || e.At.Sub(o.At) > restartsWithin:
			return n
		case o.Kind == phone.EventFile && o.Outcome == "ok" && o.Path == e.Path:
			n += max(1, o.Count)
		}
	}
	return n
}

// neverConfigured is the reason when no event explains it: how far the phone
// came before its configuration.
func neverConfigured(p roster.Phone, events []phone.Event) string {
	for _, e := range events {
		name, at := path.Base(e.Path), when(e.At)
		switch {
		case e.Kind == phone.EventFile && e.Outcome == "not-found" && e.MAC == p.MAC && strings.Contains(e.Detail, "provisioned as"):
			return fmt.Sprintf("It asked for %s at %s: %s.", name, at, strings.TrimSuffix(e.Detail, "."))
		case e.Kind == phone.EventFile && e.Outcome == "not-found":
			return fmt.Sprintf("It asked for %s at %s, which is not there, but never for its own configuration file.", name, at)
		case e.Kind == phone.EventFile && e.Outcome == "ok":
			return fmt.Sprintf("It fetched %s at %s but never its own configuration file.", name, at)
		case e.Kind == phone.EventUpload && e.Outcome == "ok":
			return fmt.Sprintf("It stored %s here at %s but never fetched its own configuration file.", name, at)
		case e.Kind == phone.EventUpload:
			return fmt.Sprintf("It wanted to store %s at %s, which was not taken (%s), but never fetched its own configuration file.", name, at, cmp.Or(strings.TrimSuffix(e.Detail, "."), e.Outcome))
		}
	}
	if sentence := onlyDiscovery(events); sentence != "" {
		return sentence
	}
	if !p.LastRegistered.IsZero() {
		return fmt.Sprintf("It last registered at %s and nothing has been heard of it since.", when(p.LastRegistered))
	}
	return "It has never contacted dialtone: check power, network and the provisioning address (DHCP option 66 or 160)."
}

// onlyDiscovery is what DHCP and PnP say of a phone that never asked for a file. That
// some of its requests are not answered is nothing when others are.
func onlyDiscovery(events []phone.Event) string {
	unanswered := ""
	for _, e := range events {
		at := when(e.At)
		switch {
		case e.Kind == phone.EventPnP && e.Outcome == "ok":
			return fmt.Sprintf("It was told by PnP at %s where its configuration is and never fetched it: check that it can reach that address.", at)
		case e.Kind == phone.EventPnP:
			return fmt.Sprintf("It %s (at %s), and never fetched a file.", strings.TrimSuffix(e.Detail, "."), at)
		case e.Kind != phone.EventDHCP:
		case strings.Contains(e.Detail, phone.DetailOtherServer):
			return fmt.Sprintf("It took its address from another DHCP server at %s (%s) and never fetched a file: that server has to give options 66 or 160.", at, reasonOf(e))
		case e.Path == "RELEASE" || e.Path == "DECLINE":
		case e.Outcome == "ok" && strings.Contains(e.Detail, "asked for") && !strings.Contains(e.Detail, phone.DetailGiven):
			return fmt.Sprintf("It asked DHCP at %s, but not where its configuration is (options 66 and 160): switch that on in its menu, or enter the address.", at)
		case e.Outcome == "ok":
			return fmt.Sprintf("It asked DHCP at %s but never fetched a file: check that it uses option 66 or 160 and can reach the address in it.", at)
		case unanswered == "":
			unanswered = fmt.Sprintf("It asked DHCP at %s and was not given what it asked for (%s: %s).", at, e.Outcome, cmp.Or(reasonOf(e), "no reason was given"))
		}
	}
	return unanswered
}

// reasonOf is the first part of what DHCP says: why.
func reasonOf(e phone.Event) string {
	reason, _, _ := strings.Cut(e.Detail, ";")
	return reason
}
