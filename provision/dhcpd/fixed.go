package dhcpd

import (
	"fmt"
	"net/netip"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// fixedLease is a reservation: an address that only one client gets. It may lie in
// the range or beside it.
type fixedLease struct {
	addr       netip.Addr
	leaseUntil int64 // Unix nanoseconds; 0 is never leased
	restUntil  int64 // declined: somebody else uses it
}

// reserve keeps a for mac, instead of what was kept before; the zero Addr ends the
// reservation. It is phone.ErrConflict when another client's reservation has the
// address, and phone.ErrInvalid when it is never given out.
func (p *pool) reserve(mac phone.MAC, a netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fixed[mac]; f != nil {
		if f.addr == a {
			return nil
		}
		delete(p.fixed, mac)
		delete(p.fixedBy, toUint(f.addr))
		if i, ok := p.index(f.addr); ok && p.slots[i].mac.IsZero() && p.slots[i].holdUntil == 0 && !p.slots[i].reserved {
			p.setFree(i, true)
		}
	}
	if !a.IsValid() {
		return nil
	}
	if other, ok := p.fixedBy[toUint(a)]; ok {
		return fmt.Errorf("%s is reserved for %s: %w", a, other, phone.ErrConflict)
	}
	i, inRange := p.index(a)
	if inRange && p.slots[i].reserved {
		return phone.Invalid("settings.dhcp.ip", a.String()+" is an address of the server, the router or the network itself")
	}
	f := &fixedLease{addr: a}
	if j, has := p.byMAC[mac]; has && inRange && i == j { // what it has becomes its own
		f.leaseUntil = p.slots[i].leaseUntil
		p.dropLocked(i)
	}
	p.fixed[mac], p.fixedBy[toUint(a)] = f, mac
	if inRange {
		p.setFree(i, false)
	}
	return nil
}

// fixedLocked is the reserved address of mac, when nobody has a lease of it from
// before the reservation and nobody was found using it.
func (p *pool) fixedLocked(mac phone.MAC, t int64) (netip.Addr, bool) {
	f := p.fixed[mac]
	if f == nil || f.restUntil > t {
		return netip.Addr{}, false
	}
	if i, ok := p.index(f.addr); ok && p.slots[i].busyUntil() > t {
		return netip.Addr{}, false
	}
	return f.addr, true
}

// claimFixedLocked is claim where reservations decide. A client that has another
// address than the one reserved for it has to start over, and so has who holds
// what was reserved for another since.
func (p *pool) claimFixedLocked(mac phone.MAC, a netip.Addr, t int64) (verdict, bool) {
	if own, ok := p.fixedLocked(mac, t); ok {
		if own == a {
			return claimed, true
		}
		return wrongAddr, true
	}
	if other, ok := p.fixedBy[toUint(a)]; ok && other != mac {
		return wrongAddr, true
	}
	return 0, false
}

func (p *pool) commitFixedLocked(mac phone.MAC, a netip.Addr, until time.Time) bool {
	f := p.fixedOf(mac, a)
	if f == nil {
		return false
	}
	f.leaseUntil = until.UnixNano()
	if i, ok := p.byMAC[mac]; ok { // the address it had before
		p.dropLocked(i)
	}
	return true
}

// loadFixedLocked takes over a stored lease of a reservation.
func (p *pool) loadFixedLocked(l phone.Lease, a netip.Addr) bool {
	f := p.fixedOf(l.MAC, a)
	if f != nil {
		f.leaseUntil = max(f.leaseUntil, l.ExpiresAt.UnixNano())
	}
	return f != nil
}

// fixedOf is the reservation of mac if it is for a.
func (p *pool) fixedOf(mac phone.MAC, a netip.Addr) *fixedLease {
	if f := p.fixed[mac]; f != nil && f.addr == a {
		return f
	}
	return nil
}

// share says what a client may take of the range.
type share struct {
	strange bool // not a phone of the inventory
	known   int  // phones of the inventory
}

// minKept is the smallest range of which a part is kept for known phones.
const minKept = 16

// barredLocked reports whether a client nobody knows must not have another address:
// a quarter of the range, if there are known phones enough that have none yet, is
// theirs. Otherwise whoever invents MAC addresses could take all of it.
func (p *pool) barredLocked(s share) bool {
	if !s.strange || len(p.slots) < minKept {
		return false
	}
	holders := len(p.byMAC) - p.strange
	kept := min(len(p.slots)/4, max(0, s.known-holders-len(p.fixed)))
	return p.strange >= len(p.slots)-kept
}

// markLocked remembers whether the holder of a slot is known.
func (p *pool) markLocked(i int32, s share) {
	switch was := &p.slots[i].strange; {
	case s.strange && !*was:
		*was = true
		p.strange++
	case !s.strange && *was:
		*was = false
		p.strange--
	}
}

// crowded reports whether clients nobody knows hold half of the range: then a first
// lease is short, until its holder renews it, which invented clients do not.
func (p *pool) crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.strange > len(p.slots)/2
}
