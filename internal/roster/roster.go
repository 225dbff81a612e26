// Package roster is the correlation at the heart of dialtone: which phone is on
// which desk, is it alive, and what model and firmware does it run. It joins the
// devices of the inventory with the live contacts of the location service and
// the events of provisioning, in memory, for the list, the statistics and the
// search of the REST API. It decides nothing about calls, stores nothing but
// what was last seen, and never blocks the part of the house that tells it news.
//
// One read-write mutex, Roster.mu, owns all state. No I/O happens under it:
// what is to be saved is marked, and Run writes it in batches. A phone with a
// live contact takes about 1.5 kB (BenchmarkCity), 150 MB for 100 000.
package roster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// Bounds of what is kept.
const (
	// maxIdlePerExtension bounds the phones that were only seen and are not
	// registered, per extension: a browser may come with a new identity each day.
	maxIdlePerExtension = 64
	// maxPending bounds the phones that wait for adoption and never registered.
	maxPending = 1000
	// waitFor is how long such a phone stays in the list after it was last heard.
	waitFor = 24 * time.Hour
	// refreshSaveEvery is how stale the stored time of a plain refresh may get.
	refreshSaveEvery = 10 * time.Minute
	// pageSize is how many rows Load asks for at once and Flush writes at once.
	pageSize = 1000
)

// Saver stores what was last seen. Calls come from one goroutine at a time. All
// three are idempotent, and a device or phone that is gone is not an error.
type Saver interface {
	SaveSeen(ctx context.Context, phones []phone.Seen) error
	DeleteSeen(ctx context.Context, ids []string) error
	SaveDeviceStates(ctx context.Context, states []phone.DeviceState) error
}

// Options of New. A nil loader loads nothing; without Save nothing is saved.
type Options struct {
	// The loaders return up to limit items after a key, ascending by it: the ID
	// of a device, the number of an extension, the ID of a seen phone, the
	// DeviceID of a device's state. A short page is the last one.
	Devices      func(ctx context.Context, after string, limit int) ([]phone.Device, error)
	Extensions   func(ctx context.Context, after string, limit int) ([]phone.Extension, error)
	Seen         func(ctx context.Context, after string, limit int) ([]phone.Seen, error)
	DeviceStates func(ctx context.Context, after string, limit int) ([]phone.DeviceState, error)
	Save         Saver

	// ForgetAfter is how long a phone that is not provisioned stays in the list
	// after it was last registered; 0 is 30 days.
	ForgetAfter time.Duration
	// ShowUnknown lists a phone with an unknown MAC that asks for a file or an
	// address as "pending", when its MAC belongs to a vendor of phone.Vendors.
	ShowUnknown bool

	// Kept returns a contact that Binding is just told of in a place where it stays
	// and is never modified, which spares a copy of each; nil makes the copies.
	Kept func(location.Binding) *location.Binding

	// Drifted hears of every change of a phone's drift, while the list is locked: it
	// must be quick and must not ask the list. What is found at a Load is told as well.
	Drifted func(DriftChange)

	// Wanted is the version of the firmware that a phone should run instead of what it
	// runs; "" when that is right. It is called while the list is locked: it must be
	// quick and must not ask the list. nil: phones may run what they like.
	Wanted func(Runs) string

	Now        func() time.Time      // nil: time.Now
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Roster is the list of phones. Its methods may be called from many goroutines;
// those without a context do no I/O.
type Roster struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics

	wake    chan struct{} // capacity 1: there is something to save
	saving  chan struct{} // capacity 1: held by the one Flush that writes
	loading chan struct{} // capacity 1: held by the one Load that runs

	mu sync.RWMutex // owns st and everything reachable from it
	st *state
}

// New returns an empty roster. Load fills it, Run keeps what changes.
func New(opts Options) (*Roster, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Kept == nil {
		opts.Kept = func(b location.Binding) *location.Binding { return &b }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.ForgetAfter <= 0 {
		opts.ForgetAfter = 30 * 24 * time.Hour
	}
	r := &Roster{
		opts: opts, log: opts.Logger.With("component", "roster"), now: opts.Now,
		wake: make(chan struct{}, 1), saving: make(chan struct{}, 1), loading: make(chan struct{}, 1),
		st: newState(),
	}
	r.st.dirty.off, r.st.drifted = opts.Save == nil, opts.Drifted
	r.st.wanted = opts.Wanted
	m, err := newMetrics(opts.Registerer, r)
	if err != nil {
		return nil, err
	}
	r.metrics = m
	return r, nil
}

// change runs fn with the state locked, then wakes Run if fn left something to
// save.
func (r *Roster) change(fn func(s *state)) {
	dirty := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		fn(r.st)
		return r.st.dirty.any()
	}()
	if dirty {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}
