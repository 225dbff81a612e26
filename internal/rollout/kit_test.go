package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pbx.dev/dialtone/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a Store in memory that can be told to fail.
type shelf struct {
	mu     sync.Mutex
	jobs   map[string]phone.Job
	phones map[string]map[string]phone.JobPhone
	broken bool
	silent string // node that has not said that it lives
}

func newShelf() *shelf {
	return &shelf{jobs: map[string]phone.Job{}, phones: map[string]map[string]phone.JobPhone{}}
}

func (s *shelf) CreateJob(ctx context.Context, job phone.Job, phones []phone.JobPhone) error {
	s.mu.Lock()
	s.phones[job.ID] = map[string]phone.JobPhone{}
	s.mu.Unlock()
	return s.SaveJob(ctx, job, phones)
}

func (s *shelf) SaveJob(_ context.Context, job phone.Job, changed []phone.JobPhone) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return fmt.Errorf("the shelf is broken")
	}
	if old, ok := s.jobs[job.ID]; ok && old.Node != job.Node {
		return phone.ErrConflict
	}
	s.jobs[job.ID] = job
	for _, p := range changed {
		s.phones[job.ID][p.PhoneID] = p
	}
	return nil
}

func (s *shelf) UnfinishedJobs(_ context.Context, node string) ([]phone.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []phone.Job
	for _, j := range s.jobs {
		if j.Node == node && j.EndedAt.IsZero() {
			out = append(out, j)
		}
	}
	return out, nil
}

// TakeJobs gives the node all jobs of the one that the test calls silent.
func (s *shelf) TakeJobs(_ context.Context, node string, _ time.Duration) (taken int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if s.silent != "" && j.Node == s.silent && j.EndedAt.IsZero() {
			j.Node = node
			s.jobs[id] = j
			taken++
		}
	}
	return taken, nil
}

func (s *shelf) JobPhones(_ context.Context, id, after string, limit int) ([]phone.JobPhone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []phone.JobPhone
	for _, p := range slices.Sorted(maps.Keys(s.phones[id])) {
		if p > after && len(out) < limit {
			out = append(out, s.phones[id][p])
		}
	}
	return out, nil
}

func (s *shelf) job(id string) phone.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[id]
}

func (s *shelf) breakIt(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = yes
}

func (s *shelf) phone(job, id string) phone.JobPhone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phones[job][id]
}

// ward is a Task whose phones do what the test says: those in bad never get well,
// the others do delay after they were begun.
type ward struct {
	mu     sync.Mutex
	delay  time.Duration
	bad    map[string]bool
	refuse map[string]error
	begun  map[string]time.Time
	order  []string
	most   int // begun and not well at one time
}

func newWard(delay time.Duration, bad ...string) *ward {
	w := &ward{delay: delay, bad: map[string]bool{}, refuse: map[string]error{}, begun: map[string]time.Time{}}
	for _, id := range bad {
		w.bad[id] = true
	}
	return w
}

func (w *ward) Begin(_ context.Context, _ phone.Job, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, twice := w.begun[id]; twice {
		panic("begun twice: " + id)
	}
	w.begun[id] = time.Now()
	w.order = append(w.order, id)
	under := 0
	for _, at := range w.begun {
		if time.Since(at) < w.delay {
			under++
		}
	}
	w.most = max(w.most, under)
	return w.refuse[id]
}

func (w *ward) Look(_ context.Context, _ phone.Job, p phone.JobPhone) Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case time.Since(p.StartedAt) >= w.delay && !w.bad[p.PhoneID]:
		return Verdict{Outcome: "applied", Done: true, OK: true}
	case time.Since(p.StartedAt) >= w.delay/2:
		return Verdict{Outcome: "fetched-not-registered", Reason: "it did not register"}
	}
	return Verdict{Outcome: "no-answer"}
}

func (w *ward) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.begun)
}

// lab is a running engine in virtual time.
type lab struct {
	*Engine
	t     *testing.T
	shelf *shelf
	ward  *ward
	stop  func()
	every time.Duration // of Recheck
}

// inLab runs a test in virtual time. Every phone under way is looked at once a
// second, as if it had done something.
func inLab(t *testing.T, w *ward, test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, shelf: newShelf(), ward: w, every: time.Second}
		l.start()
		defer func() { l.stop() }()
		test(t, l)
	})
}

func (l *lab) start() { l.startAs("n1", nil) }

func (l *lab) startAs(node string, others Others) {
	e, err := New(Options{
		Store: l.shelf, Tasks: map[string]Task{"resync": l.ward}, Node: node, Random: steady(), Recheck: l.every, Others: others,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	l.Engine = e
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
}

// steady is a random source that spreads evenly.
func steady() func() float64 {
	n := 0
	return func() float64 { n++; return float64(n*61%100) / 100 }
}

func (l *lab) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (l *lab) begin(waves phone.Waves, ids []string) phone.Job {
	l.t.Helper()
	job, err := l.Start(l.t.Context(), phone.Job{ID: "job_1", Kind: "resync", Waves: waves}, ids)
	if err != nil {
		l.t.Fatal(err)
	}
	synctest.Wait()
	return job
}

func (l *lab) want(state phone.JobState, counts string) {
	l.t.Helper()
	j := l.shelf.job("job_1")
	c := j.Counts
	got := fmt.Sprintf("%d waiting, %d working, %d ok, %d failed, %d skipped", c.Waiting, c.Working, c.Succeeded, c.Failed, c.Skipped)
	if j.State != state || got != counts {
		l.t.Fatalf("%s: %s (%s), want %s: %s", j.State, got, j.Reason, state, counts)
	}
}

func phones(n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("phone_%03d", i))
	}
	return ids
}
