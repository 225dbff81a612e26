package dhcpd

import (
	"net/netip"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Against says what the leases have against mac asking from the address a; empty
// when nothing: the address was leased to somebody else, or mac has a live lease of
// another one while a is in the network of the leases. A phone that has moved to
// another network may still have its lease here.
func (s *Server) Against(mac phone.MAC, a netip.Addr) string {
	e := s.engine
	a = a.Unmap()
	if e.pool == nil || !a.Is4() || !e.network.Contains(a) {
		return ""
	}
	now := e.opts.Now()
	if holder, ok := e.pool.holder(a, now); ok {
		if holder != mac {
			return "its address " + a.String() + " is leased to another device, " + holder.String()
		}
		return ""
	}
	if own, ok := e.pool.leaseOf(mac, now); ok && own != a {
		return "its address is " + a.String() + " and the phone was leased " + own.String()
	}
	return ""
}

// leaseOf is the address that mac has a live lease of.
func (p *pool) leaseOf(mac phone.MAC, now time.Time) (netip.Addr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := now.UnixNano()
	if f := p.fixed[mac]; f != nil && f.leaseUntil > t {
		return f.addr, true
	}
	if i, ok := p.byMAC[mac]; ok && p.slots[i].leaseUntil > t {
		return p.addr(i), true
	}
	return netip.Addr{}, false
}
