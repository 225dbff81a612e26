package location

import (
	"slices"
	"sync"
)

// submission is what was given to Submit at once.
type submission struct {
	updates []Update
	done    func([]Outcome)
}

// redisQueue is what has not been sent to Redis yet.
type redisQueue struct {
	mu      sync.Mutex
	waiting []submission
	updates int // in waiting
	senders int
	closed  bool
}

// put adds s and says whether a sender has to be started for it.
func (q *redisQueue) put(s submission, work *sync.WaitGroup, send func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, s)
	q.updates += len(s.updates)
	if q.senders == 0 || q.senders < redisSenders && q.updates >= scriptUpdates/2 {
		q.senders++
		work.Go(send)
	}
	return true
}

// take returns about as many updates as one script makes; none ends the sender.
func (q *redisQueue) take() []submission {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for updates := 0; n < len(q.waiting); n++ {
		updates += len(q.waiting[n].updates)
		if n > 0 && updates > scriptUpdates {
			break
		}
	}
	if n == 0 {
		q.senders--
		return nil
	}
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	for i := range batch {
		q.updates -= len(batch[i].updates)
	}
	return batch
}

func (q *redisQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}
