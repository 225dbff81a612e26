package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

var (
	_ Store     = (*Resilient)(nil)
	_ Submitter = (*Resilient)(nil)
)

// shared is a Store that can be lost sight of, and can lose what it had. *Redis
// is one.
type shared interface {
	Store
	Submitter
	Restore(ctx context.Context, held []Held) error
	Lost(aor AOR) bool
	Regained()
}

var _ shared = (*Redis)(nil)

// ResilientOptions are the settings of a Resilient. Store is required.
type ResilientOptions struct {
	// Store may have been opened Later: the mode is degraded until it is there.
	Store *Redis
	// ShortMin and ShortMax bound the expiry that is granted while the store is
	// out of reach; each answer has its own, so that phones do not come back
	// together. 0 is 60 s and 120 s.
	ShortMin, ShortMax time.Duration
	// RestoreRate is how many bindings a second this node writes when the store is
	// back, 0 is 5000.
	RestoreRate int
	Now         func() time.Time      // nil is time.Now
	Logger      *slog.Logger          // nil discards
	Registerer  prometheus.Registerer // nil keeps no metrics
}

// Resilient is a store that goes on without its server, in a declared degraded
// mode (metric, log, Mode): a refresh of a binding that this node knows is granted
// for a short time and written when the server is back; anything new is
// ErrUnavailable; Lookup and List answer from the mirror. A server that comes back
// with less than it had is given back what this node knows, at a bounded rate.
// What it holds is bounded by the bindings that the mirror knows.
type Resilient struct {
	opts    ResilientOptions
	store   shared
	mirror  *Mirror
	log     *slog.Logger
	now     func() time.Time
	metrics *resilientMetrics
	limit   *rate.Limiter
	recent  *recent
	wake    chan struct{} // there is something to do for Run; capacity 1

	degraded atomic.Bool
	since    atomic.Int64 // when that began, or ended; ms, local
	skew     atomic.Int64 // clock of the store less ours, ms
	waiting  atomic.Int64 // len(pending)
	refused  atomic.Bool  // it was said that the store is there and cannot be used

	mu      sync.Mutex
	pending map[AOR]*pending
}

// pending is what has to be written for one AOR.
type pending struct {
	held    []Held // one per ID, newest state
	refill  bool   // all that the mirror has, too
	version int    // of this state
}

const (
	restoreAtOnce = 200 // bindings in one round trip
	// keepUnheard is how long after an outage began a binding counts although it
	// has run out by what this node knows: it may have been refreshed elsewhere.
	keepUnheard = 2 * time.Hour
	// settleTime is how long after an outage the mirror may still learn from its
	// watch that the store has lost something.
	settleTime = 5 * time.Second
)

// NewResilient makes a Resilient and the mirror that it needs. Run keeps both.
func NewResilient(opts ResilientOptions) *Resilient {
	if opts.ShortMin <= 0 {
		opts.ShortMin = time.Minute
	}
	if opts.ShortMax <= 0 {
		opts.ShortMax = 2 * time.Minute
	}
	if opts.RestoreRate <= 0 {
		opts.RestoreRate = 5000
	}
	r := &Resilient{
		opts: opts, store: opts.Store, log: opts.Logger, now: orNow(opts.Now),
		metrics: newResilientMetrics(opts.Registerer),
		limit:   rate.NewLimiter(rate.Limit(opts.RestoreRate), max(restoreAtOnce, opts.RestoreRate/10)),
		recent:  newRecent(), wake: make(chan struct{}, 1), pending: make(map[AOR]*pending),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if !opts.Store.Settled() {
		r.fellOver(context.Background(), fmt.Errorf("at the start: %w", ErrUnavailable))
	}
	r.mirror = NewMirror(opts.Store, MirrorOptions{Now: opts.Now, Logger: opts.Logger, Registerer: opts.Registerer, Missing: r.missing})
	return r
}

// Mirror returns the mirror of the store, for lists.
func (r *Resilient) Mirror() *Mirror { return r.mirror }

// Mode says in what way the store works now: "" is as it should, otherwise a
// sentence that says what does not.
func (r *Resilient) Mode() string {
	if !r.degraded.Load() {
		return ""
	}
	since := time.UnixMilli(r.since.Load()).UTC().Format(time.RFC3339)
	return "degraded since " + since + ": redis cannot be reached; known registrations are refreshed for a short time, " +
		"new ones are refused, calls and lists are answered from memory"
}

// storeNow is the clock of the store, as far as it is known.
func (r *Resilient) storeNow() int64 { return toMillis(r.now()) + r.skew.Load() }

// fellOver reports whether an error is the store's, not the caller's, and if so
// begins the degraded mode.
func (r *Resilient) fellOver(ctx context.Context, err error) bool {
	if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		return false
	}
	if r.degraded.CompareAndSwap(false, true) {
		r.since.Store(toMillis(r.now()))
		r.metrics.degraded.Set(1)
		r.log.ErrorContext(ctx, "redis cannot be reached: registrations are in degraded mode", slog.Any("error", err))
		r.poke()
	}
	return true
}

func (r *Resilient) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
