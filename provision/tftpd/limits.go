package tftpd

import (
	"net/netip"
	"sync"
)

// limits counts the transfers that are going on.
type limits struct {
	total, perSource int

	mu     sync.Mutex
	active int
	source map[netip.Addr]int
}

func newLimits(total, perSource int) *limits {
	return &limits{total: total, perSource: perSource, source: map[netip.Addr]int{}}
}

// acquire takes a place for a transfer to a, if there is one.
func (l *limits) acquire(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active >= l.total || l.source[a] >= l.perSource {
		return false
	}
	l.active++
	l.source[a]++
	return true
}

func (l *limits) release(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
	if l.source[a]--; l.source[a] == 0 {
		delete(l.source, a)
	}
}

func (l *limits) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active
}
