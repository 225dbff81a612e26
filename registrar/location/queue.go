package location

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// request is an Update on its way through the committer.
type request struct {
	update Update
	ping   bool
	state  atomic.Int32
	done   chan struct{} // capacity 1
	group  *group        // of a Submit; done is not used then

	// the outcome
	bindings []Binding
	now      int64
	err      error
}

// group is what was given to Submit at once, and so is taken and committed at once.
type group struct {
	outs []Outcome
	done func([]Outcome)
}

// A request waits until the committer takes it or its sender withdraws it.
const (
	waiting int32 = iota
	taken
	withdrawn
)

func (r *request) take() bool { return r.state.CompareAndSwap(waiting, taken) }

// queue is what the committer has not seen yet.
type queue struct {
	wake chan struct{} // capacity 1

	mu      sync.Mutex
	waiting []*request
	closed  bool
}

func (q *queue) put(rs ...*request) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	first := len(q.waiting) == 0
	q.waiting = append(q.waiting, rs...)
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// takeAll returns what waits and leaves the space of the last batch in its place.
func (q *queue) takeAll(used []*request) (batch []*request, closed bool) {
	clear(used)
	q.mu.Lock()
	defer q.mu.Unlock()
	batch = q.waiting
	q.waiting = used[:0]
	return batch, q.closed
}

// submit waits for the outcome of r. After an error r belongs to the committer
// or to nobody, and nothing has been or will be changed by it.
func (m *Memory) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		m.release(r)
		return err
	}
	if !m.queue.put(r) {
		m.release(r)
		return fmt.Errorf("%w: closed", ErrUnavailable)
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	// A ping changes nothing: no need to know how it ends.
	if r.state.CompareAndSwap(waiting, withdrawn) || r.ping {
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	<-r.done
	return nil
}

// release makes r ready for the next Apply.
func (m *Memory) release(r *request) {
	done := r.done
	*r = request{done: done}
	m.requests.Put(r)
}
