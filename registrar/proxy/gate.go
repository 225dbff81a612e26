package proxy

import (
	"context"
	"fmt"
	"sync"
)

// gate counts what runs, bounds it and can be waited for.
type gate struct {
	mu     sync.Mutex
	n, max int
	shut   bool
	empty  chan struct{} // not nil while somebody drains; closed at n == 0
}

func newGate(limit int) *gate { return &gate{max: limit} }

// enter takes a place; false when there is none or the gate is shut.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut || g.n >= g.max {
		return false
	}
	g.n++
	return true
}

// add takes a place in any case; the caller already holds one.
func (g *gate) add() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	if g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// drain shuts the gate and waits until nothing runs any more.
func (g *gate) drain(ctx context.Context) error {
	g.mu.Lock()
	g.shut = true
	if g.n == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty, n := g.empty, g.n
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %d to end: %w", n, ctx.Err())
	}
}
