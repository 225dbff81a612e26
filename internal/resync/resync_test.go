package resync

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
)

// desk is a list with one phone.
type desk struct {
	phone    roster.Phone
	contacts []roster.Contact
}

func (d *desk) Phone(id string) (roster.Phone, bool) { return d.phone, id == d.phone.ID }
func (d *desk) Contacts(string) []roster.Contact     { return d.contacts }

var start = time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)

func registered(change func(*roster.Phone)) *desk {
	d := &desk{phone: roster.Phone{
		ID: "phone_1", Manufacturer: "Yealink", Registered: true, Revision: 5, HasRevision: 4,
		LastProvisioned: start.Add(-time.Hour), LastRegistered: start.Add(-time.Minute),
		Lines: []roster.Line{{Line: 1, ExtensionNumber: "101"}},
	}}
	for i, id := range []string{"phone_1", "phone_2", "phone_1"} {
		d.contacts = append(d.contacts, roster.Contact{PhoneID: id, Binding: location.Binding{
			ID: string(rune('a' + i)), RefreshedAt: start.Add(time.Duration(i) * time.Second),
		}})
	}
	if change != nil {
		change(&d.phone)
	}
	return d
}

func TestLook(t *testing.T) {
	t.Parallel()
	later := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	for name, c := range map[string]struct {
		change        func(*roster.Phone)
		outcome, says string
		done          bool
	}{
		"nothing yet":  {nil, NoAnswer, "did not fetch", false},
		"old revision": {func(p *roster.Phone) { p.LastProvisioned = later(1) }, NoAnswer, "the current one is 5", false},
		"fetched, registration from before": {
			func(p *roster.Phone) { p.LastProvisioned, p.HasRevision = later(1), 5 },
			NotRegistered, "still live", false,
		},
		"fetched, not registered": {
			func(p *roster.Phone) { p.LastProvisioned, p.HasRevision, p.Registered = later(1), 5, false },
			NotRegistered, "is not registered", false,
		},
		"applied": {
			func(p *roster.Phone) { p.LastProvisioned, p.HasRevision, p.LastRegistered = later(1), 5, later(2) },
			Applied, "", true,
		},
		"within a millisecond": {func(p *roster.Phone) {
			p.LastProvisioned, p.HasRevision, p.LastRegistered = start, 5, start.Truncate(time.Millisecond)
		}, Applied, "", true},
		"gone": {func(p *roster.Phone) { p.ID = "phone_2" }, NoAnswer, "not in the inventory", true},
	} {
		asked := 0
		task := &Task{Phones: registered(c.change), Freshen: func(context.Context, string) { asked++ }}
		v := task.Look(t.Context(), phone.Job{}, phone.JobPhone{PhoneID: "phone_1", StartedAt: start})
		if v.Outcome != c.outcome || v.Done != c.done || v.OK != (c.outcome == Applied) || !strings.Contains(v.Reason, c.says) {
			t.Errorf("%s: %+v", name, v)
		}
		// It may have registered at another node.
		if want := strings.HasSuffix(name, "from before"); (asked > 0) != want {
			t.Errorf("%s: other nodes were asked %d times", name, asked)
		}
	}
}

func TestBegin(t *testing.T) {
	t.Parallel()
	type answer struct {
		status int
		err    error
	}
	for name, c := range map[string]struct {
		answers []answer
		change  func(*roster.Phone)
		says    string // "" is success
		asked   string
	}{
		"taken":           {[]answer{{200, nil}}, nil, "", "c"},
		"silent":          {[]answer{{0, proxy.ErrSilent}}, nil, "did not answer", "c"},
		"we stop":         {[]answer{{0, proxy.ErrStopped}}, nil, "", "c"},
		"one flow gone":   {[]answer{{0, proxy.ErrFlowGone}, {200, nil}}, nil, "", "ca"},
		"all flows gone":  {[]answer{{0, proxy.ErrFlowGone}, {0, proxy.ErrFlowGone}}, nil, "is gone", "ca"},
		"refused":         {[]answer{{489, nil}}, nil, "with 489", "c"},
		"password":        {[]answer{{401, nil}}, nil, "asks for a password for NOTIFY (401), and none is sent: it was not told", "c"},
		"Grandstream's":   {[]answer{{407, nil}}, func(p *roster.Phone) { p.Manufacturer = "Grandstream" }, "for NOTIFY (407), and none is sent: its file switches that off (P4428)", "c"},
		"silent, but did": {[]answer{{0, proxy.ErrSilent}}, func(p *roster.Phone) { p.LastProvisioned, p.HasRevision = time.Now().Add(time.Hour), 5 }, "", "c"},
		"not registered":  {nil, func(p *roster.Phone) { p.Lines = nil }, "last was at 2026-05-01 11:59:00 UTC", ""},
		"never":           {nil, func(p *roster.Phone) { p.Lines, p.LastRegistered = nil, time.Time{} }, "never was", ""},
		"gone":            {nil, func(p *roster.Phone) { p.ID = "phone_2" }, "not in the inventory", ""},
	} {
		asked := ""
		task := &Task{Phones: registered(c.change), Reboot: true, Notify: func(_ context.Context, b location.Binding, event string) (int, error) {
			if event != "check-sync;reboot=true" {
				t.Errorf("%s: event %q", name, event)
			}
			a := c.answers[len(asked)]
			asked += b.ID
			return a.status, a.err
		}}
		err := task.Begin(t.Context(), phone.Job{}, "phone_1")
		f := (*rollout.Failure)(nil)
		if c.says == "" && err != nil || c.says != "" && (!errors.As(err, &f) || f.Outcome != NoAnswer || !strings.Contains(f.Reason, c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if asked != c.asked {
			t.Errorf("%s: asked %q, want %q", name, asked, c.asked)
		}
	}
}
