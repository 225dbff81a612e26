// Package leasefile keeps DHCP leases in one file on this machine: records that are
// appended, many with one fdatasync, and now and then written anew without what is
// over. A lease that SaveLease acknowledged survives kill -9 and a power cut. It
// serves one process; several nodes share leases through the database instead.
package leasefile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
)

// Store is the open file. All methods may be called from many goroutines.
type Store struct {
	dir  string
	log  *slog.Logger
	lock *os.File

	mu      sync.Mutex
	pending *batch // being filled
	wake    *sync.Cond
	closed  bool
	done    chan struct{} // the committer has ended
	company bool          // the last batch had more than one
	full    chan struct{} // capacity 1: the pending batch is a crowd

	// Of the committer alone.
	file   *os.File
	size   int64 // of what was written
	filled int64 // size of the file, zeros after size
	bad    bool  // what the file holds beyond size is unknown: it has to be written anew

	live   sync.RWMutex // guards leases
	leases map[phone.MAC]phone.Lease
}

// batch is what one commit makes durable.
type batch struct {
	records []byte
	changes []change
	done    chan struct{}
	err     error
}

// change is one record: a lease, or with an empty IP its end.
type change = phone.Lease

const (
	fileName = "leases"
	lockName = "leases.lock"
	// compactAbove and compactRatio say when the file is written anew: it is that
	// large, and that many times what its leases take.
	compactAbove = 4 << 20
	compactRatio = 4
)

// ErrClosed is what a store that was closed answers.
var ErrClosed = errors.New("the file of leases is closed")

// Open opens or makes the file in dir. first is called when there is none yet, for
// leases from elsewhere. What a crash left half written at the end is dropped and
// logged. A second process in dir is an error.
func Open(dir string, log *slog.Logger, first func() ([]phone.Lease, error)) (*Store, error) {
	s := &Store{dir: dir, log: log, leases: map[phone.MAC]phone.Lease{}, done: make(chan struct{}), full: make(chan struct{}, 1)}
	s.wake = sync.NewCond(&s.mu)
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open the leases: %w", err)
	}
	if err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("the leases in %s are in use by another process", dir)
	}
	if err := s.load(first); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	go s.commitAll()
	return s, nil
}

// load reads the file, or writes the first one.
func (s *Store) load(first func() ([]phone.Lease, error)) error {
	f, err := os.OpenFile(filepath.Join(s.dir, fileName), os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		list, err := first()
		if err != nil {
			return err
		}
		for _, l := range list {
			s.leases[l.MAC] = l
		}
		return s.rewrite()
	}
	if err != nil {
		return err
	}
	s.file = f
	var damaged bool
	s.size, damaged, err = readAll(f, func(c change) { apply(s.leases, c) })
	if err != nil {
		f.Close()
		return err
	}
	if damaged {
		s.log.Warn("the file of leases ends in a damaged record, which is dropped", "at", s.size)
	}
	s.filled = s.size
	return f.Truncate(s.size)
}

// SaveLease returns once the lease is durable; it replaces the one of that MAC.
func (s *Store) SaveLease(ctx context.Context, l phone.Lease) error {
	if l.IP == "" {
		return phone.Invalid("ip", "is missing")
	}
	return s.write(ctx, l)
}

// DeleteLease forgets the lease of mac; none is no error.
func (s *Store) DeleteLease(ctx context.Context, mac phone.MAC) error {
	return s.write(ctx, change{MAC: mac})
}

// Leases returns every lease, expired ones too.
func (s *Store) Leases(context.Context) ([]phone.Lease, error) {
	s.live.RLock()
	defer s.live.RUnlock()
	return slices.Collect(maps.Values(s.leases)), nil
}

// write adds a change to the batch that is being filled and waits for it. When ctx
// ends first the change may become durable all the same.
func (s *Store) write(ctx context.Context, c change) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.pending == nil {
		s.pending = &batch{done: make(chan struct{})}
		s.wake.Signal()
	}
	b := s.pending
	b.records = appendRecord(b.records, c)
	b.changes = append(b.changes, c)
	if len(b.changes) == crowd {
		select {
		case s.full <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitAll writes batch after batch: what comes while one is written is the next.
func (s *Store) commitAll() {
	defer close(s.done)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for {
		s.mu.Lock()
		for s.pending == nil && !s.closed {
			s.wake.Wait()
		}
		wait := s.pending != nil && s.company && len(s.pending.changes) < crowd && !s.closed
		s.mu.Unlock()
		if wait {
			timer.Reset(linger)
			select {
			case <-s.full:
			case <-timer.C:
			}
		}
		s.mu.Lock()
		b := s.pending
		s.pending = nil
		s.mu.Unlock()
		if b == nil {
			return
		}
		b.err = s.commit(b)
		s.mu.Lock()
		s.company = len(b.changes) > 1
		s.mu.Unlock()
		close(b.done)
	}
}

// linger is how long a batch waits at most for company when the one before had some,
// and crowd how large it need not grow. A phone that is alone does not wait; a thousand
// share fewer syncs of the disk, which are dear.
const (
	linger = 2 * time.Millisecond
	crowd  = 48
)

// Close writes what is pending and closes the file. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
	if was {
		return nil
	}
	return errors.Join(s.file.Close(), s.lock.Close())
}

// apply is what a record does.
func apply(m map[phone.MAC]phone.Lease, c change) {
	if c.IP == "" {
		delete(m, c.MAC)
		return
	}
	m[c.MAC] = c
}
