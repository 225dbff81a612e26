package location

import "context"

// Apply implements Store.
func (r *Resilient) Apply(ctx context.Context, u Update) (Result, error) {
	if r.degraded.Load() {
		return r.applyHere(ctx, &u)
	}
	if r.waiting.Load() > 0 {
		// What is held of this AOR comes first. If that fails, so does the rest.
		_ = r.settle(ctx, u.AOR)
	}
	res, err := r.store.Apply(ctx, u)
	out := r.judge(ctx, &u, Outcome{res, err})
	r.mirror.learnGrants(heard(nil, &u, &out))
	return out.Result, out.Err
}

// Submit implements Submitter.
func (r *Resilient) Submit(updates []Update, done func([]Outcome)) {
	ctx := context.Background()
	switch {
	case r.degraded.Load():
		outs := make([]Outcome, len(updates))
		for i := range updates {
			outs[i].Result, outs[i].Err = r.applyHere(ctx, &updates[i])
		}
		done(outs)
	case r.waiting.Load() > 0: // what is held of some of them comes first, and that waits
		go r.guard(func() { r.submitSettled(ctx, updates, done) })
	default:
		r.submit(ctx, updates, done)
	}
}

func (r *Resilient) submitSettled(ctx context.Context, updates []Update, done func([]Outcome)) {
	for i := range updates {
		_ = r.settle(ctx, updates[i].AOR) // as in Apply
	}
	r.submit(ctx, updates, done)
}

func (r *Resilient) submit(ctx context.Context, updates []Update, done func([]Outcome)) {
	r.store.Submit(updates, func(outs []Outcome) {
		news := make([]Binding, 0, len(outs))
		for i := range outs {
			outs[i] = r.judge(ctx, &updates[i], outs[i])
			news = heard(news, &updates[i], &outs[i])
		}
		r.mirror.learnGrants(news)
		done(outs)
	})
}

// judge takes note of what the store has done, or does it here when the store could
// not.
func (r *Resilient) judge(ctx context.Context, u *Update, out Outcome) Outcome {
	switch {
	case out.Err == nil:
		r.noteAll(u, &out.Result)
	case r.fellOver(ctx, out.Err):
		out.Result, out.Err = r.applyHere(ctx, u)
	}
	return out
}

// heard appends the bindings that an update has granted: the store reports no plain
// refreshes, and the mirror of this node need not wait for the others.
func heard(news []Binding, u *Update, out *Outcome) []Binding {
	if out.Err != nil {
		return news
	}
	for i := range out.Bindings {
		if names(u, out.Bindings[i].ID) {
			news = append(news, out.Bindings[i])
		}
	}
	return news
}

func names(u *Update, id string) bool {
	for i := range u.Contacts {
		if u.Contacts[i].ID == id {
			return true
		}
	}
	return false
}

// noteAll remembers what was granted.
func (r *Resilient) noteAll(u *Update, res *Result) {
	r.skew.Store(toMillis(res.Now) - toMillis(r.now()))
	for i := range u.Contacts {
		r.noteOne(u, res, u.Contacts[i].ID)
	}
	if !u.RemoveAll {
		return
	}
	for _, b := range r.mirror.Bindings(u.AOR) {
		if u.Device == "" || b.Device == u.Device {
			r.recent.forget(b.AOR, b.ID)
		}
	}
}

func (r *Resilient) noteOne(u *Update, res *Result, id string) {
	for i := range res.Bindings {
		if res.Bindings[i].ID == id {
			r.recent.note(&res.Bindings[i])
			return
		}
	}
	r.recent.forget(u.AOR, id)
}
