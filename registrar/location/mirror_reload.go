package location

import (
	"context"
	"log/slog"
	"time"
)

// reloadIfDue reads the whole store when the thread of changes was lost, or in
// the beginning.
func (m *Mirror) reloadIfDue(ctx context.Context) {
	if m.reloadAt.IsZero() || m.now().Before(m.reloadAt) {
		return
	}
	if err := m.reload(ctx); err != nil {
		if ctx.Err() == nil && m.delay == retryFirst {
			m.log.ErrorContext(ctx, "cannot read the location store", slog.Any("error", err))
		}
		m.delay = min(2*m.delay, retryMost)
		m.reloadAt = m.now().Add(m.delay)
		return
	}
	m.reloadAt = time.Time{}
	if m.filled {
		m.metrics.gaps.Inc()
	}
	m.filled = true
}

func (m *Mirror) reload(ctx context.Context) error {
	// With nothing here to compare with, a page is taken over as it comes: all of them
	// together are as large as everything else.
	first := len(m.aors) == 0
	var listed []Binding
	for cursor := ""; ; {
		call, cancel := context.WithTimeout(ctx, mirrorTimeout)
		page, next, err := m.store.List(call, cursor, mirrorPage)
		cancel()
		if err != nil {
			return err
		}
		if first {
			m.take(page)
		} else {
			listed = append(listed, page...)
		}
		if next == "" {
			break
		}
		cursor = next
	}
	if !first {
		m.compare(listed)
	}
	return nil
}

// take puts what the store has in place.
func (m *Mirror) take(listed []Binding) {
	_, here := m.store.(resident)
	for i := range listed {
		old := m.get(listed[i].AOR, listed[i].ID)
		if here && old != nil && old.RefreshedAt.After(listed[i].RefreshedAt) {
			// What a store in this process lists is newer than what we have, also when
			// the clock was set back.
			earlier := *old
			earlier.RefreshedAt = listed[i].RefreshedAt
			old = &earlier
		}
		m.put(old, listed[i])
	}
}

// compare brings the mirror to the state of a list.
func (m *Mirror) compare(listed []Binding) {
	type name struct {
		aor AOR
		id  string
	}
	there := make(map[name]bool, len(listed))
	for i := range listed {
		there[name{listed[i].AOR, listed[i].ID}] = true
	}
	var gone []Binding
	for _, e := range m.aors {
		for _, b := range e.bindings {
			if !there[name{b.AOR, b.ID}] {
				gone = append(gone, b)
			}
		}
	}
	for _, b := range m.missing(gone, true) {
		there[name{b.AOR, b.ID}] = true
		m.put(m.get(b.AOR, b.ID), b)
	}
	now := toMillis(m.now())
	for _, b := range gone {
		switch {
		case there[name{b.AOR, b.ID}]:
		case b.live(now):
			m.remove(Removed, b)
		default:
			m.remove(Expired, b)
		}
	}
	m.take(listed)
}
