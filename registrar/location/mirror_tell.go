package location

import (
	"log/slog"
	"runtime/debug"
)

type subscriber struct {
	fn      func(Change)
	started bool // has been told what was there; Run's
}

// Subscribe calls fn for every change of the mirror from now on, in order and
// from the goroutine of Run; what is there already comes first, as Added. After
// the store was lost sight of, the changes that lead to its present state are
// reported: Added and Changed for what is there, Removed or Expired for what is
// not. fn must not block.
func (m *Mirror) Subscribe(fn func(Change)) {
	m.mu.Lock()
	m.subscribers = append(m.subscribers, &subscriber{fn: fn})
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// welcome tells new subscribers what is there.
func (m *Mirror) welcome() {
	var fresh []*subscriber
	m.mu.RLock()
	for _, s := range m.subscribers {
		if !s.started {
			fresh = append(fresh, s)
		}
	}
	m.mu.RUnlock()
	for _, s := range fresh {
		s.started = true
		for _, e := range m.aors {
			for i := range e.bindings {
				m.call(s, Change{Added, e.bindings[i]})
			}
		}
	}
}

// report tells the subscribers who know the rest.
func (m *Mirror) report(kind ChangeKind, b Binding) {
	m.mu.RLock()
	subscribers := m.subscribers
	m.mu.RUnlock()
	for _, s := range subscribers {
		if s.started {
			m.call(s, Change{kind, b})
		}
	}
}

func (m *Mirror) call(s *subscriber, c Change) {
	defer func() {
		if p := recover(); p != nil {
			m.metrics.panics.Inc()
			m.log.Error("panic in subscriber", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	s.fn(c)
}
