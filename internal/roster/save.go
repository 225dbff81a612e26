package roster

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"pbx.dev/dialtone/internal/phone"
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
	if s.dirty.off || s.byID[r.id] != r {
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
	wait := flushAfter
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveFor)
			defer cancel()
			r.save(last)
			return nil
		case <-r.wake:
			if flush == nil {
				flush = time.After(wait)
			}
		case <-flush:
			flush, wait = nil, flushAfter
			if !r.save(ctx) {
				wait = retryAfter
				flush = time.After(wait)
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
		r.log.Error("what was last seen of phones could not be saved; it will be tried again", "error", err)
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

// batch is what one round of Flush writes.
type batch struct {
	states []phone.DeviceState
	seen   []phone.Seen
	gone   []string
}

func (b *batch) empty() bool { return len(b.states)+len(b.seen)+len(b.gone) == 0 }

// write deletes before it saves: an id may have come back.
func (b *batch) write(ctx context.Context, to Saver) error {
	var errs []error
	if len(b.gone) > 0 {
		errs = append(errs, wrap("delete forgotten phones", to.DeleteSeen(ctx, b.gone)))
	}
	if len(b.seen) > 0 {
		errs = append(errs, wrap("save seen phones", saveSeen(ctx, to, b.seen)))
	}
	if len(b.states) > 0 {
		errs = append(errs, wrap("save device states", to.SaveDeviceStates(ctx, b.states)))
	}
	return errors.Join(errs...)
}

// saveSeen saves phones. When one of them conflicts, another node has the phone
// under another id, or another phone of the list has yet to give its key up: they
// are saved one by one, and the ones in conflict once more at the end. What then
// still conflicts is left to the other node.
func saveSeen(ctx context.Context, to Saver, list []phone.Seen) error {
	err := to.SaveSeen(ctx, list)
	for range 2 {
		if !errors.Is(err, phone.ErrConflict) {
			return err
		}
		var again []phone.Seen
		for i := range list {
			if err = to.SaveSeen(ctx, list[i:i+1]); errors.Is(err, phone.ErrConflict) {
				again = append(again, list[i])
			} else if err != nil {
				return err
			}
		}
		list, err = again, phone.ErrConflict
	}
	return nil
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// take copies up to pageSize of what is marked and clears the marks.
func (r *Roster) take() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, n := &batch{}, 0
	for id := range r.st.dirty.gone {
		if n++; n > pageSize {
			return b
		}
		b.gone = append(b.gone, id)
		delete(r.st.dirty.gone, id)
	}
	for row := range r.st.dirty.rows {
		if n++; n > pageSize {
			return b
		}
		if row.dev != nil {
			b.states = append(b.states, row.deviceState())
		} else {
			b.seen = append(b.seen, row.record())
		}
		delete(r.st.dirty.rows, row)
	}
	return b
}

// putBack marks again what could not be written, if it is still true.
func (r *Roster) putBack(b *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.st
	for _, id := range b.gone {
		if s.byID[id] == nil {
			s.discard(id)
		}
	}
	for i := range b.seen {
		if row := s.byID[b.seen[i].ID]; row != nil {
			s.mark(row)
		}
	}
	for i := range b.states {
		if row := s.byID[b.states[i].DeviceID]; row != nil {
			s.mark(row)
		}
	}
}

// deviceState is what is stored of a device's row.
func (r *row) deviceState() phone.DeviceState {
	return phone.DeviceState{
		DeviceID: r.id, LastRegistered: r.registered, UserAgent: r.userAgent, IPAddress: r.ip,
		Contact: r.contact, Transport: r.transport,
		LastProvisioned: r.dev.provisioned, ProvisionedRevision: r.dev.hasRevision,
	}
}
