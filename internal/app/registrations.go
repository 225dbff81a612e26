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
func (a *App) openLocation(context.Context) error {
	if a.cfg.Redis.URL.Reveal() == "" {
		return a.openEmbedded()
	}
	return a.openRedis()
}

func (a *App) openEmbedded() error {
	store, err := location.NewMemory(location.MemoryOptions{
		Dir: filepath.Join(a.cfg.DataDir, "registrations"), Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.onStop("registrations", store.Close)
	a.location = store
	a.mirror = location.NewMirror(store, location.MirrorOptions{Logger: a.log, Registerer: a.registry})
	a.follow, a.storeMode, a.freshen = a.mirror.Run, func() string { return "" }, nil
	return nil
}

// openRedis opens the store that nodes share, which goes on, and begins, in degraded
// mode when Redis does not answer.
func (a *App) openRedis() error {
	redis.SetLogger(redisLog{a.log.With("component", "redis")})
	client, err := location.DialRedis(a.cfg.Redis.URL.Reveal())
	if err != nil {
		return err
	}
	a.onStop("redis", client.Close)
	shared, err := location.NewRedis(location.RedisOptions{
		Client: client, Node: a.id.node, Boot: a.id.boot, Address: a.nodeAddress, Later: true, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	store := location.NewResilient(location.ResilientOptions{Store: shared, Logger: a.log, Registerer: a.registry})
	a.onStop("registrations", store.Close)
	a.location, a.mirror = store, store.Mirror()
	a.follow, a.storeMode = store.Run, store.Mode
	a.freshen = func(ctx context.Context, extension string) {
		if err := store.Freshen(ctx, location.AOR(extension+"@"+a.cfg.SIP.Domain)); err != nil {
			a.log.DebugContext(ctx, "not known what other nodes have refreshed", slog.String("extension", extension), slog.Any("error", err))
		}
	}
	a.cluster = a.newCluster(shared, location.NodesOptions{Store: shared, Mirror: a.mirror, Drop: store.Drop, Logger: a.log})
	a.cluster.client = client
	return nil
}

// redisLog takes the words of the client library, which has a global logger only.
// They are for debugging: what failed is told by who asked.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}
