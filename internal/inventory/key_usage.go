package inventory

import (
	"context"
	"sync"
	"time"
)

const usageEvery = time.Minute // how often LastUsed is written

// keyUsage collects when keys were used since that was last written.
type keyUsage struct {
	mu sync.Mutex
	at map[string]time.Time // by id
}

func newKeyUsage() *keyUsage { return &keyUsage{at: map[string]time.Time{}} }

func (k *keyUsage) note(id string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at[id] = now.UTC().Truncate(time.Millisecond)
}

func (k *keyUsage) last(id string) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at[id]
}

func (k *keyUsage) take() map[string]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.at
	k.at = map[string]time.Time{}
	return taken
}

// runUsage writes LastUsed once a minute and when ctx ends.
func (s *Store) runUsage(ctx context.Context) {
	tick := time.NewTicker(usageEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.saveUsage(context.WithoutCancel(ctx))
			return
		}
		s.saveUsage(ctx)
	}
}

func (s *Store) saveUsage(ctx context.Context) {
	used := s.usage.take()
	if len(used) == 0 {
		return
	}
	err := s.write(ctx, func(u *unit) error {
		for id, at := range used {
			err := u.exec(`UPDATE api_keys SET last_used = $2 WHERE id = $1 AND last_used < $2`, id, toMillis(at))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.WarnContext(ctx, "cannot store when api keys were used", "error", err)
	}
}
