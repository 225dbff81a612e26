package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// startTimeout bounds what NewRedis asks of the server.
const startTimeout = 5 * time.Second

// NewRedis makes a store of a client. It fails with ErrUnavailable when Redis
// does not answer, and when the bindings there were laid out otherwise. A
// maxmemory-policy that may drop bindings is logged.
func NewRedis(opts RedisOptions) (*Redis, error) {
	r, err := newRedis(opts)
	if err != nil {
		return nil, fmt.Errorf("open location store: %w", err)
	}
	ctx, cancel := context.WithTimeout(r.ctx, startTimeout)
	defer cancel()
	if err := r.settle(ctx); err != nil && (!opts.Later || !errors.Is(err, ErrUnavailable) || locked(err)) {
		r.cancel()
		return nil, fmt.Errorf("open location store: %w", err)
	}
	r.work.Go(r.sweepLoop)
	return r, nil
}

// locked reports whether the server does not let us in: waiting does not help.
func locked(err error) bool {
	return strings.Contains(err.Error(), "NOAUTH") || strings.Contains(err.Error(), "WRONGPASS")
}

// settle looks once whether the bindings there are laid out as we do.
func (r *Redis) settle(ctx context.Context) error {
	if r.checked.Load() {
		return nil
	}
	if err := r.checkLayout(ctx); err != nil {
		return err
	}
	r.checkPolicy(ctx)
	r.checked.Store(true)
	return nil
}

// Settled reports whether the server has been found as it must be.
func (r *Redis) Settled() bool { return r.checked.Load() }

func newRedis(opts RedisOptions) (*Redis, error) {
	if opts.Prefix == "" {
		opts.Prefix = "dialtone"
	}
	if opts.Shards == 0 {
		opts.Shards = 64
	}
	if opts.StreamLen == 0 {
		opts.StreamLen = 1000
	}
	switch {
	case opts.Client == nil:
		return nil, errors.New("no redis client")
	case opts.Prefix != "dialtone" && !strings.HasPrefix(opts.Prefix, "dialtone:"), strings.ContainsAny(opts.Prefix, "{}*?[]\\ "):
		return nil, fmt.Errorf("prefix %q does not begin with \"dialtone:\" and go on in plain letters", opts.Prefix)
	case opts.Shards < 1 || opts.Shards > 1024:
		return nil, fmt.Errorf("%d shards, want 1 to 1024", opts.Shards)
	}
	pipe, err := opts.Client.AutoPipeline()
	if err != nil {
		return nil, fmt.Errorf("batch commands: %w", err)
	}
	r := &Redis{opts: opts, client: opts.Client, pipe: pipe, now: orNow(opts.Now), log: opts.Logger}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.metrics = newMetrics(opts.Registerer, "redis")
	r.outcomes = newOutcomes(r.metrics)
	r.scripts = newScripts()
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for i := range opts.Shards {
		base := fmt.Sprintf("%s:{s%02d}:", opts.Prefix, i)
		r.shards = append(r.shards, redisShard{base: base, index: base + "x", stream: base + "ev", aors: base + "a:", contacts: base + "contact:", lost: new(atomic.Bool)})
	}
	return r, nil
}

// checkPolicy warns of a server that drops keys when memory is short: each
// binding has a TTL, so registered phones would vanish.
func (r *Redis) checkPolicy(ctx context.Context) {
	got, err := r.client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		r.log.InfoContext(ctx, "cannot see the maxmemory-policy of redis, it must be noeviction", slog.Any("error", err))
		return
	}
	if policy := got["maxmemory-policy"]; policy != "noeviction" {
		r.log.WarnContext(ctx, "redis may drop registrations when its memory is full: set maxmemory-policy noeviction",
			slog.String("policy", policy))
	}
}
