package location

import (
	"context"
	"slices"
	"sync"
)

// maxBehind is how many changes a watcher of a Memory may be behind before it is
// told to read everything again.
const maxBehind = 32768

// watcher is one Watch on a Memory.
type watcher struct {
	wake chan struct{} // capacity 1

	mu   sync.Mutex
	buf  []Change
	lost bool
}

// push must not block: the store calls it between two commits.
func (w *watcher) push(changes []Change) {
	w.mu.Lock()
	if len(w.buf)+len(changes) > maxBehind {
		w.buf, w.lost = nil, true
	} else {
		w.buf = append(w.buf, changes...)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// lose makes the caller read everything again.
func (w *watcher) lose() {
	w.mu.Lock()
	w.buf, w.lost = nil, true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns what has come and gives the space of the last time back, unless
// a burst has blown it up.
func (w *watcher) take(used []Change) (changes []Change, lost bool) {
	clear(used)
	if cap(used) > maxBehind/8 {
		used = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	changes, lost = w.buf, w.lost
	w.buf, w.lost = used[:0], false
	return changes, lost
}

// run delivers until ctx or the store ends.
func (w *watcher) run(ctx context.Context, closed <-chan struct{}, fn func(Change), gap func()) error {
	var changes []Change
	var lost bool
	for ctx.Err() == nil {
		changes, lost = w.take(changes)
		if lost {
			gap()
			fn(Change{})
		}
		for i := range changes {
			fn(changes[i])
		}
		if len(changes) > 0 {
			continue
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		case <-closed:
			return ErrUnavailable
		}
	}
	return ctx.Err()
}

// watchers are all Watches on a Memory.
type watchers struct {
	mu  sync.Mutex
	all []*watcher
}

func (ws *watchers) add() *watcher {
	w := &watcher{wake: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.all = append(ws.all, w)
	return w
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.all = slices.DeleteFunc(ws.all, func(o *watcher) bool { return o == w })
}

func (ws *watchers) push(changes []Change) {
	if len(changes) == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.all {
		w.push(changes)
	}
}

func (ws *watchers) lose() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.all {
		w.lose()
	}
}
