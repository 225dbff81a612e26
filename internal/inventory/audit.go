package inventory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const (
	keepAudit     = 200_000              // newest entries kept
	keepAuditFor  = 400 * 24 * time.Hour // and no longer than this
	pruneAuditPer = 256                  // entries between two looks
)

// RecordAudit stores what an administrator did. ID and At are filled in.
func (s *Store) RecordAudit(ctx context.Context, a phone.Audit) error {
	return s.write(ctx, func(u *unit) error {
		id, err := engine.One(u, engine.Scalar[int64], `INSERT INTO audit
			(at, key_id, key_name, source, request_id, action, subject, status, detail)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			toMillis(u.Now), clip(a.KeyID, maxText), clip(a.KeyName, 4*maxText), clip(a.Source, maxText), clip(a.RequestID, maxText),
			clip(a.Action, maxWire), clip(a.Subject, maxText), a.Status, clip(a.Detail, 16*maxWire))
		if err == nil && id%pruneAuditPer == 0 {
			err = u.exec(`DELETE FROM audit WHERE id <= $1 OR at < $2`, id-keepAudit, toMillis(u.Now.Add(-keepAuditFor)))
		}
		if err != nil {
			return fmt.Errorf("record what was done: %w", err)
		}
		return nil
	})
}

// AuditTrail returns up to limit entries that f selects before the id "before", newest
// first; 0 is from the newest.
func (s *Store) AuditTrail(ctx context.Context, f phone.AuditFilter, before int64, limit int) ([]phone.Audit, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	query, args := `WHERE id < $1`, []any{before, within(limit)}
	narrow := func(condition, value string) {
		if value != "" {
			args = append(args, clip(value, maxText))
			query += fmt.Sprintf(` AND `+condition, len(args))
		}
	}
	narrow(`subject = $%d`, f.Subject)
	narrow(`key_id = $%d`, f.KeyID)
	narrow(`LOWER(action) LIKE LOWER($%d) ESCAPE '\'`, containing(f.Action))
	if !f.From.IsZero() {
		args = append(args, toMillis(f.From))
		query += fmt.Sprintf(` AND at >= $%d`, len(args))
	}
	if !f.To.IsZero() {
		args = append(args, toMillis(f.To))
		query += fmt.Sprintf(` AND at < $%d`, len(args))
	}
	query += ` ORDER BY id DESC LIMIT $2`
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.Audit, error) {
		var a phone.Audit
		var at int64
		err := row.Scan(&a.ID, &at, &a.KeyID, &a.KeyName, &a.Source, &a.RequestID, &a.Action, &a.Subject, &a.Status, &a.Detail)
		a.At = fromMillis(at)
		return a, err
	}, `SELECT id, at, key_id, key_name, source, request_id, action, subject, status, detail FROM audit `+query, args...)
	if err != nil {
		return nil, fmt.Errorf("list what was done: %w", err)
	}
	return list, nil
}

// containing is the pattern of LIKE for texts that hold s, escaped with \; "" for "".
func containing(s string) string {
	if s == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}
