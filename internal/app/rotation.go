package app

import (
	"context"
	"log/slog"
)

// provedQueue is how many users may wait for the end of their rotation; others say
// so again with their next registration.
const provedQueue = 1024

// proved hears of a digest user that has proved its new secret.
func (a *App) proved(user string) {
	select {
	case a.rotated <- user:
	default:
	}
}

// endRotations drops the old secret of users that have proved the new one.
func (a *App) endRotations(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case user := <-a.rotated:
			if err := a.inventory.DropOldSecret(ctx, user); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "old secret not dropped", slog.String("user", user), slog.Any("error", err))
			}
		}
	}
}
