package location

import (
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
	clock    *clock
	now      func() time.Time // of clock
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
	m := &Memory{opts: opts, clock: newClock(orNow(opts.Now)), log: opts.Logger, closed: make(chan struct{})}
	m.now = m.clock.now
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
