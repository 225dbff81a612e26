package location

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// MirrorOptions are the settings of a Mirror; all have defaults.
type MirrorOptions struct {
	Now        func() time.Time      // nil is time.Now
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
	// Missing is asked about bindings that the mirror has and the store has not,
	// and returns those that live on, as they are now: after a store has lost what
	// it had, its nodes know better. reloaded is true for all that a full read did
	// not find, false for those that have run out by what the mirror knows. nil
	// keeps none. It is called by Run and must not block.
	Missing func(gone []Binding, reloaded bool) []Binding
}

// Mirror is the view of all live bindings of a store in memory, for lists and
// statistics that a store could only answer by reading everything. It follows
// the store by List and Watch. It may be late by about a second, so calls are
// routed by Store.Lookup and not by it.
//
// A store need not report plain refreshes that only last longer. So a binding whose
// time has come is looked up once more before it counts as expired; while the
// store cannot be reached, it stays.
type Mirror struct {
	store   Store
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics
	missing func(gone []Binding, reloaded bool) []Binding

	changes chan Change    // from Watch
	grants  chan []Binding // from learnGrants
	results chan rechecked // from lookups
	wake    chan struct{}  // a subscriber has come; capacity 1
	loaded  chan struct{}  // closed after the first load

	mu          sync.RWMutex
	aors        map[AOR]*entry // written by the goroutine of Run only
	count       int
	subscribers []*subscriber

	// Of the goroutine of Run.
	expiries expiries
	asking   int       // lookups under way
	reloadAt time.Time // zero: nothing to load
	filled   bool      // has been, once
	delay    time.Duration
}

const (
	mirrorTick    = 100 * time.Millisecond
	mirrorPage    = 5000
	mirrorAsks    = 32 // lookups at a time
	mirrorTimeout = 5 * time.Second
)

// NewMirror makes the mirror of a store; Run fills it.
func NewMirror(store Store, opts MirrorOptions) *Mirror {
	m := &Mirror{
		store: store, now: orNow(opts.Now), log: opts.Logger,
		metrics: newMetrics(opts.Registerer, "mirror"),
		changes: make(chan Change, 1024),
		grants:  make(chan []Binding, 256),
		results: make(chan rechecked, mirrorAsks),
		wake:    make(chan struct{}, 1),
		loaded:  make(chan struct{}),
		aors:    make(map[AOR]*entry),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.missing = opts.Missing
	if m.missing == nil {
		m.missing = func([]Binding, bool) []Binding { return nil }
	}
	return m
}

// Ready reports whether the mirror has been filled once.
func (m *Mirror) Ready() bool {
	select {
	case <-m.loaded:
		return true
	default:
		return false
	}
}

// Loaded is closed when the mirror has been filled once.
func (m *Mirror) Loaded() <-chan struct{} { return m.loaded }

// Bindings returns the bindings of aor, highest q first, then newest.
func (m *Mirror) Bindings(aor AOR) []Binding {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if e := m.aors[aor]; e != nil {
		return slices.Clone(e.bindings)
	}
	return nil
}

// Kept returns b, as it was just reported, where the mirror keeps it: it is never
// modified, and who keeps all bindings needs no copies of his own. Only subscribers
// may call it, while they are told.
func (m *Mirror) Kept(b Binding) *Binding {
	if kept := m.get(b.AOR, b.ID); kept != nil {
		return kept
	}
	return &b
}

// Len is the number of bindings.
func (m *Mirror) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.count
}

// Run follows the store until ctx ends.
func (m *Mirror) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { m.follow(ctx) })
	tick := time.NewTicker(mirrorTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-m.changes:
			if c.Kind == "" {
				m.reloadAt, m.delay = m.now(), retryFirst
			} else {
				m.apply(c)
			}
		case bs := <-m.grants:
			for i := range bs {
				m.granted(&bs[i])
			}
		case r := <-m.results:
			m.asking--
			m.settle(r)
		case <-m.wake:
		case <-tick.C:
			m.recheck(ctx, &work)
		}
		m.reloadIfDue(ctx)
		m.welcome()
		if m.filled && !m.Ready() {
			close(m.loaded) // only now: the subscribers know what was there
		}
	}
}

// follow keeps a Watch going. A full channel holds it up: it is for the store to
// keep the changes, or to say that it could not.
func (m *Mirror) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.store.Watch(ctx, func(c Change) {
			select {
			case m.changes <- c:
			case <-ctx.Done():
			}
		})
		if ctx.Err() == nil {
			m.log.ErrorContext(ctx, "watching the location store ended", slog.Any("error", err))
			select {
			case <-ctx.Done():
			case <-time.After(retryMost):
			}
		}
	}
}
