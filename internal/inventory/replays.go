package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const (
	keepReplayFor = 24 * time.Hour
	keepReplays   = 100_000         // newest kept
	replayLapses  = 2 * time.Minute // a request that has no answer then was cut off
	pruneReplays  = 1000            // of how many reservations one looks for too many
)

// ReserveReplay begins a request that may be sent again. A nil answer with no error
// says: do it, then call KeepReplay or DropReplay. Else answer is that of the time
// before. phone.ErrInvalid when another request had the id; phone.ErrConflict while
// the same is still under way, here or at another node. Both texts are hashes.
func (s *Store) ReserveReplay(ctx context.Context, id, request string) (answer []byte, err error) {
	return writing(ctx, s, func(u *unit) ([]byte, error) {
		answer, err := u.reserveReplay(id, request)
		if err != nil && !errors.Is(err, phone.ErrConflict) && !errors.Is(err, phone.ErrInvalid) {
			err = fmt.Errorf("look for an answer from before: %w", err)
		}
		return answer, err
	})
}

func (u *unit) reserveReplay(id, request string) ([]byte, error) {
	err := u.exec(`DELETE FROM replays WHERE created_at < $1 OR (created_at < $2 AND length(answer) = 0)`,
		toMillis(u.Now.Add(-keepReplayFor)), toMillis(u.Now.Add(-replayLapses)))
	if err != nil {
		return nil, err
	}
	n, err := u.Exec(`INSERT INTO replays (id, request, answer, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		id, request, []byte{}, toMillis(u.Now))
	if err != nil || n > 0 {
		if err == nil && u.s.replays.Add(1)%pruneReplays == 0 {
			err = u.exec(`DELETE FROM replays WHERE created_at < (SELECT created_at FROM replays ORDER BY created_at DESC LIMIT 1 OFFSET $1)`, keepReplays)
		}
		return nil, err
	}
	var before string
	var sealed []byte
	err = engine.Each(u, func(row engine.Row) error { return row.Scan(&before, &sealed) },
		`SELECT request, answer FROM replays WHERE id = $1`, id)
	switch {
	case err != nil:
		return nil, err
	case before != request:
		return nil, phone.ErrInvalid
	case len(sealed) == 0:
		return nil, phone.ErrConflict
	}
	text, err := u.s.sealer.open(sealed, place("replays", id, "answer"))
	return []byte(text), err
}

// KeepReplay stores the answer, encrypted, for a day.
func (s *Store) KeepReplay(ctx context.Context, id string, answer []byte) error {
	return s.write(ctx, func(u *unit) error {
		err := u.exec(`UPDATE replays SET answer = $2 WHERE id = $1`, id, s.sealer.seal(string(answer), place("replays", id, "answer")))
		if err != nil {
			return fmt.Errorf("keep an answer: %w", err)
		}
		return nil
	})
}

// TouchReplay says that a request is still under way.
func (s *Store) TouchReplay(ctx context.Context, id string) error {
	return s.write(ctx, func(u *unit) error {
		if err := u.exec(`UPDATE replays SET created_at = $2 WHERE id = $1 AND length(answer) = 0`, id, toMillis(u.Now)); err != nil {
			return fmt.Errorf("keep a request alive: %w", err)
		}
		return nil
	})
}

// DropReplay forgets a request that has changed nothing: it may be sent again.
func (s *Store) DropReplay(ctx context.Context, id string) error {
	return s.write(ctx, func(u *unit) error {
		if err := u.exec(`DELETE FROM replays WHERE id = $1 AND length(answer) = 0`, id); err != nil {
			return fmt.Errorf("forget a request: %w", err)
		}
		return nil
	})
}
