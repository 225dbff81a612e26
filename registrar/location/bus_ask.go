package location

import (
	"context"
	"time"
)

// Ask asks one node and waits for its answer, a moment at most; false when it has
// none or does not answer.
func (b *Bus) Ask(ctx context.Context, id, data string) (string, bool) {
	waiting := make(chan busMessage, 1)
	b.mu.Lock()
	if len(b.asks) >= busAsks || time.Since(b.silent[id]) < busSilent {
		b.mu.Unlock()
		return "", false
	}
	b.next++
	n := b.next
	b.asks[n] = waiting
	b.mu.Unlock()
	b.queue(busMessage{to: b.channel(id), What: "ask", N: n, Data: data})
	timeout := time.NewTimer(busPatience)
	defer timeout.Stop()
	select {
	case m := <-waiting:
		return m.Data, m.OK
	case <-ctx.Done():
		b.forget(n, "")
	case <-timeout.C:
		b.forget(n, id)
	}
	return "", false
}

// forget ends a question; with an id, that node has not answered.
func (b *Bus) forget(n uint64, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.asks, n)
	if id == "" {
		return
	}
	if len(b.silent) >= busKnown {
		clear(b.silent)
	}
	b.silent[id] = time.Now()
}
