package location

import (
	"context"
	"time"
)

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
