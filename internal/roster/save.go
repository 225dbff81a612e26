package roster

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// Timing of Run.
const (
	flushAfter  = time.Second      // how long changes are gathered
	flushEvery  = time.Second / 4  // between two batches: a million new phones must not keep the database
	agingEvery  = 10 * time.Minute // how often old phones are looked for
	retryAfter  = time.Minute      // between two tries to save
	lastSaveFor = 5 * time.Second  // how long the last Flush may take
)

// dirty is what is to be saved.
type dirty struct {
	off  bool // there is no Saver
	rows map[*row]struct{}
	gone map[string]struct{} // ids of seen phones to delete
}

func newDirty() dirty {
	return dirty{rows: map[*row]struct{}{}, gone: map[string]struct{}{}}
}

func (d *dirty) any() bool { return len(d.rows)+len(d.gone) > 0 }

// mark notes that a row is to be saved.
func (s *state) mark(r *row) {
	r.saved = r.registered
	if s.dirty.off || s.byID[r.id] != r || r.waits() {
		return
	}
	s.dirty.rows[r] = struct{}{}
	if r.seen != nil {
		delete(s.dirty.gone, r.id)
	}
}

// discard notes that a seen phone is to be deleted.
func (s *state) discard(id string) {
	if !s.dirty.off {
		s.dirty.gone[id] = struct{}{}
	}
}

// Run saves what changes, in batches, and forgets what is old, until ctx ends;
// then it saves what is left. It always returns nil.
func (r *Roster) Run(ctx context.Context) error {
	aging := time.NewTicker(agingEvery)
	defer aging.Stop()
	var flush <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveFor)
			defer cancel()
			r.save(last, func(ctx context.Context) (bool, error) { return false, r.Flush(ctx) })
			return nil
		case <-r.wake:
			if flush == nil {
				flush = time.After(flushAfter)
			}
		case <-flush:
			flush = nil
			switch more, ok := r.save(ctx, r.flushBatch); {
			case !ok:
				flush = time.After(retryAfter)
			case more:
				flush = time.After(flushEvery)
			}
		case <-aging.C:
			r.age(r.now())
		}
	}
}

// save calls flush and logs its error; it reports success.
func (r *Roster) save(ctx context.Context, flush func(context.Context) (bool, error)) (more, ok bool) {
	defer r.recovered("save")
	more, err := flush(ctx)
	if err != nil && ctx.Err() == nil {
		r.metrics.saveFailed()
		r.log.ErrorContext(ctx, "what was last seen of phones could not be saved; it will be tried again", "error", err)
	}
	return more, err == nil
}

func (r *Roster) recovered(doing string) {
	if p := recover(); p != nil {
		r.metrics.panicked()
		r.log.Error("panic in the roster", "doing", doing, "panic", p, "stack", string(debug.Stack()))
	}
}

// Flush saves everything that is marked. After an error it stays marked.
func (r *Roster) Flush(ctx context.Context) error {
	for {
		if more, err := r.flushBatch(ctx); err != nil || !more {
			return err
		}
	}
}

// flushGone saves until no phone is left that was forgotten before: those go first.
func (r *Roster) flushGone(ctx context.Context) error {
	for left := 1; left > 0; {
		if _, err := r.flushBatch(ctx); err != nil {
			return err
		}
		r.mu.RLock()
		left = len(r.st.dirty.gone)
		r.mu.RUnlock()
	}
	return nil
}

// flushBatch saves up to pageSize of what is marked, after whoever is at it already,
// and reports whether there is more.
func (r *Roster) flushBatch(ctx context.Context) (more bool, err error) {
	if r.opts.Save == nil {
		return false, nil
	}
	select {
	case r.saving <- struct{}{}:
		defer func() { <-r.saving }()
	case <-ctx.Done():
		return false, fmt.Errorf("save the roster: %w", ctx.Err())
	}
	b, more := r.take()
	if b.empty() {
		return false, nil
	}
	if err := b.write(ctx, r.opts.Save); err != nil {
		r.putBack(b)
		return false, err
	}
	return more, nil
}
