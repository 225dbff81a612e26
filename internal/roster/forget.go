package roster

import (
	"context"
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Forget removes a phone that is in the list only because it was seen, and
// returns when that is saved. An unknown id is phone.ErrNotFound; a provisioned
// phone, or one that is registered and would be back at once, is
// phone.ErrConflict.
func (r *Roster) Forget(ctx context.Context, id string) error {
	var err error
	r.change(func(s *state) {
		row := s.byID[id]
		switch {
		case row == nil:
			err = fmt.Errorf("forget phone: %w", phone.ErrNotFound)
		case row.dev != nil:
			err = fmt.Errorf("forget phone: it is provisioned: %w", phone.ErrConflict)
		case len(row.contacts) > 0:
			err = fmt.Errorf("forget phone: it is registered: %w", phone.ErrConflict)
		default:
			s.forget(row)
		}
	})
	if err != nil {
		return err
	}
	return r.flushGone(ctx)
}

// age forgets the phones that were not registered for ForgetAfter. It looks at
// scanBatch phones at a time, so that nobody waits for it.
func (r *Roster) age(now time.Time) {
	defer r.recovered("age")
	limit, waiting := now.Add(-r.opts.ForgetAfter), now.Add(-waitFor)
	for at, done := 0, false; !done; at += scanBatch {
		r.change(func(s *state) {
			end := min(at+scanBatch, len(s.rows))
			for i := at; i < end; i++ {
				if row := s.rows[i]; row != nil && row.stale(limit, waiting) {
					s.forget(row)
				}
			}
			done = end == len(s.rows)
		})
	}
}

// stale reports whether a phone may be forgotten.
func (r *row) stale(limit, waiting time.Time) bool {
	if r.seen == nil || len(r.contacts) > 0 {
		return false
	}
	if r.waits() {
		return r.seen.heard.Before(waiting)
	}
	last := r.registered
	if last.IsZero() {
		last = r.seen.created
	}
	return last.Before(limit)
}
