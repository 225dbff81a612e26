package location

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	_ Store     = (*Memory)(nil)
	_ Submitter = (*Memory)(nil)
)

const (
	memoryShards = 64
	sweepEvery   = 200 * time.Millisecond
)

// MemoryOptions are the settings of a Memory. The zero value is a store that
// forgets everything when it is closed.
type MemoryOptions struct {
	// Dir is where the journal lives; it is made when missing. Empty keeps
	// nothing on disk.
	Dir        string
	Now        func() time.Time      // nil is time.Now
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil keeps no metrics
	// NoSync leaves it to the kernel when the journal reaches the disk: kill -9
	// loses nothing, a power cut the last seconds.
	NoSync bool
	// CompactBytes is the size of the journal from which on it is replaced by a
	// snapshot, 0 is 64 MiB.
	CompactBytes int64
}

// Memory is the embedded store: all bindings in memory, every change in a
// journal on disk. Updates that arrive while the disk is busy are written and
// synced together, so that their rate does not depend on the disk's.
//
// One goroutine, the committer, makes all changes. What it has worked out is
// seen by Lookup, List and Watch only when it is on the disk; when the disk
// refuses, nothing has changed.
type Memory struct {
	opts     MemoryOptions
	now      func() time.Time
	log      *slog.Logger
	metrics  *metrics
	outcomes outcomes
	shards   [memoryShards]memoryShard
	watchers watchers
	lock     *os.File
	requests sync.Pool // of *request

	queue  queue
	closed chan struct{} // when the committer has ended

	committer committer
	compacts  sync.WaitGroup
	compactOn atomic.Bool // a snapshot is being written
	closing   atomic.Bool // makes it give up

	snapshotSize atomic.Int64
}

type memoryShard struct {
	mu sync.RWMutex
	m  map[AOR]*entry
}

// NewMemory opens the store in opts.Dir and loads what it holds. It fails when
// another process has the directory open. Damage, as a crash leaves it at the
// end of the journal, is logged and skipped.
func NewMemory(opts MemoryOptions) (*Memory, error) {
	m := &Memory{opts: opts, now: orNow(opts.Now), log: opts.Logger, closed: make(chan struct{})}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if opts.CompactBytes == 0 {
		m.opts.CompactBytes = 64 << 20
	}
	m.metrics = newMetrics(opts.Registerer, "memory")
	m.outcomes = newOutcomes(m.metrics)
	m.requests.New = func() any { return &request{done: make(chan struct{}, 1)} }
	m.queue.wake = make(chan struct{}, 1)
	for i := range m.shards {
		m.shards[i].m = make(map[AOR]*entry)
	}
	if opts.Dir != "" {
		if err := m.open(); err != nil {
			return nil, fmt.Errorf("open location store: %w", err)
		}
	}
	go m.run()
	return m, nil
}

func (m *Memory) open() error {
	if err := os.MkdirAll(m.opts.Dir, 0o700); err != nil {
		return err
	}
	lock, err := lockDir(m.opts.Dir)
	if err != nil {
		return err
	}
	m.lock = lock
	m.committer.journal = &journal{dir: m.opts.Dir, sync: !m.opts.NoSync}
	if err := m.load(); err != nil {
		lock.Close()
		return err
	}
	return nil
}

func (m *Memory) shard(aor AOR) *memoryShard { return &m.shards[shardOf(aor, memoryShards)] }

// Apply implements Store. It returns when the update is on the disk. A ctx that
// ends earlier withdraws an update that still waits; one that is being written
// is waited for.
func (m *Memory) Apply(ctx context.Context, u Update) (Result, error) {
	r := m.requests.Get().(*request)
	r.update = u
	if err := m.submit(ctx, r); err != nil {
		m.outcomes.count(err)
		return Result{}, err
	}
	res, err := Result{Bindings: r.bindings, Now: fromMillis(r.now)}, r.err
	if len(res.Bindings) > 0 {
		// The stored slice is shared with all readers: the caller gets his own.
		res.Bindings = append(make([]Binding, 0, len(r.bindings)), r.bindings...)
	}
	m.release(r)
	m.outcomes.count(err)
	if err != nil {
		return Result{}, err
	}
	return res, nil
}

// Submit implements Submitter. done is called by the committer between two commits.
func (m *Memory) Submit(updates []Update, done func([]Outcome)) {
	if len(updates) == 0 {
		done(nil)
		return
	}
	g := &group{outs: make([]Outcome, 0, len(updates)), done: done}
	g.outs = g.outs[:0:len(updates)]
	rs := make([]*request, len(updates))
	for i := range updates {
		r := m.requests.Get().(*request)
		r.update, r.group = updates[i], g
		rs[i] = r
	}
	if m.queue.put(rs...) {
		return
	}
	for i, r := range rs {
		m.release(r)
		g.outs = append(g.outs, Outcome{Err: unavailable("apply to "+string(updates[i].AOR), errClosed)})
		m.outcomes.unavailable.Inc()
	}
	done(g.outs)
}

// Lookup implements Store.
func (m *Memory) Lookup(ctx context.Context, aor AOR) ([]Binding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := m.shard(aor)
	s.mu.RLock()
	var bindings []Binding
	if e := s.m[aor]; e != nil {
		bindings = e.bindings
	}
	s.mu.RUnlock()
	return liveOf(bindings, toMillis(m.now())), nil
}

// single implements resident.
func (m *Memory) single(aor AOR) []Binding {
	s := m.shard(aor)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.m[aor]; e != nil && len(e.bindings) == 1 {
		return e.bindings
	}
	return nil
}

// Watch implements Store. Plain refreshes are reported, too.
func (m *Memory) Watch(ctx context.Context, fn func(Change)) error {
	w := m.watchers.add()
	defer m.watchers.remove(w)
	fn(Change{})
	return w.run(ctx, m.closed, fn, m.metrics.gaps.Inc)
}

// pingAge is for how long a write that went well shows that the next one will.
const pingAge = 5 * time.Second

// Ping implements Store: it writes to the journal unless that was done a moment
// ago.
func (m *Memory) Ping(ctx context.Context) error {
	r := m.requests.Get().(*request)
	r.ping = true
	if err := m.submit(ctx, r); err != nil {
		return err
	}
	err := r.err
	m.release(r)
	return err
}

// Close implements Store. Updates that wait are written first.
func (m *Memory) Close() error {
	m.closing.Store(true)
	m.queue.close()
	<-m.closed
	m.compacts.Wait()
	if m.lock == nil {
		return nil
	}
	err := m.committer.journal.close()
	m.lock.Close() // gives the lock up
	m.lock = nil
	return err
}
