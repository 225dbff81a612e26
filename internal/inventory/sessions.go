package inventory

import (
	"context"
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
)

// EndSession notes that the session with this id was logged out. It is kept until the
// session would have been over.
func (s *Store) EndSession(ctx context.Context, id string, over time.Time) error {
	return s.write(ctx, func(u *unit) error {
		err := u.exec(`DELETE FROM ended_sessions WHERE ends_at < $1`, toMillis(u.Now))
		if err == nil {
			err = u.exec(`INSERT INTO ended_sessions (id, ends_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, toMillis(over))
		}
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		return nil
	})
}

// SessionEnded reports whether EndSession has been told of the id, by any node.
func (s *Store) SessionEnded(ctx context.Context, id string) (bool, error) {
	n, err := engine.One(s.db.Reader(ctx), engine.Scalar[int], `SELECT count(*) FROM ended_sessions WHERE id = $1`, id)
	if err != nil {
		return false, fmt.Errorf("look for an ended session: %w", err)
	}
	return n > 0, nil
}
