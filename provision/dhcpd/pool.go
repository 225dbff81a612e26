package dhcpd

import (
	"container/heap"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	// offerHold keeps an offered address for the REQUEST that follows. A flood of
	// forged DISCOVERs holds addresses for no longer, and once none is free
	// elsewhere, for offerMin only.
	offerHold   = 10 * time.Second
	offerMin    = 2 * time.Second
	saveHold    = 30 * time.Second // while a lease is being made durable
	declineHold = 10 * time.Minute // a declined address rests
)

// pool is the range of addresses and who holds which. A client keeps its
// address after the lease ran out until nothing else is free, so that the same
// phone gets the same address; a new phone starts at a place its MAC decides.
// Clients are told apart by MAC, not by option 61 (RFC 2131 section 4.2): a
// phone's boot loader and its application may send different ones.
//
// All methods are safe for concurrent use and do no I/O. Memory is bounded by
// the size of the range.
type pool struct {
	mu       sync.Mutex
	first    uint32
	slots    []slot
	free     []uint64 // one bit per slot
	byMAC    map[phone.MAC]int32
	held     slotHeap // never leased: offers and declined addresses
	leased   slotHeap // leases, live and over
	declined int
	fixed    map[phone.MAC]*fixedLease // reservations
	fixedBy  map[uint32]phone.MAC      // whose an address is
	strange  int                       // bound slots of clients that nobody knows
}

// slot is one address. Times are Unix nanoseconds, 0 is none.
type slot struct {
	mac        phone.MAC // holder; zero: nobody, or declined
	leaseUntil int64
	holdUntil  int64
	pos        int32 // in its heap
	reserved   bool  // never given out
	strange    bool  // its holder is not known to the inventory
}

func (s *slot) busyUntil() int64 { return max(s.leaseUntil, s.holdUntil) }

// newPool makes a pool of first to last without the reserved addresses.
func newPool(first, last netip.Addr, reserved ...netip.Addr) *pool {
	n := int(toUint(last)-toUint(first)) + 1
	p := &pool{first: toUint(first), slots: make([]slot, n), free: make([]uint64, (n+63)/64), byMAC: map[phone.MAC]int32{}, fixed: map[phone.MAC]*fixedLease{}, fixedBy: map[uint32]phone.MAC{}}
	p.held.slots, p.leased.slots = p.slots, p.slots
	for i := range p.slots {
		p.setFree(int32(i), true)
	}
	for _, a := range reserved {
		if i, ok := p.index(a); ok {
			p.slots[i].reserved = true
			p.setFree(i, false)
		}
	}
	return p
}

// load puts stored leases in, at start. Leases outside the range are left out;
// of two for one address the one that lasts longer counts.
func (p *pool) load(leases []phone.Lease) (loaded int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range leases {
		a, err := netip.ParseAddr(l.IP)
		i, ok := p.index(a)
		if err == nil && p.loadFixedLocked(l, a) {
			continue
		}
		if err != nil || !ok || l.MAC.IsZero() || p.slots[i].reserved || p.slots[i].leaseUntil >= l.ExpiresAt.UnixNano() {
			continue
		}
		if j, has := p.byMAC[l.MAC]; has {
			p.dropLocked(j)
		}
		if _, taken := p.fixedBy[toUint(a)]; taken {
			continue // reserved for another since
		}
		if !p.isFree(i) {
			p.dropLocked(i)
		}
		p.bindLocked(i, l.MAC, l.ExpiresAt.UnixNano(), 0)
	}
	return len(p.byMAC)
}

// offered is an address held for a client.
type offered struct {
	addr    netip.Addr // zero: none is free, or none for a client nobody knows
	fresh   bool       // the client did not have it before
	evicted phone.MAC  // who lost an old lease for it
	kept    bool       // what is left is for known phones
}

// offer finds the address for a DISCOVER and holds it: the one reserved for mac,
// the one it has, the one it wishes, a free one, the lease that is over for
// longest, at last an offer nobody took up.
func (p *pool) offer(mac phone.MAC, wish netip.Addr, s share, now time.Time) offered {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := now.UnixNano()
	p.reapLocked(t)
	if a, ok := p.fixedLocked(mac, t); ok {
		return offered{addr: a}
	}
	hold := now.Add(offerHold).UnixNano()
	if i, ok := p.byMAC[mac]; ok {
		if owner, taken := p.fixedBy[toUint(p.addr(i))]; !taken || owner == mac {
			p.holdLocked(i, hold)
			p.markLocked(i, s)
			return offered{addr: p.addr(i)}
		}
		p.dropLocked(i) // reserved for another since
	}
	if p.barredLocked(s) {
		return offered{kept: true}
	}
	i, ok := p.index(wish)
	if !ok || !p.isFree(i) {
		i, ok = p.nextFree(mac)
	}
	var evicted phone.MAC
	if !ok {
		i, evicted, ok = p.evictLocked(t)
	}
	if !ok {
		return offered{}
	}
	p.bindLocked(i, mac, 0, hold)
	p.markLocked(i, s)
	return offered{addr: p.addr(i), fresh: true, evicted: evicted}
}

// verdict is what a REQUEST's address is to its sender.
type verdict int

const (
	claimed    verdict = iota // it may have it; commit follows
	wrongAddr                 // it is to have another, or somebody else has it
	noRecord                  // nothing is known of this client
	notOfRange                // not an address this server gives out
)

// claim checks that mac may have a and holds it while the lease is saved. With
// take a client without record may have an address that is free.
func (p *pool) claim(mac phone.MAC, a netip.Addr, take bool, s share, now time.Time) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reapLocked(now.UnixNano())
	if v, ok := p.claimFixedLocked(mac, a, now.UnixNano()); ok {
		return v
	}
	i, ok := p.index(a)
	if !ok || p.slots[i].reserved {
		return notOfRange
	}
	if j, has := p.byMAC[mac]; has {
		if i != j {
			return wrongAddr
		}
		p.holdLocked(i, now.Add(saveHold).UnixNano())
		p.markLocked(i, s)
		return claimed
	}
	switch {
	case !take:
		return noRecord
	case !p.isFree(i), p.barredLocked(s):
		return wrongAddr
	}
	p.bindLocked(i, mac, 0, now.Add(saveHold).UnixNano())
	p.markLocked(i, s)
	return claimed
}

// commit records the durable lease of a claimed address. False: it was lost
// meanwhile, and must not be acknowledged.
func (p *pool) commit(mac phone.MAC, a netip.Addr, until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.commitFixedLocked(mac, a, until) {
		return true
	}
	i, ok := p.index(a)
	if !ok || p.slots[i].mac != mac {
		return false
	}
	p.unlinkLocked(i)
	p.bindLocked(i, mac, until.UnixNano(), 0)
	return true
}

// knows reports whether mac holds an address or had one lately.
func (p *pool) knows(mac phone.MAC) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fixed[mac] != nil {
		return true
	}
	_, ok := p.byMAC[mac]
	return ok
}

// holder is who has a live lease of a.
func (p *pool) holder(a netip.Addr, now time.Time) (phone.MAC, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := now.UnixNano()
	if !a.Is4() {
		return phone.MAC{}, false
	}
	if mac := p.fixedBy[toUint(a)]; !mac.IsZero() && p.fixed[mac].leaseUntil > t {
		return mac, true
	}
	if i, ok := p.index(a); ok && p.slots[i].leaseUntil > t {
		return p.slots[i].mac, true
	}
	return phone.MAC{}, false
}

// withdraw ends the offer to a client that chose another server. A lease stays.
func (p *pool) withdraw(mac phone.MAC) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := p.byMAC[mac]; ok && p.slots[i].leaseUntil == 0 {
		p.dropLocked(i)
	}
}

// release ends the lease of a; the client keeps the first claim on it.
func (p *pool) release(mac phone.MAC, a netip.Addr, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fixedOf(mac, a); f != nil {
		f.leaseUntil = min(f.leaseUntil, now.UnixNano())
		return true
	}
	i, ok := p.index(a)
	if !ok || p.slots[i].mac != mac || p.slots[i].leaseUntil == 0 {
		return false
	}
	s := &p.slots[i]
	s.leaseUntil, s.holdUntil = min(s.leaseUntil, now.UnixNano()), 0
	heap.Fix(&p.leased, int(s.pos))
	return true
}

// decline takes an address out of service for a while, as its holder found
// somebody else using it. More than a quarter of the range is never out for long:
// a client that declines everything would otherwise empty it.
func (p *pool) decline(mac phone.MAC, a netip.Addr, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fixedOf(mac, a); f != nil {
		f.restUntil = now.Add(declineHold).UnixNano()
		return true
	}
	i, ok := p.index(a)
	if !ok || mac.IsZero() || p.slots[i].mac != mac {
		return false
	}
	rest := declineHold
	if p.declined >= max(1, len(p.slots)/4) {
		rest = offerHold
	}
	p.dropLocked(i)
	p.bindLocked(i, phone.MAC{}, 0, now.Add(rest).UnixNano())
	return true
}

// usage counts addresses by state; free counts those of leases that are over.
func (p *pool) usage(now time.Time) (free, offered, leased, declined int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := now.UnixNano()
	p.reapLocked(t)
	for _, w := range p.free {
		free += bits.OnesCount64(w)
	}
	for _, i := range p.leased.order {
		if p.slots[i].busyUntil() > t {
			leased++
		} else {
			free++
		}
	}
	return free, len(p.held.order) - p.declined, leased, p.declined
}
