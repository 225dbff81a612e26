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
			r.save(last)
			return nil
		case <-r.wake:
			if flush == nil {
				flush = time.After(flushAfter)
			}
		case <-flush:
			flush = nil
			if !r.save(ctx) {
				flush = time.After(retryAfter)
			}
		case <-aging.C:
			r.age(r.now())
		}
	}
}

// save is Flush with its error logged; it reports success.
func (r *Roster) save(ctx context.Context) (ok bool) {
	defer r.recovered("save")
	err := r.Flush(ctx)
	if err != nil && ctx.Err() == nil {
		r.metrics.saveFailed()
		r.log.ErrorContext(ctx, "what was last seen of phones could not be saved; it will be tried again", "error", err)
	}
	return err == nil
}

func (r *Roster) recovered(doing string) {
	if p := recover(); p != nil {
		r.metrics.panicked()
		r.log.Error("panic in the roster", "doing", doing, "panic", p, "stack", string(debug.Stack()))
	}
}

// Flush saves everything that is marked. After an error it stays marked.
func (r *Roster) Flush(ctx context.Context) error {
	if r.opts.Save == nil {
		return nil
	}
	select {
	case r.saving <- struct{}{}:
		defer func() { <-r.saving }()
	case <-ctx.Done():
		return fmt.Errorf("save the roster: %w", ctx.Err())
	}
	for {
		b := r.take()
		if b.empty() {
			return nil
		}
		if err := b.write(ctx, r.opts.Save); err != nil {
			r.putBack(b)
			return err
		}
	}
}
