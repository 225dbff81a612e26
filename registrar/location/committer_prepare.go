package location

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
)

// prepare works out one request on top of those before it in the batch.
func (m *Memory) prepare(r *request) {
	c := &m.committer
	mark := len(c.changes)
	defer func() {
		if p := recover(); p != nil {
			m.metrics.panics.Inc()
			m.log.Error("panic in update", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			c.changes = c.changes[:mark]
			r.err = fmt.Errorf("%w: internal error", ErrUnavailable)
		}
	}()
	if r.ping {
		if r.now-c.written > pingAge.Milliseconds() || c.failed {
			c.record = appendNothing(c.record)
		}
		return
	}
	m.update(r, &r.update)
}

func (m *Memory) update(r *request, u *Update) {
	c := &m.committer
	mark := len(c.changes)
	e := m.find(u.AOR)
	var stored []Binding
	if e != nil {
		stored = e.current()
	}
	next, changes, err := decide(c.changes, stored, u, r.now)
	if err != nil {
		r.err = fmt.Errorf("apply to %s: %w", u.AOR, err)
		return
	}
	r.bindings = next
	c.changes = changes
	if len(changes) == mark {
		return
	}
	if e == nil {
		e = m.insert(AOR(strings.Clone(string(u.AOR))))
	}
	if !e.pending {
		e.pending = true
		c.touched = append(c.touched, e)
	}
	e.next = next
	if c.journal != nil {
		c.record = appendChanges(c.record, e.aor, changes[mark:])
	}
}

// current is the state the next update of the batch starts from.
func (e *entry) current() []Binding {
	if e.pending {
		return e.next
	}
	return e.bindings
}

// find and insert need no lock against writers: the committer is the only one.
func (m *Memory) find(aor AOR) *entry { return m.shard(aor).m[aor] }

func (m *Memory) insert(aor AOR) *entry {
	e := &entry{aor: aor, pos: -1}
	s := m.shard(aor)
	s.mu.Lock()
	s.m[aor] = e
	s.mu.Unlock()
	return e
}

// settle shows the new state of e, or forgets it.
func (m *Memory) settle(e *entry, durable bool) {
	next := e.bindings
	if durable {
		next = e.next
	}
	e.next, e.pending = nil, false
	m.publish(e, next)
}

// publish makes next what readers see of e, and takes an empty e away.
func (m *Memory) publish(e *entry, next []Binding) {
	m.metrics.live.Add(float64(len(next) - len(e.bindings)))
	s := m.shard(e.aor)
	s.mu.Lock()
	e.bindings = next
	if len(next) == 0 {
		delete(s.m, e.aor)
	}
	s.mu.Unlock()
	if len(next) == 0 {
		m.committer.expiries.remove(e)
	} else {
		m.committer.expiries.put(e, e.firstExpiry())
	}
}
