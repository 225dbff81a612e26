package app

import (
	"context"
	"time"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/webhook"
)

// openWebhook makes the sender, when there is somebody to tell.
func (a *App) openWebhook(context.Context) (err error) {
	if a.cfg.Webhook.URL.IsZero() {
		return nil
	}
	a.hook, err = webhook.New(webhook.Options{
		URL: a.cfg.Webhook.URL.Reveal(), Secret: a.cfg.Webhook.Secret, Ledger: a.inventory, Outbox: a.inventory, Node: a.id.node,
		Current: a.driftNow, Loaded: a.mirror.Loaded(), Lease: time.Duration(a.cfg.Database.Takeover),
		Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.inventory.OnChange(func(c inventory.Change) {
		if c.Kind == inventory.ChangeWebhook || c.Kind == inventory.ChangeUnknown {
			a.hook.Look()
		}
	})
	return nil
}

// drifted tells the webhook of a phone's drift.
func (a *App) drifted(d roster.DriftChange) {
	if a.hook != nil {
		a.hook.Tell(a.driftEvent(d.PhoneID, d.MAC, d.Now))
	}
}

func (a *App) driftEvent(id string, mac phone.MAC, drift []string) phone.DriftEvent {
	return phone.DriftEvent{Type: webhook.DriftType, At: time.Now().UTC(), Node: a.id.node, PhoneID: id, MAC: mac, Drift: drift}
}

// driftNow says how phones differ now: those that do, and those that were told of.
func (a *App) driftNow(told []string) []phone.DriftEvent {
	const page = 500
	var out []phone.DriftEvent
	differs, seen := true, map[string]bool{}
	for cursor := ""; ; {
		list, next, err := a.roster.List(roster.Filter{Drift: &differs}, cursor, page)
		if err != nil { // of a cursor only, which is ours
			break
		}
		for i := range list {
			seen[list[i].ID] = true
			out = append(out, a.driftEvent(list[i].ID, list[i].MAC, list[i].Drift))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for _, id := range told {
		if !seen[id] {
			p, _ := a.roster.Phone(id) // or it is gone
			out = append(out, a.driftEvent(id, p.MAC, nil))
		}
	}
	return out
}
