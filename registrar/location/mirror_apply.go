package location

import (
	"slices"
	"strings"
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

// learn takes over a change that is not in the store yet. When the mirror is
// behind it is left out: the store will say it again.
func (m *Mirror) learn(c Change) {
	select {
	case m.changes <- c:
	default:
	}
}

// learnGrants takes over bindings as this node has just granted them; those that are
// not known yet come with the store's own report. They may be parts of messages.
func (m *Mirror) learnGrants(bs []Binding) {
	if len(bs) == 0 {
		return
	}
	select {
	case m.grants <- bs:
	default: // it learns of them when their old end has come
	}
}
