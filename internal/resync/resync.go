// Package resync is what the jobs "resync" and "reboot" do to one phone: tell it
// over the connection it registered on to fetch its configuration or to restart,
// and see from what it does then whether it worked. It sends nothing itself and
// stores nothing; package rollout runs it.
package resync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
)

// The kinds of jobs of this package.
const (
	Resync = "resync"
	Reboot = "reboot"
)

// The outcomes of a phone.
const (
	Applied       = "applied"                // it fetched its current configuration and registered after that
	NotRegistered = "fetched-not-registered" // it fetched it and did not register after that
	NoAnswer      = "no-answer"              // it was not reached, refused, or did not fetch it
)

// Phones is the list of phones; *roster.Roster is one.
type Phones interface {
	Phone(id string) (roster.Phone, bool)
	// Contacts are the live contacts of an extension.
	Contacts(extension string) []roster.Contact
}

// Task is a rollout.Task.
type Task struct {
	Phones Phones
	// Notify tells the phone of a binding an event, as proxy.Proxy.Notify does.
	Notify func(ctx context.Context, b location.Binding, event string) (status int, err error)
	// Freshen makes Phones learn, a moment later, whether an extension was registered at
	// another node; nil: there is none.
	Freshen func(ctx context.Context, extension string)
	Reboot  bool
}

var _ rollout.Task = (*Task)(nil)

// Begin implements rollout.Task: the phone is told over one of its contacts, the
// newest that can be reached. It fails when nobody can have heard.
func (t *Task) Begin(ctx context.Context, job phone.Job, id string) error {
	p, ok := t.Phones.Phone(id)
	if !ok {
		return &rollout.Failure{Outcome: NoAnswer, Reason: "The phone is not in the inventory any more."}
	}
	contacts := t.contacts(p)
	if len(contacts) == 0 {
		return &rollout.Failure{Outcome: NoAnswer, Reason: notThere(p)}
	}
	asked := time.Now()
	reason := t.tell(ctx, contacts, catalog.CanonicalVendor(p.Manufacturer))
	if reason == "" || ctx.Err() != nil {
		return nil
	}
	// It may have done as it was told without an answer: phones that restart do.
	if v := t.Look(ctx, job, phone.JobPhone{PhoneID: id, StartedAt: asked}); v.Outcome != NoAnswer {
		return nil
	}
	return &rollout.Failure{Outcome: NoAnswer, Reason: reason}
}

// tell returns "" when the phone said yes, else why not in a sentence.
func (t *Task) tell(ctx context.Context, contacts []location.Binding, vendor phone.Vendor) (reason string) {
	for _, b := range contacts {
		status, err := t.Notify(ctx, b, catalog.Event(vendor, t.Reboot))
		switch {
		case errors.Is(err, proxy.ErrStopped):
			return "" // the next start of the server sees what became of it
		case errors.Is(err, proxy.ErrSilent):
			return "It is registered but did not answer the NOTIFY: it is off, or the network to it is broken."
		case err != nil:
			reason = "The connection it registered over is gone."
		case status/100 == 2:
			return ""
		case status == 401 || status == 407:
			return guarded(vendor, status)
		default:
			return fmt.Sprintf("It refused the NOTIFY with %d.", status)
		}
	}
	return reason
}

// guarded says what to do about a phone that takes no NOTIFY without a password. Which one
// it wants is not known (phone-facts 3.4), so none is sent: whoever makes it ask would get
// a hash of what it is told.
func guarded(vendor phone.Vendor, status int) string {
	asks := fmt.Sprintf("The phone asks for a password for NOTIFY (%d), and none is sent: ", status)
	if vendor == phone.Grandstream {
		return asks + "its file switches that off (P4428), so it has not applied its file yet; restart it by hand once."
	}
	return asks + "it was not told anything; restart it by hand, or switch that off in the phone."
}

// contacts are the live contacts of the phone, the newest first.
func (t *Task) contacts(p roster.Phone) []location.Binding {
	var out []location.Binding
	for _, l := range p.Lines {
		for _, c := range t.Phones.Contacts(l.ExtensionNumber) {
			if c.PhoneID == p.ID {
				out = append(out, c.Binding)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b location.Binding) int {
		return cmp.Or(b.RefreshedAt.Compare(a.RefreshedAt), b.RegisteredAt.Compare(a.RegisteredAt))
	})
	return out
}

func notThere(p roster.Phone) string {
	if p.LastRegistered.IsZero() {
		return "It is not registered and never was."
	}
	return fmt.Sprintf("It is not registered; it last was at %s.", when(p.LastRegistered))
}

// Look implements rollout.Task.
func (t *Task) Look(ctx context.Context, _ phone.Job, jp phone.JobPhone) rollout.Verdict {
	p, ok := t.Phones.Phone(jp.PhoneID)
	if !ok {
		return rollout.Verdict{Outcome: NoAnswer, Reason: "The phone is not in the inventory any more.", Done: true}
	}
	since := jp.StartedAt.Truncate(time.Millisecond) // as all times are kept
	fetched := p.LastProvisioned.Truncate(time.Millisecond)
	switch {
	case fetched.Before(since):
		return rollout.Verdict{Outcome: NoAnswer, Reason: "It was told, and did not fetch its configuration."}
	case p.HasRevision < p.Revision:
		return rollout.Verdict{Outcome: NoAnswer, Reason: fmt.Sprintf(
			"It fetched revision %d of its configuration at %s; the current one is %d.", p.HasRevision, when(fetched), p.Revision)}
	case !p.Registered:
		return rollout.Verdict{Outcome: NotRegistered, Reason: fmt.Sprintf(
			"It fetched its configuration at %s and is not registered.", when(fetched))}
	case p.LastRegistered.Before(fetched):
		t.freshen(ctx, p) // for the next look
		return rollout.Verdict{Outcome: NotRegistered, Reason: fmt.Sprintf(
			"It fetched its configuration at %s and did not register after that; its registration from before is still live.", when(fetched))}
	}
	return rollout.Verdict{Outcome: Applied, Done: true, OK: true}
}

// freshen asks for what other nodes have refreshed.
func (t *Task) freshen(ctx context.Context, p roster.Phone) {
	if t.Freshen == nil {
		return
	}
	for _, l := range p.Lines {
		t.Freshen(ctx, l.ExtensionNumber)
	}
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
