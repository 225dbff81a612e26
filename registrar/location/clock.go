package location

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// clock is the time of day that bindings go by: that of the host, but when that is set
// while we run, as on a computer that starts before it knows the time, it goes on as
// before until the bindings have been moved along. Otherwise all phones would be gone
// at once, or stay for ever.
type clock struct {
	host  func() time.Time
	start time.Time
	set   atomic.Int64 // by how many ms the host's was set since, as far as followed
}

// clockSet is by how many milliseconds a clock differs only when it was set.
const clockSet = 2000

func newClock(host func() time.Time) *clock { return &clock{host: host, start: host()} }

func (c *clock) now() time.Time {
	return c.steady(c.host()).Add(time.Duration(c.set.Load()) * time.Millisecond)
}

// steady is what the clock of the host would say had nobody set it: what goes by is
// measured by the monotonic one.
func (c *clock) steady(now time.Time) time.Time { return c.start.Add(now.Sub(c.start)) }

// jump is by how many milliseconds the clock of the host was set and we have not
// followed.
func (c *clock) jump() int64 {
	now := c.host()
	by := toMillis(now) - toMillis(c.steady(now)) - c.set.Load()
	if by > -clockSet && by < clockSet {
		return 0
	}
	return by
}

// followClock moves all bindings along with the clock of the host when that was set:
// each has as much time left as before.
func (m *Memory) followClock() {
	by := m.clock.jump()
	if by == 0 {
		return
	}
	m.log.Warn("the clock was set: registrations last as long as they were granted for", slog.Duration("by", time.Duration(by)*time.Millisecond))
	// In between bindings seem to have more time left, not less.
	if by < 0 {
		m.clock.set.Add(by)
	}
	m.moveBindings(time.Duration(by) * time.Millisecond)
	for _, e := range m.committer.expiries {
		e.due += by
	}
	if by > 0 {
		m.clock.set.Add(by)
	}
	if j := m.committer.journal; j != nil {
		j.suspect = true // a snapshot is to say when the bindings end now
	}
	m.watchers.lose()
}

func (m *Memory) moveBindings(by time.Duration) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for _, e := range s.m {
			moved := append(make([]Binding, 0, len(e.bindings)), e.bindings...)
			for j := range moved {
				b := &moved[j]
				b.RegisteredAt, b.RefreshedAt, b.ExpiresAt = b.RegisteredAt.Add(by), b.RefreshedAt.Add(by), b.ExpiresAt.Add(by)
			}
			e.bindings = moved
		}
		s.mu.Unlock()
	}
}
