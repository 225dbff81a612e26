package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

var (
	_ Store     = (*Redis)(nil)
	_ Submitter = (*Redis)(nil)
)

// RedisOptions are the settings of a Redis store. Client is required.
type RedisOptions struct {
	// Client comes from OpenRedis. It stays the caller's to close, after the
	// store.
	Client redis.UniversalClient
	// Prefix begins every key: "dialtone", which is the default, or "dialtone:"
	// and more.
	Prefix string
	// Shards is how many hash slots the bindings are spread over, 1 to 1024, 0 is
	// 64. It is fixed with the first start and stored beside the bindings.
	Shards int
	// Node and Boot say who writes: Ping leaves Boot under the key of Node for
	// 15 seconds, as the sign of life of this node.
	Node, Boot string
	// Address is where other nodes reach this one, ip:port, and stands behind Boot
	// in the sign of life; nil or "" is nowhere.
	Address func() string
	// Later opens the store although the server does not answer: every call is
	// ErrUnavailable until a Ping has found it and the bindings laid out as here.
	Later bool
	// Now measures durations; bindings go by the clock of Redis. nil is time.Now.
	Now        func() time.Time
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
	// StreamLen is how many changes each shard keeps for watchers that are
	// behind, 0 is 1000 (about 45 MB of Redis at most).
	StreamLen int
}

// Redis is the store that several nodes share. Every Update is one round trip; what
// happens at the same time travels together, in one script. Nothing is answered that
// Redis has not acknowledged.
//
// Keys, with the shard in a hash tag so that all of an AOR is in one slot:
//
//	dialtone:{sNN}:contact:AOR:ID  string  the binding, record.go; its TTL is the granted Expires
//	dialtone:{sNN}:a:AOR           zset    the IDs of an AOR
//	dialtone:{sNN}:x               zset    AOR|ID by when it is to be looked at, all of the shard
//	dialtone:{sNN}:ev              stream  changes other than plain refreshes that last longer
//	dialtone:meta                  string  layout and number of shards
//	dialtone:node:NODE             string  boot id, then the address if there is one, for 15 s
type Redis struct {
	opts     RedisOptions
	client   redis.UniversalClient
	pipe     *redis.AutoPipeliner
	now      func() time.Time
	log      *slog.Logger
	metrics  *metrics
	outcomes outcomes
	scripts  scripts
	shards   []redisShard
	checked  atomic.Bool // the layout there is ours
	queue    redisQueue

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// redisShard is the keys of a shard, and what they begin with.
type redisShard struct {
	base, index, stream, aors, contacts string

	lost *atomic.Bool // bindings that were here, redis_restore.go
}

// unavailable hides the driver's error behind ErrUnavailable; why a context
// ended stays visible.
func unavailable(doing string, err error) error {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, cause)
		}
	}
	// The text only: the driver's errors are nobody else's business.
	return fmt.Errorf("%s: %w: %s", doing, ErrUnavailable, err.Error())
}

// heartbeat is how long the sign of life of a node lasts.
const heartbeat = 15 * time.Second

// Ping implements Store: it writes the sign of life of this node. In a Cluster
// every master must answer, too.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	key := r.nodeKey(r.opts.Node)
	value := r.opts.Boot
	if r.opts.Address != nil {
		value = strings.TrimSpace(value + " " + r.opts.Address())
	}
	if err := r.client.Set(ctx, key, value, heartbeat).Err(); err != nil {
		return unavailable("write "+key, err)
	}
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return nil
	}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() })
	if err != nil {
		return unavailable("ping masters", err)
	}
	return nil
}

func (r *Redis) nodeKey(node string) string { return r.opts.Prefix + ":node:" + escape(node) }

// Close implements Store. It leaves the client open. What was submitted is written
// first.
func (r *Redis) Close() error {
	r.queue.close()
	r.cancel()
	r.work.Wait()
	return nil
}

func (r *Redis) shard(aor AOR) *redisShard { return &r.shards[shardOf(aor, len(r.shards))] }
