package tftpd

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// slots are the places for transfers, so many in all and for one address.
//
// A transfer whose phone has not answered yet may be a forgery, and a place is
// taken from the oldest of those when none is free: a flood with forged addresses
// displaces itself, while a phone answers before its turn comes.
type slots struct {
	total, perSource int

	mu     sync.Mutex
	taken  int // places
	live   int // transfers that have not returned yet, those without a place too
	source map[netip.Addr]int
	silent map[tid]*transfer // not answered yet
	order  *list.List        // of those, the oldest first
	all    map[*transfer]struct{}
}

// tid names a transfer by where it was asked from and what for.
type tid struct {
	source  netip.AddrPort
	request string
}

// state is what slots keep of a transfer.
type state struct {
	id      tid
	silent  *list.Element // nil once the phone has answered
	evicted bool          // its place is taken
	cut     bool          // the server stops
	conn    *port         // nil before the first packet and after the last
	first   []byte        // the packet that was sent; never changed while conn is set
}

func newSlots(total, perSource int) *slots {
	return &slots{
		total: total, perSource: perSource, source: map[netip.Addr]int{}, silent: map[tid]*transfer{}, order: list.New(),
		all: map[*transfer]struct{}{},
	}
}

// verdict is what becomes of a request.
type verdict int

const (
	verdictServe  verdict = iota
	verdictAgain          // the phone has asked before and may not have heard the answer
	verdictBusy           // no place is free
	verdictIgnore         // too many to even answer
)

// admit gives t a place. With verdictAgain it returns the transfer that is asked for
// once more.
func (s *slots) admit(t *transfer) (verdict, *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.silent[t.id]; before != nil {
		return verdictAgain, before
	}
	if s.live >= 2*s.total {
		return verdictIgnore, nil
	}
	a := t.id.source.Addr()
	if s.source[a] >= s.perSource && !s.evictLocked(func(old *transfer) bool { return old.id.source.Addr() == a }) ||
		s.taken >= s.total && !s.evictLocked(func(*transfer) bool { return true }) {
		return verdictBusy, nil
	}
	s.taken++
	s.live++
	s.source[a]++
	s.all[t] = struct{}{}
	s.silent[t.id] = t
	t.silent = s.order.PushBack(t)
	return verdictServe, nil
}

// evictLocked takes the place of the oldest silent transfer that is meant.
func (s *slots) evictLocked(meant func(*transfer) bool) bool {
	for el := s.order.Front(); el != nil; el = el.Next() {
		if old := el.Value.(*transfer); meant(old) {
			s.heardLocked(old)
			s.freeLocked(old)
			old.evicted = true
			old.wakeLocked()
			return true
		}
	}
	return false
}

// opened says from where t's first packet goes out, and whether it still may.
func (s *slots) opened(t *transfer, conn *port, first []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.conn, t.first = conn, first
	return !t.evicted && !t.cut
}

// heard says that the phone has answered.
func (s *slots) heard(t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heardLocked(t)
}

func (s *slots) heardLocked(t *transfer) {
	if t.silent != nil {
		s.order.Remove(t.silent)
		delete(s.silent, t.id)
		t.silent = nil
	}
}

// closing says that t's socket is another's from now on.
func (s *slots) closing(t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.conn, t.first = nil, nil
}

// release gives the place back.
func (s *slots) release(t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heardLocked(t)
	if !t.evicted {
		s.freeLocked(t)
	}
	s.live--
	delete(s.all, t)
}

func (s *slots) freeLocked(t *transfer) {
	s.taken--
	a := t.id.source.Addr()
	if s.source[a]--; s.source[a] == 0 {
		delete(s.source, a)
	}
}

// firstOf is the packet that t's phone may not have heard, and its socket.
func (s *slots) firstOf(t *transfer) (*port, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.silent == nil {
		return nil, nil
	}
	return t.conn, t.first
}

// cut ends all transfers at their next packet.
func (s *slots) cut() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.all {
		t.cut = true
		t.wakeLocked()
	}
	return len(s.all)
}

// gone reports whether t has to end, and whether because the server stops.
func (s *slots) gone(t *transfer) (evicted, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.evicted, t.cut
}

func (s *slots) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// wakeLocked ends the wait for the phone's answer.
func (t *transfer) wakeLocked() {
	if t.conn != nil {
		_ = t.conn.SetReadDeadline(time.Unix(1, 0)) // fails on a closed socket only, where nobody waits
	}
}
