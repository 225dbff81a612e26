package app

import (
	"context"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/resync"
	"pbx.dev/dialtone/internal/rollout"
	"pbx.dev/dialtone/internal/stage"
	"pbx.dev/dialtone/internal/upgrade"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/proxy"
)

// recheckEvery is how often phones under way are looked at when other nodes may
// have seen them.
const recheckEvery = 3 * time.Second

// openJobs makes what runs jobs. Each kind of job has its task here.
func (a *App) openJobs(context.Context) (err error) {
	told := &resync.Task{Phones: a.roster, Notify: a.notify, Freshen: a.freshen}
	o := rollout.Options{
		Store: a.inventory, Node: a.id.node, Logger: a.log, Registerer: a.registry,
		Tasks: map[string]rollout.Task{
			resync.Resync:     told,
			upgrade.Kind:      &upgrade.Task{Phone: a.roster.Phone, Images: a.firmware, Tell: told.Begin},
			library.TrialKind: &stage.Task{Ready: a.library.Ready, Told: told},
			resync.Reboot:     &resync.Task{Phones: a.roster, Notify: a.notify, Freshen: a.freshen, Reboot: true},
		},
	}
	if a.cfg.Database.URL.Reveal() != "" {
		o.Recheck, o.Others, o.SilentFor = recheckEvery, a.inventory, time.Duration(a.cfg.Database.Takeover)
	}
	a.jobs, err = rollout.New(o)
	return err
}

// notify tells a phone an event over the connection it registered on.
func (a *App) notify(ctx context.Context, b location.Binding, event string) (int, error) {
	return a.proxy.Notify(ctx, b, proxy.Notice{Event: event})
}

// observeBinding tells the jobs that the phone of a binding did something.
func (a *App) observeBinding(b location.Binding) {
	if a.jobs.Phones() == 0 {
		return
	}
	extension, _, _ := strings.Cut(string(b.AOR), "@")
	for _, c := range a.roster.Contacts(extension) {
		if c.Binding.ID == b.ID {
			a.jobs.Observe(c.PhoneID)
		}
	}
}
