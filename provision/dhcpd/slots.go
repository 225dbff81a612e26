package dhcpd

import (
	"container/heap"
	"hash/fnv"
	"math/bits"
	"net/netip"

	"pbx.dev/dialtone/internal/phone"
)

// reapLocked frees what is held past its time.
func (p *pool) reapLocked(t int64) {
	for len(p.held.order) > 0 {
		i := p.held.order[0]
		if p.slots[i].holdUntil > t {
			return
		}
		p.dropLocked(i)
	}
}

// evictLocked takes an address from somebody when none is free. evicted is the
// holder of an old lease, who has to be forgotten by the store too.
func (p *pool) evictLocked(t int64) (i int32, evicted phone.MAC, ok bool) {
	for len(p.leased.order) > 0 {
		i = p.leased.order[0]
		s := &p.slots[i]
		if s.busyUntil() > t {
			break
		}
		evicted = s.mac
		p.dropLocked(i)
		if p.isFree(i) { // else it is reserved for another since
			return i, evicted, true
		}
	}
	if len(p.held.order) > 0 {
		i = p.held.order[0]
		s := &p.slots[i]
		if !s.mac.IsZero() && s.holdUntil-int64(offerHold-offerMin) <= t {
			p.dropLocked(i)
			return i, evicted, p.isFree(i)
		}
	}
	return 0, evicted, false
}

// bindLocked gives an unused slot to mac (zero: declined).
func (p *pool) bindLocked(i int32, mac phone.MAC, leaseUntil, holdUntil int64) {
	s := &p.slots[i]
	p.setFree(i, false)
	s.mac, s.leaseUntil, s.holdUntil = mac, leaseUntil, holdUntil // what a flag says stays
	if mac.IsZero() {
		p.declined++
	} else {
		p.byMAC[mac] = i
	}
	heap.Push(p.heapOf(s), i)
}

// unlinkLocked takes a slot out of its heap.
func (p *pool) unlinkLocked(i int32) {
	s := &p.slots[i]
	heap.Remove(p.heapOf(s), int(s.pos))
}

// dropLocked makes a bound slot free.
func (p *pool) dropLocked(i int32) {
	s := &p.slots[i]
	p.unlinkLocked(i)
	if s.mac.IsZero() {
		p.declined--
	} else {
		delete(p.byMAC, s.mac)
	}
	if s.strange {
		p.strange--
	}
	*s = slot{}
	_, taken := p.fixedBy[p.first+uint32(i)]
	p.setFree(i, !taken)
}

// holdLocked keeps a bound slot busy until t at least.
func (p *pool) holdLocked(i int32, t int64) {
	s := &p.slots[i]
	s.holdUntil = max(s.holdUntil, t)
	heap.Fix(p.heapOf(s), int(s.pos))
}

func (p *pool) heapOf(s *slot) *slotHeap {
	if s.leaseUntil != 0 {
		return &p.leased
	}
	return &p.held
}

// nextFree is the first free slot from the place that mac decides.
func (p *pool) nextFree(mac phone.MAC) (int32, bool) {
	h := fnv.New32a()
	_, _ = h.Write(mac[:]) // never fails
	start := int(h.Sum32() % uint32(len(p.slots)))
	first := p.free[start/64] &^ (1<<(start%64) - 1)
	for n := range len(p.free) + 1 {
		w := (start/64 + n) % len(p.free)
		word := p.free[w]
		if n == 0 {
			word = first
		}
		if word != 0 {
			return int32(w*64 + bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}

func (p *pool) setFree(i int32, free bool) {
	if bit := uint64(1) << (i % 64); free {
		p.free[i/64] |= bit
	} else {
		p.free[i/64] &^= bit
	}
}

func (p *pool) isFree(i int32) bool { return p.free[i/64]>>(i%64)&1 == 1 }

func (p *pool) addr(i int32) netip.Addr { return fromUint(p.first + uint32(i)) }

// index is the slot of an address of the range.
func (p *pool) index(a netip.Addr) (int32, bool) {
	if !a.Is4() || toUint(a) < p.first || toUint(a)-p.first >= uint32(len(p.slots)) {
		return 0, false
	}
	return int32(toUint(a) - p.first), true
}

// slotHeap orders slots by when they stop being busy, soonest first.
type slotHeap struct {
	slots []slot
	order []int32
}

var _ heap.Interface = (*slotHeap)(nil)

func (h *slotHeap) Len() int { return len(h.order) }
func (h *slotHeap) Less(a, b int) bool {
	return h.slots[h.order[a]].busyUntil() < h.slots[h.order[b]].busyUntil()
}

func (h *slotHeap) Swap(a, b int) {
	h.order[a], h.order[b] = h.order[b], h.order[a]
	h.slots[h.order[a]].pos, h.slots[h.order[b]].pos = int32(a), int32(b)
}

func (h *slotHeap) Push(x any) {
	i := x.(int32)
	h.slots[i].pos = int32(len(h.order))
	h.order = append(h.order, i)
}

func (h *slotHeap) Pop() any {
	n := len(h.order) - 1
	i := h.order[n]
	h.order = h.order[:n]
	return i
}
