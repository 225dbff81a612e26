package rollout

import (
	"context"
	"errors"

	"pbx.dev/dialtone/internal/phone"
)

func asFailure(err error, f **Failure) bool { return errors.As(err, f) }

// Observe says that something happened to a phone: a file, a registration. It is
// quick when no job has the phone under way, and never blocks for long.
func (e *Engine) Observe(phoneID string) {
	if phoneID == "" || e.busy.Load() == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.under[phoneID] {
		e.lookLocked(r, phoneID, false)
	}
}

// lookAtAll looks at every phone under way.
func (e *Engine) lookAtAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.jobs {
		for i := range r.m.working {
			e.lookLocked(r, r.m.phones[i].PhoneID, false)
		}
	}
}

// lookLocked looks at a phone of a job in the background, if it is under way. At
// most one look at a phone runs at a time: a second one is done after it.
func (e *Engine) lookLocked(r *run, id string, final bool) {
	if _, ok := r.m.at(id); !ok {
		return
	}
	if l := r.looks[id]; l != nil {
		l.again, l.final = true, l.final || final
		return
	}
	l := &look{final: final}
	if e.spawnLocked(func(ctx context.Context) { e.look(ctx, r, id, l) }) {
		r.looks[id] = l
	}
}

// look asks the task until nobody has asked for another look meanwhile.
func (e *Engine) look(ctx context.Context, r *run, id string, l *look) {
	for more := true; more; {
		e.mu.Lock()
		job := r.m.job
		p, ok := r.m.at(id)
		final := l.final
		l.again = false
		if !ok {
			delete(r.looks, id)
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		v := Verdict{Outcome: "error", Done: true}
		if err := e.guard(job.ID, id, func() error { v = r.task.Look(ctx, job, p); return nil }); err != nil {
			v.Reason = err.Error()
		}
		more = e.judge(ctx, r, id, l, v, final)
	}
}

// judge takes over what a look found and reports whether another is needed. After
// the last one the phone is finished with whatever was found.
func (e *Engine) judge(ctx context.Context, r *run, id string, l *look, v Verdict, final bool) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case ctx.Err() != nil: // what was found may be our own stopping
		delete(r.looks, id)
		return false
	case v.Done || final:
		e.finishLocked(r, id, v)
	default:
		r.m.note(id, v)
	}
	if l.again {
		return true
	}
	delete(r.looks, id)
	return false
}

// Under reports whether a job of the kind has the phone waiting or under way: a
// second one would get in its way.
func (e *Engine) Under(kind, phoneID string) (jobID string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, r := range e.jobs {
		i, has := r.m.index[phoneID]
		if !has || r.m.job.Kind != kind {
			continue
		}
		if s := r.m.phones[i].State; s == phone.PhoneWaiting || s == phone.PhoneWorking {
			return id, true
		}
	}
	return "", false
}
