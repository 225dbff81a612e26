package roster

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/phone"
)

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
		errs = append(errs, wrap("save seen phones", to.SaveSeen(ctx, b.seen)))
	}
	if len(b.states) > 0 {
		errs = append(errs, wrap("save device states", to.SaveDeviceStates(ctx, b.states)))
	}
	return errors.Join(errs...)
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// take copies up to pageSize of what is marked, clears the marks and reports whether
// there are more.
func (r *Roster) take() (b *batch, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	b = &batch{}
	for id := range r.st.dirty.gone {
		if n++; n > pageSize {
			return b, true
		}
		b.gone = append(b.gone, id)
		delete(r.st.dirty.gone, id)
	}
	for row := range r.st.dirty.rows {
		if n++; n > pageSize {
			return b, true
		}
		if row.dev != nil {
			b.states = append(b.states, row.deviceState())
		} else {
			b.seen = append(b.seen, row.record())
		}
		delete(r.st.dirty.rows, row)
	}
	return b, false
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
