package location

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// committer is the state of the goroutine that makes all changes of a Memory.
type committer struct {
	journal  *journal // nil without a directory
	expiries expiries
	batch    []*request
	record   []byte   // what goes to the journal
	changes  []Change // what goes to the watchers
	touched  []*entry
	written  int64 // unix ms of the last write that went well
	failed   bool  // the last write did not, and was logged

	compactAfter int64 // unix ms; not before, because it failed
}

// sweepAtMost bounds how many AORs one sweep holds up the updates for.
const sweepAtMost = 2000

func (m *Memory) run() {
	defer close(m.closed)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		due := false
		select {
		case <-m.queue.wake:
		case <-tick.C:
			due = true
			m.followClock()
			m.compactIfDue(toMillis(m.now()))
		}
		for busy := true; busy; {
			var closed bool
			m.committer.batch, closed = m.queue.takeAll(m.committer.batch)
			busy = len(m.committer.batch) > 0
			if busy {
				m.commit(m.committer.batch)
			} else if closed {
				return
			}
			due = due && m.sweep()
			busy = busy || due
		}
	}
}

// commit applies a batch, writes it with one write and one sync, and only then
// shows and answers it.
func (m *Memory) commit(batch []*request) {
	c := &m.committer
	now := toMillis(m.now())
	n := 0
	for _, r := range batch {
		if !r.take() {
			m.release(r)
			continue
		}
		r.now = now
		batch[n] = r
		n++
		m.prepare(r)
	}
	err := m.write(now)
	for _, e := range c.touched {
		m.settle(e, err == nil)
	}
	if err == nil {
		m.watchers.push(c.changes)
	}
	m.answer(batch[:n], err)
	m.metrics.batch.Observe(float64(n))
	c.reset()
	m.compactIfDue(now)
}

// answer hands the outcomes out, once the batch is on the disk or err says that it
// is not.
func (m *Memory) answer(batch []*request, err error) {
	for _, r := range batch {
		if err != nil {
			r.err = err
		}
		if r.group == nil {
			r.done <- struct{}{}
			continue
		}
		g := r.group
		out := Outcome{Err: r.err}
		if out.Err == nil {
			out.Result = Result{Bindings: r.bindings, Now: fromMillis(r.now)}
		}
		g.outs = append(g.outs, out)
		m.outcomes.count(out.Err)
		m.release(r)
		if len(g.outs) == cap(g.outs) {
			m.guard(func() { g.done(g.outs) })
		}
	}
}

// guard survives a panic of what the store was given to call.
func (m *Memory) guard(do func()) {
	defer func() {
		if p := recover(); p != nil {
			m.metrics.panics.Inc()
			m.log.Error("panic in answer", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	do()
}

// reset drops what the batch refers to and keeps the space, save that of an
// exceptional batch.
func (c *committer) reset() {
	clear(c.changes)
	clear(c.touched)
	c.changes, c.touched, c.record = c.changes[:0], c.touched[:0], c.record[:0]
	if cap(c.record) > 4<<20 {
		c.changes, c.touched, c.record = nil, nil, nil
	}
}

// write makes the batch durable.
func (m *Memory) write(now int64) error {
	c := &m.committer
	if c.journal == nil || len(c.record) == 0 {
		return nil
	}
	start := time.Now()
	err := c.journal.append(c.record)
	m.metrics.commit.Observe(time.Since(start).Seconds())
	if err != nil {
		if !c.failed {
			m.log.Error("cannot write registrations", slog.String("dir", m.opts.Dir), slog.Any("error", err))
		}
		c.failed = true
		return fmt.Errorf("%w: write journal: %w", ErrUnavailable, err)
	}
	if c.failed {
		m.log.Info("registrations can be written again", slog.String("dir", m.opts.Dir))
	}
	c.failed, c.written = false, now
	return nil
}

// sweep takes out and reports what has run out, and says whether there is more.
// Readers do not see it anyway.
func (m *Memory) sweep() (more bool) {
	c := &m.committer
	now := toMillis(m.now())
	for range sweepAtMost {
		e := c.expiries.first(now)
		if e == nil {
			break
		}
		kept := liveOf(e.bindings, now)
		if len(kept) == len(e.bindings) {
			c.expiries.delay(e, e.firstExpiry())
			continue
		}
		for i := range e.bindings {
			if !e.bindings[i].live(now) {
				c.changes = append(c.changes, Change{Expired, e.bindings[i]})
				m.metrics.expired.Inc()
			}
		}
		m.publish(e, kept)
		if e.pos >= 0 {
			c.expiries.delay(e, e.firstExpiry())
		}
	}
	m.watchers.push(c.changes)
	c.reset()
	return c.expiries.first(now) != nil
}
