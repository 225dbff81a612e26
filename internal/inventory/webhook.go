package inventory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const (
	// maxOutgoing is how many events wait for the webhook; the oldest go.
	maxOutgoing = 10_000
	// keepOutgoing is how long one waits.
	keepOutgoing = 24 * time.Hour
	// webhookLock is held by transactions that look at what waits.
	webhookLock = 0x6469616c02 // any fixed number of our own
	// webhookHolder is the row of meta that says which node delivers, and until when.
	webhookHolder = "webhook holder"
)

// TellDrift stores for the webhook how phones differ, those of which it was told
// something else before. Of several nodes that tell the same, the first one does. It
// returns how many that waited had to go for them.
func (s *Store) TellDrift(ctx context.Context, events []phone.DriftEvent) (dropped int, err error) {
	return writing(ctx, s, func(u *unit) (int, error) {
		dropped, err := u.tellDrift(events)
		if err != nil {
			return 0, fmt.Errorf("store events for the webhook: %w", err)
		}
		return dropped, nil
	})
}

func (u *unit) tellDrift(events []phone.DriftEvent) (dropped int, err error) {
	if err := u.Lock(webhookLock); err != nil {
		return 0, err
	}
	news := 0
	for _, e := range events {
		told, err := engine.All(u, engine.Scalar[string], `SELECT drift FROM webhook_told WHERE phone_id = $1`, clip(e.PhoneID, maxText))
		if err != nil {
			return 0, err
		}
		if e.Was = []string{}; len(told) > 0 {
			if err := json.Unmarshal([]byte(told[0]), &e.Was); err != nil {
				return 0, err
			}
		}
		if slices.Equal(e.Was, e.Drift) {
			continue
		}
		if err := u.addDrift(e); err != nil {
			return 0, err
		}
		news++
	}
	if news == 0 {
		return 0, nil
	}
	u.changed(effect{Change: Change{Kind: ChangeWebhook}})
	n, err := u.Exec(`DELETE FROM webhook_events WHERE id <= (SELECT id FROM webhook_events ORDER BY id DESC LIMIT 1 OFFSET $1)`, maxOutgoing)
	return int(n), err
}

// addDrift notes what the webhook is told of a phone, and the event.
func (u *unit) addDrift(e phone.DriftEvent) error {
	if e.Drift == nil {
		e.Drift = []string{}
	}
	e.ID = "evt_" + strings.ToLower(rand.Text()[:20])
	drift, err := json.Marshal(e.Drift)
	if err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(e.Drift) == 0 {
		err = u.exec(`DELETE FROM webhook_told WHERE phone_id = $1`, e.PhoneID)
	} else {
		err = u.exec(`INSERT INTO webhook_told (phone_id, drift) VALUES ($1, $2)
			ON CONFLICT (phone_id) DO UPDATE SET drift = excluded.drift`, e.PhoneID, string(drift))
	}
	if err != nil {
		return err
	}
	return u.exec(`INSERT INTO webhook_events (body, tries, created_at) VALUES ($1, 0, $2)`, string(body), toMillis(u.Now))
}

// ToldDrift returns the phones of which the webhook was told last that they differ.
func (s *Store) ToldDrift(ctx context.Context) ([]string, error) {
	list, err := engine.All(s.db.Reader(ctx), engine.Scalar[string], `SELECT phone_id FROM webhook_told ORDER BY phone_id`)
	if err != nil {
		return nil, fmt.Errorf("read what the webhook was told: %w", err)
	}
	return list, nil
}

// NextOutgoing returns the oldest event that waits for the webhook, and lets no other
// node deliver for as long as lease. phone.ErrNotFound: none waits, or another node
// delivers. expired is how many waited too long and are gone, also then.
func (s *Store) NextOutgoing(ctx context.Context, node string, lease time.Duration) (next phone.Outgoing, expired int, err error) {
	err = s.write(ctx, func(u *unit) (err error) {
		next, expired, err = u.nextOutgoing(node, lease)
		return err
	})
	if err != nil {
		return next, 0, fmt.Errorf("look for an event for the webhook: %w", err)
	}
	if next.ID == 0 {
		return next, expired, phone.ErrNotFound
	}
	return next, expired, nil
}

func (u *unit) nextOutgoing(node string, lease time.Duration) (next phone.Outgoing, expired int, err error) {
	if err := u.Lock(webhookLock); err != nil {
		return next, 0, err
	}
	if mine, err := u.holdWebhook(node, lease); err != nil || !mine {
		return next, 0, err
	}
	n, err := u.Exec(`DELETE FROM webhook_events WHERE created_at < $1`, toMillis(u.Now.Add(-keepOutgoing)))
	if err != nil {
		return next, 0, err
	}
	err = engine.Each(u, func(row engine.Row) error {
		var body string
		var created int64
		err := row.Scan(&next.ID, &body, &next.Tries, &created)
		next.Body, next.CreatedAt = []byte(body), fromMillis(created)
		return err
	}, `SELECT id, body, tries, created_at FROM webhook_events ORDER BY id LIMIT 1`)
	return next, int(n), err
}

// holdWebhook makes node the one that delivers, unless another one is.
func (u *unit) holdWebhook(node string, lease time.Duration) (bool, error) {
	held, err := engine.All(u, engine.Scalar[[]byte], `SELECT value FROM meta WHERE name = $1`, webhookHolder)
	if err != nil {
		return false, err
	}
	if len(held) > 0 {
		until, holder, _ := strings.Cut(string(held[0]), " ")
		if at, err := strconv.ParseInt(until, 10, 64); err == nil && holder != node && u.Now.Before(fromMillis(at)) {
			return false, nil
		}
	}
	return true, u.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		webhookHolder, fmt.Appendf(nil, "%d %s", toMillis(u.Now.Add(lease)), node))
}

// TriedOutgoing counts a try in vain.
func (s *Store) TriedOutgoing(ctx context.Context, id int64) error {
	return s.write(ctx, func(u *unit) error {
		if err := u.exec(`UPDATE webhook_events SET tries = tries + 1 WHERE id = $1`, id); err != nil {
			return fmt.Errorf("count a try of the webhook: %w", err)
		}
		return nil
	})
}

// EndOutgoing forgets an event that was taken, or is given up.
func (s *Store) EndOutgoing(ctx context.Context, id int64) error {
	return s.write(ctx, func(u *unit) error {
		if err := u.exec(`DELETE FROM webhook_events WHERE id = $1`, id); err != nil {
			return fmt.Errorf("forget an event of the webhook: %w", err)
		}
		return nil
	})
}

// LeaveOutgoing lets another node deliver at once.
func (s *Store) LeaveOutgoing(ctx context.Context, node string) error {
	return s.write(ctx, func(u *unit) error {
		held, err := engine.All(u, engine.Scalar[[]byte], `SELECT value FROM meta WHERE name = $1`+u.ForUpdate(), webhookHolder)
		if err == nil && len(held) > 0 && strings.HasSuffix(string(held[0]), " "+node) {
			err = u.exec(`DELETE FROM meta WHERE name = $1`, webhookHolder)
		}
		if err != nil {
			return fmt.Errorf("leave the webhook to other nodes: %w", err)
		}
		return nil
	})
}
