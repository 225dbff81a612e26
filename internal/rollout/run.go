package rollout

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// retryAfter is when what could not be stored is tried again.
const retryAfter = 5 * time.Second

// Run goes on with the jobs of this node that have not ended and runs all others
// until ctx ends. What is under way then is left as it is, for the next start.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	e.life = ctx
	e.mu.Unlock()
	defer e.wg.Wait()
	if err := e.restore(ctx); err != nil {
		return fmt.Errorf("read the jobs that have not ended: %w", err)
	}
	if e.o.Others != nil {
		e.wg.Go(func() { e.watchOthers(ctx) })
	}
	recheck := make(<-chan time.Time)
	if e.o.Recheck > 0 {
		tick := time.NewTicker(e.o.Recheck)
		defer tick.Stop()
		recheck = tick.C
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-recheck:
			e.lookAtAll()
		case <-e.wake:
		case <-timer.C:
		}
		if next, ok := e.step(ctx); ok {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
	}
}

// restore reads what a run before has left.
func (e *Engine) restore(ctx context.Context) error {
	jobs, err := e.o.Store.UnfinishedJobs(ctx, e.o.Node)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		task := e.o.Tasks[job.Kind]
		if task == nil {
			e.o.Logger.WarnContext(ctx, "a job of an unknown kind is left alone", "job", job.ID, "kind", job.Kind)
			continue
		}
		phones, err := e.phonesOf(ctx, job.ID)
		if err != nil {
			return err
		}
		m := restored(job, phones, e.o.Random)
		m.advance(e.o.Now())
		e.mu.Lock()
		if e.jobs[job.ID] == nil { // or it was started just now
			r := &run{m: m, task: task, looks: map[string]*look{}}
			e.jobs[job.ID] = r
			for i := range m.working {
				e.underWayLocked(r, m.phones[i].PhoneID)
			}
		}
		e.mu.Unlock()
	}
	e.lookAtAll()
	return nil
}

func (e *Engine) phonesOf(ctx context.Context, id string) ([]phone.JobPhone, error) {
	const page = 5000
	var all []phone.JobPhone
	for after := ""; ; {
		some, err := e.o.Store.JobPhones(ctx, id, after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
		after = some[len(some)-1].PhoneID
	}
}

// step does what is due and returns when it has to be called again; false: when
// somebody calls poke.
func (e *Engine) step(ctx context.Context) (time.Duration, bool) {
	now := e.o.Now()
	e.mu.Lock()
	var ids []string
	for id, r := range e.jobs {
		for _, p := range r.m.begin(now) {
			r.toBegin = append(r.toBegin, p)
			e.underWayLocked(r, p)
		}
		for _, p := range r.m.overdue(now) {
			e.lookLocked(r, p, true)
		}
		ids = append(ids, id)
	}
	e.mu.Unlock()
	failed := false
	for _, id := range ids {
		if err := e.save(ctx, id); err != nil {
			failed = true
			continue
		}
		e.beginAll(id)
	}
	return e.next(failed)
}

// next is how long until something is due.
func (e *Engine) next(failed bool) (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.o.Now()
	var at time.Time
	for _, r := range e.jobs {
		// A phone that is looked at for the last time ends with poke.
		last := func(id string) bool { return r.looks[id] != nil && r.looks[id].final }
		if t := r.m.wake(last); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if failed && (at.IsZero() || at.Sub(now) > retryAfter) {
		at = now.Add(retryAfter)
	}
	return max(at.Sub(now), 0), !at.IsZero()
}

// save stores what changed of a job, in order: two savers of one job would
// overwrite the newer with the older. A job that is over is let go.
func (e *Engine) save(ctx context.Context, id string) error {
	select {
	case e.saving <- struct{}{}:
		defer func() { <-e.saving }()
	case <-ctx.Done():
		return ctx.Err()
	}
	e.mu.Lock()
	r := e.jobs[id]
	if r == nil {
		e.mu.Unlock()
		return nil
	}
	job, phones, changed := r.m.changes()
	e.mu.Unlock()
	if changed {
		err := e.o.Store.SaveJob(ctx, job, phones)
		if errors.Is(err, phone.ErrConflict) {
			e.letGo(ctx, r)
			return nil
		}
		if err != nil {
			e.o.Logger.ErrorContext(ctx, "job not stored", "job", id, "error", err)
			e.mu.Lock()
			r.m.undo(phones)
			e.mu.Unlock()
			return err
		}
	}
	if !job.EndedAt.IsZero() {
		e.mu.Lock()
		delete(e.jobs, id)
		e.mu.Unlock()
		e.metrics.jobs.WithLabelValues(job.Kind, string(job.State)).Inc()
	}
	return nil
}

// beginAll acts on the phones of a job whose turn is stored.
func (e *Engine) beginAll(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.jobs[id]
	if r == nil {
		return
	}
	for _, p := range r.toBegin {
		job := r.m.job
		e.spawnLocked(func(ctx context.Context) { e.begin(ctx, r, job, p) })
	}
	r.toBegin = nil
}

// begin acts on one phone.
func (e *Engine) begin(ctx context.Context, r *run, job phone.Job, id string) {
	err := e.guard(job.ID, id, func() error { return r.task.Begin(ctx, job, id) })
	if ctx.Err() != nil {
		return // we stop; the next start looks at it
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.lookLocked(r, id, false)
		return
	}
	v := Verdict{Outcome: "error", Reason: err.Error()}
	if f := (*Failure)(nil); asFailure(err, &f) {
		v.Outcome, v.Reason = f.Outcome, f.Reason
	}
	e.finishLocked(r, id, v)
}

// underWayLocked lets Observe find the phone.
func (e *Engine) underWayLocked(r *run, id string) {
	e.under[id] = append(e.under[id], r)
	e.countLocked()
}

func (e *Engine) countLocked() {
	e.busy.Store(int64(len(e.under)))
	e.metrics.working.Set(float64(len(e.under)))
}

func (e *Engine) finishLocked(r *run, id string, v Verdict) {
	if _, ok := r.m.at(id); !ok {
		return
	}
	r.m.finish(e.o.Now(), id, v)
	if e.under[id] = slices.DeleteFunc(e.under[id], func(o *run) bool { return o == r }); len(e.under[id]) == 0 {
		delete(e.under, id)
	}
	e.countLocked()
	e.metrics.phones.WithLabelValues(r.m.job.Kind, v.Outcome).Inc()
	e.poke()
}

// guard turns a panic of a task into an error: it must not end the process.
func (e *Engine) guard(job, id string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.metrics.panics.Inc()
			e.o.Logger.Error("panic in a job", "job", job, "phone", id, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error")
		}
	}()
	return fn()
}

// spawnLocked runs fn until the end of Run at the latest; before and after Run
// nothing runs.
func (e *Engine) spawnLocked(fn func(context.Context)) bool {
	ctx := e.life
	if ctx == nil || ctx.Err() != nil {
		return false
	}
	e.wg.Go(func() { fn(ctx) })
	return true
}
