package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/webhook"
)

// driftEvent is what the webhook is told. It holds no secrets.
type driftEvent struct {
	ID      string    `json:"id"` // the same from every node that saw the same
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	Node    string    `json:"node"`
	PhoneID string    `json:"phoneId"`
	MAC     phone.MAC `json:"macAddress"`
	Drift   []string  `json:"drift"` // empty: it does not differ any more
	Was     []string  `json:"was"`
}

// openWebhook makes the sender, when there is somebody to tell.
func (a *App) openWebhook(context.Context) (err error) {
	if a.cfg.Webhook.URL.IsZero() {
		return nil
	}
	a.hook, err = webhook.New(webhook.Options{
		URL: a.cfg.Webhook.URL.Reveal(), Secret: a.cfg.Webhook.Secret, Logger: a.log, Registerer: a.registry,
	})
	return err
}

// drifted tells the webhook of a phone's drift. What is found while the list is being
// read after the start is not news.
func (a *App) drifted(d roster.DriftChange) {
	if a.hook == nil || !a.listed.Load() {
		return
	}
	e := driftEvent{
		Type: "phone.drift", At: time.Now().UTC(), Node: a.id.node, PhoneID: d.PhoneID, MAC: d.MAC,
		Drift: append([]string{}, d.Now...), Was: append([]string{}, d.Was...),
	}
	text, err := json.Marshal([]any{e.PhoneID, e.Drift, e.Was, e.At.Truncate(time.Hour)})
	if err != nil {
		return // it is made of texts
	}
	sum := sha256.Sum256(text)
	e.ID = "evt_" + hex.EncodeToString(sum[:10])
	a.hook.Tell(e)
}
