package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/registrar/location"
)

// openLocation opens the store of registrations, embedded or Redis, and the
// mirror that the list is built from.
func (a *App) openLocation(ctx context.Context) error {
	store, err := a.newLocation(ctx)
	if err != nil {
		return err
	}
	a.location = store
	a.onStop("registrations", store.Close)
	a.mirror = location.NewMirror(store, location.MirrorOptions{Logger: a.log, Registerer: a.registry})
	return nil
}

func (a *App) newLocation(ctx context.Context) (location.Store, error) {
	url := a.cfg.Redis.URL.Reveal()
	if url == "" {
		return location.NewMemory(location.MemoryOptions{
			Dir: filepath.Join(a.cfg.DataDir, "registrations"), Logger: a.log, Registerer: a.registry,
		})
	}
	redis.SetLogger(redisLog{a.log.With("component", "redis")})
	client, err := location.OpenRedis(ctx, url)
	if err != nil {
		return nil, err
	}
	a.onStop("redis", client.Close)
	return location.NewRedis(location.RedisOptions{
		Client: client, Node: a.id.node, Boot: a.id.boot, Logger: a.log, Registerer: a.registry,
	})
}

// redisLog takes the words of the client library, which has a global logger only.
// They are for debugging: what failed is told by who asked.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}
