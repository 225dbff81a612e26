package location

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// apply takes over one change of the store. After a load the store repeats what
// the list already held: RefreshedAt, which only grows, tells what is old.
func (m *Mirror) apply(c Change) {
	b := c.Binding
	old := m.get(b.AOR, b.ID)
	switch c.Kind {
	case Added, Changed:
		m.put(old, b)
	case Refreshed:
		if old != nil { // else it has gone meanwhile: Added would have come first
			m.put(old, b)
		}
	case Removed, Evicted, FlowLost:
		if old != nil && !old.RefreshedAt.After(b.RefreshedAt) {
			m.remove(c.Kind, *old)
		}
	case Expired:
		if old != nil && !old.ExpiresAt.After(b.ExpiresAt) {
			m.remove(Expired, *old)
		}
	}
}

// granted takes over a binding that was refreshed here.
func (m *Mirror) granted(b *Binding) {
	old := m.get(b.AOR, b.ID)
	switch {
	case old == nil: // has gone meanwhile, or is to come as Added
	case sameContent(old, b):
		next := *old // whose texts stay where they are
		next.CSeq, next.RefreshedAt, next.ExpiresAt = b.CSeq, b.RefreshedAt, b.ExpiresAt
		if old.CallID != b.CallID {
			next.CallID = strings.Clone(b.CallID)
		}
		m.put(old, next)
	default:
		m.put(old, b.clone())
	}
}

func (m *Mirror) get(aor AOR, id string) *Binding {
	e := m.aors[aor]
	if e == nil {
		return nil
	}
	for i := range e.bindings {
		if e.bindings[i].ID == id {
			return &e.bindings[i]
		}
	}
	return nil
}

// put makes b the newest state of its binding and reports how it differs from
// old, which is nil for a new one.
func (m *Mirror) put(old *Binding, b Binding) {
	kind := Added
	switch {
	case old == nil:
	case old.RefreshedAt.After(b.RefreshedAt):
		return
	case !sameContent(old, &b):
		kind = Changed
	case old.ExpiresAt.Equal(b.ExpiresAt) && old.CSeq == b.CSeq && old.CallID == b.CallID:
		return
	default:
		kind = Refreshed
	}
	e := m.aors[b.AOR]
	if e == nil {
		e = &entry{aor: b.AOR, pos: -1}
	}
	m.publish(e, m.with(e, old, b))
	m.report(kind, b)
}

// resident is a Store in this process that has all bindings in memory itself, and
// never modifies them there.
type resident interface {
	// single returns the binding of an AOR that has one, in a slice; else nil.
	single(aor AOR) []Binding
}

// with is the bindings of e with b as the newest state of old, which is nil for a new
// one. A store in this process keeps the same already: then it is not kept twice.
func (m *Mirror) with(e *entry, old *Binding, b Binding) []Binding {
	n := len(e.bindings)
	if old == nil {
		n++
	}
	if store, ok := m.store.(resident); ok && n == 1 {
		if own := store.single(b.AOR); len(own) == 1 && own[0].ID == b.ID && own[0].CSeq == b.CSeq && own[0].CallID == b.CallID &&
			own[0].RefreshedAt.Equal(b.RefreshedAt) && own[0].ExpiresAt.Equal(b.ExpiresAt) {
			return own
		}
	}
	next := make([]Binding, 0, n)
	for i := range e.bindings {
		if e.bindings[i].ID != b.ID {
			next = append(next, e.bindings[i])
		}
	}
	next = append(next, b)
	sortBindings(next)
	return next
}

func (m *Mirror) remove(kind ChangeKind, b Binding) {
	e := m.aors[b.AOR]
	next := slices.DeleteFunc(slices.Clone(e.bindings), func(o Binding) bool { return o.ID == b.ID })
	m.publish(e, next)
	if kind == Expired {
		m.metrics.expired.Inc()
	}
	m.report(kind, b)
}

// part removes b unless it is known to live on.
func (m *Mirror) part(kind ChangeKind, b Binding) {
	if kept := m.missing([]Binding{b}, false); len(kept) == 1 {
		m.put(&b, kept[0])
		return
	}
	m.remove(kind, b)
}

// publish makes next, which is in order, what readers see of e.
func (m *Mirror) publish(e *entry, next []Binding) {
	m.mu.Lock()
	m.count += len(next) - len(e.bindings)
	e.bindings = next
	if len(next) == 0 {
		delete(m.aors, e.aor)
	} else {
		m.aors[e.aor] = e
	}
	m.metrics.live.Set(float64(m.count))
	m.mu.Unlock()
	if len(next) == 0 {
		m.expiries.remove(e)
		return
	}
	m.expiries.put(e, e.firstExpiry())
}

// rechecked is the answer to a question whether bindings were refreshed.
type rechecked struct {
	aor      AOR
	bindings []Binding
	err      error
}

// recheck looks up what is about to count as expired.
func (m *Mirror) recheck(ctx context.Context, work *sync.WaitGroup) {
	now := toMillis(m.now())
	for m.asking < mirrorAsks {
		e := m.expiries.first(now)
		if e == nil {
			return
		}
		if first := e.firstExpiry(); first > now {
			m.expiries.delay(e, first)
			continue
		}
		// Whatever comes of it, not again at once.
		m.expiries.delay(e, now+mirrorTimeout.Milliseconds()+1000)
		m.asking++
		aor := e.aor
		work.Go(func() { m.ask(ctx, aor) })
	}
}

func (m *Mirror) ask(ctx context.Context, aor AOR) {
	r := rechecked{aor: aor, err: ErrUnavailable}
	defer func() {
		if p := recover(); p != nil {
			m.metrics.panics.Inc()
			m.log.ErrorContext(ctx, "panic in lookup", slog.Any("panic", p))
		}
		m.results <- r // has room for all that are asked
	}()
	ctx, cancel := context.WithTimeout(ctx, mirrorTimeout)
	defer cancel()
	r.bindings, r.err = m.store.Lookup(ctx, aor)
}

// settle takes over what a lookup found. Only what was due is judged by it: the
// rest may be newer than the answer.
func (m *Mirror) settle(r rechecked) {
	e := m.aors[r.aor]
	if e == nil {
		return
	}
	now := toMillis(m.now())
	if r.err == nil {
		for _, b := range slices.Clone(e.bindings) {
			i := slices.IndexFunc(r.bindings, func(o Binding) bool { return o.ID == b.ID })
			switch {
			case i >= 0:
				m.put(&b, r.bindings[i])
			case !b.live(now):
				m.part(Expired, b)
			}
		}
	}
	if e.pos >= 0 {
		// The store's clock may be behind ours, or the store out of reach.
		m.expiries.delay(e, max(e.firstExpiry(), now+time.Second.Milliseconds()))
	}
}

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
	for i := range listed {
		m.put(m.get(listed[i].AOR, listed[i].ID), listed[i])
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
