package edge

import (
	"net/netip"
	"sync"
	"time"
)

// connTable knows the open connections and bounds them.
type connTable struct {
	max, perIP int

	mu       sync.Mutex
	conns    map[string]*conn                  // by flow id
	fresh    map[netip.Addr]map[*conn]struct{} // those that have not registered
	draining bool
	readers  sync.WaitGroup
}

func newConnTable(limit, perIP int) *connTable {
	return &connTable{max: limit, perIP: perIP, conns: map[string]*conn{}, fresh: map[netip.Addr]map[*conn]struct{}{}}
}

// add takes a connection in. When its address has too many that have not
// registered, the oldest silent one gives way, so that whoever only opens
// connections harms himself first; without a silent one c is refused.
func (t *connTable) add(c *conn) bool {
	t.mu.Lock()
	addr := c.flow.Remote.Addr()
	peers := t.fresh[addr]
	var victim *conn
	if len(peers) >= t.perIP {
		victim = oldestSilent(peers)
	}
	if t.draining || len(t.conns) >= t.max || len(peers) >= t.perIP && victim == nil {
		t.mu.Unlock()
		return false
	}
	if peers == nil {
		peers = map[*conn]struct{}{}
		t.fresh[addr] = peers
	}
	if victim != nil {
		delete(peers, victim)
	}
	peers[c] = struct{}{}
	t.conns[c.flow.ID] = c
	t.readers.Add(1)
	t.mu.Unlock()
	if victim != nil {
		victim.close()
	}
	return true
}

func oldestSilent(peers map[*conn]struct{}) (oldest *conn) {
	for c := range peers {
		if !c.spoke.Load() && (oldest == nil || c.opened.Before(oldest.opened)) {
			oldest = c
		}
	}
	return oldest
}

// settled takes a connection out of the count of its address.
func (t *connTable) settled(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfreshLocked(c)
}

func (t *connTable) unfreshLocked(c *conn) {
	addr := c.flow.Remote.Addr()
	peers := t.fresh[addr]
	delete(peers, c)
	if len(peers) == 0 {
		delete(t.fresh, addr)
	}
}

// remove forgets a connection whose reader has ended; twice is harmless.
func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfreshLocked(c)
	delete(t.conns, c.flow.ID)
}

func (t *connTable) get(flow string) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conns[flow]
}

// drain ends the readers of all connections after the message they are at, and
// waits for them.
func (t *connTable) drain() {
	t.mu.Lock()
	t.draining = true
	conns := make([]*conn, 0, len(t.conns))
	for _, c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, c := range conns {
		c.stopReading()
	}
	t.readers.Wait()
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }
