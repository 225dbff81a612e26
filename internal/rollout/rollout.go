// Package rollout does something to many phones without doing harm to all of
// them: a few first, then more, at random moments, never too many at once, each
// watched until it has proved that it is well, and stopped when too many are not.
// It runs the jobs of resync, reboot, firmware and templates, a single phone being
// a job of one. It does not know what is done nor how success shows: a Task says
// that. It keeps its state in a Store and goes on after a restart where it was.
//
// One mutex, Engine.mu, owns all jobs. Tasks and the Store are called without it.
package rollout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pbx.dev/dialtone/internal/phone"
)

// Task is what a kind of job does to one phone and how it shows. Both methods are
// called from many goroutines, and end with ctx.
type Task interface {
	// Begin acts on the phone, once, and may take as long as the phone's patience.
	// An error ends the phone's part as failed; *Failure says with which outcome.
	Begin(ctx context.Context, job phone.Job, phoneID string) error
	// Look says how far the phone is. It is called after Begin, whenever something
	// happened to the phone (Engine.Observe), after a restart, and once more when
	// its patience has ended: what it says then is the outcome, done or not. It
	// must be quick and must not change anything.
	Look(ctx context.Context, job phone.Job, p phone.JobPhone) Verdict
}

// Verdict is how a phone stands.
type Verdict struct {
	Outcome string // the task's word, e.g. "applied"
	Reason  string // one sentence; may be empty
	Done    bool   // it will not change any more
	OK      bool   // it counts as a success
}

// Failure is an error of Task.Begin with an outcome.
type Failure struct{ Outcome, Reason string }

// Error implements error.
func (f *Failure) Error() string { return f.Outcome + ": " + f.Reason }

// Store keeps jobs. Errors are logged and what could not be stored is tried again,
// except in Start.
type Store interface {
	CreateJob(ctx context.Context, job phone.Job, phones []phone.JobPhone) error
	// SaveJob stores the job and those of its phones that changed, together.
	// phone.ErrConflict: another node has taken the job over; it is let go.
	SaveJob(ctx context.Context, job phone.Job, changed []phone.JobPhone) error
	// UnfinishedJobs returns the jobs of a node whose EndedAt is zero.
	UnfinishedJobs(ctx context.Context, node string) ([]phone.Job, error)
	// JobPhones returns up to limit phones of a job after one of them, ascending by
	// PhoneID, "" for the start.
	JobPhones(ctx context.Context, jobID, after string, limit int) ([]phone.JobPhone, error)
}

// maxJobs bounds the jobs that have not ended.
const maxJobs = 1000

// Options of New. Store and Tasks are required.
type Options struct {
	Store Store
	Tasks map[string]Task // by kind
	Node  string          // runs its own jobs only
	// Recheck is how often phones under way are looked at without a reason, for
	// what happened at other nodes; 0: never.
	Recheck time.Duration
	// Others has the jobs of other nodes, which are taken over when those fall silent;
	// nil: there are none. SilentFor is how long that is, more than clocks may differ
	// and a sign of life be late; 0: a minute.
	Others    Others
	SilentFor time.Duration

	Now        func() time.Time      // nil: time.Now
	Random     func() float64        // in [0,1); nil: math/rand
	Logger     *slog.Logger          // nil: discard
	Registerer prometheus.Registerer // nil: none
}

// Engine runs jobs. Its methods may be called from many goroutines.
type Engine struct {
	o       Options
	metrics *metrics
	wake    chan struct{} // capacity 1
	saving  chan struct{} // capacity 1: held by who stores
	busy    atomic.Int64  // phones under way, to make Observe cheap
	wg      sync.WaitGroup

	mu    sync.Mutex
	jobs  map[string]*run
	under map[string][]*run // by phone that is under way
	life  context.Context   // of Run; nil before and after
}

// run is a job that has not ended.
type run struct {
	m       *machine
	task    Task
	toBegin []string // working, but not acted on before that is stored
	looks   map[string]*look
}

// look is the look at one phone that is under way.
type look struct{ again, final bool }

// New returns an engine; Run lets it work.
func New(o Options) (*Engine, error) {
	if o.Store == nil || len(o.Tasks) == 0 {
		return nil, errors.New("rollout: Store and Tasks are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SilentFor <= 0 {
		o.SilentFor = time.Minute
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "rollout")
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Engine{
		o: o, metrics: m, wake: make(chan struct{}, 1), saving: make(chan struct{}, 1),
		jobs: map[string]*run{}, under: map[string][]*run{},
	}, nil
}

// Start makes a job of the phones, in the order of ids, each once, and returns it
// when it is stored. Kind, Args and Waves say what is done and how; the rest is
// filled in, an ID too unless there is one, which must be new. phone.ErrConflict when too many jobs have not ended.
func (e *Engine) Start(ctx context.Context, job phone.Job, ids []string) (phone.Job, error) {
	task := e.o.Tasks[job.Kind]
	if task == nil {
		return job, phone.Invalid("kind", "there is no such kind of job")
	}
	if err := checkWaves(job.Waves); err != nil {
		return job, err
	}
	if job.Node = e.o.Node; job.ID == "" {
		job.ID = "job_" + strings.ToLower(rand.Text()[:20])
	}
	m := newMachine(job, unique(ids), e.o.Now(), e.o.Random)
	stored, phones, _ := m.changes()
	e.mu.Lock()
	if len(e.jobs) >= maxJobs {
		e.mu.Unlock()
		return job, fmt.Errorf("%d jobs have not ended yet: %w", maxJobs, phone.ErrConflict)
	}
	e.mu.Unlock()
	if err := e.o.Store.CreateJob(ctx, stored, phones); err != nil {
		return job, err
	}
	if !m.over() {
		e.mu.Lock()
		if e.jobs[job.ID] == nil { // or Run has just read it
			e.jobs[job.ID] = &run{m: m, task: task, looks: map[string]*look{}}
		}
		e.mu.Unlock()
		e.poke()
	}
	return stored, nil
}

func checkWaves(w phone.Waves) error {
	last := 0
	for _, p := range w.Percents {
		if p <= last || p > 100 {
			return phone.Invalid("waves.percents", "must ascend from 1 to 100")
		}
		last = p
	}
	switch {
	case w.Canary < 0:
		return phone.Invalid("waves.canary", "must not be negative")
	case w.HaltPercent < 0 || w.HaltPercent > 100:
		return phone.Invalid("waves.haltPercent", "must be 0 to 100")
	case w.Jitter < 0 || w.Soak < 0 || w.Patience < 0:
		return phone.Invalid("waves", "times must not be negative")
	}
	return nil
}

// unique drops repetitions.
func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// Pause begins no more phones of a job until Resume.
func (e *Engine) Pause(ctx context.Context, id string) error {
	return e.order(ctx, id, func(m *machine) error { return m.pause() })
}

// Resume lets a paused or halted job go on.
func (e *Engine) Resume(ctx context.Context, id string) error {
	return e.order(ctx, id, func(m *machine) error { return m.resume(e.o.Now()) })
}

// Abort ends a job; phones under way are watched to their end. why is one
// sentence.
func (e *Engine) Abort(ctx context.Context, id, why string) error {
	return e.order(ctx, id, func(m *machine) error { return m.abort(e.o.Now(), why) })
}

// order changes a job and stores it. phone.ErrNotFound for one that has ended or
// that another node runs, phone.ErrConflict when its state forbids it.
func (e *Engine) order(ctx context.Context, id string, change func(*machine) error) error {
	e.mu.Lock()
	r := e.jobs[id]
	err := phone.ErrNotFound
	if r != nil {
		err = change(r.m)
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	defer e.poke()
	return e.save(ctx, id)
}

// Job returns a job that has not ended as it is this very moment; the Store has
// the others, and these a moment late.
func (e *Engine) Job(id string) (phone.Job, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.jobs[id]
	if r == nil {
		return phone.Job{}, false
	}
	return r.m.job, true
}

// Phones returns how many phones are under way.
func (e *Engine) Phones() int { return int(e.busy.Load()) }

func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
