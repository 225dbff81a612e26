package dhcpd

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// leasePlan decides in lease mode: RFC 2131 section 4.3.
func (e *engine) leasePlan(r *request, lk *link, now time.Time) plan {
	switch r.typ {
	case dhcpv4.MessageTypeDiscover:
		return e.discoverPlan(r, lk, now)
	case dhcpv4.MessageTypeRequest:
		return e.requestPlan(r, lk, now)
	case dhcpv4.MessageTypeInform:
		return informPlan(r, lk)
	case dhcpv4.MessageTypeDecline:
		if lk.isServer(r.serverID) && e.pool.decline(r.mac, r.requested, now) {
			e.logs.declined.Do(func() {
				e.opts.Logger.Warn("address declined: another device uses it", "ip", r.requested, "mac", r.mac)
			})
			return plan{forget: true, outcome: outcomeOK, reason: "found its address in use by another device; the address rests for a while"}
		}
		return silence("declined an address that it does not have from here")
	case dhcpv4.MessageTypeRelease:
		if lk.isServer(r.serverID) && e.pool.release(r.mac, r.ciaddr, now) {
			return plan{forget: true, outcome: outcomeOK, reason: "gave its address back"}
		}
	}
	return silence("released an address that it does not have from here")
}

func (e *engine) discoverPlan(r *request, lk *link, now time.Time) plan {
	if !e.inRange(r, lk) {
		return silence("the range is not of the phone's network")
	}
	a, evicted := e.pool.offer(r.mac, r.requested, now)
	if !a.IsValid() {
		e.metrics.exhausted.Inc()
		e.logs.exhausted.Do(func() {
			e.opts.Logger.Error("no free address in the DHCP range", "first", e.opts.Range[0], "last", e.opts.Range[1], "mac", r.mac)
		})
		return failure("no address is free in the range")
	}
	return plan{typ: dhcpv4.MessageTypeOffer, yiaddr: a, evicted: evicted, outcome: outcomeOK, reason: "offered an address"}
}

// requestPlan tells the states of RFC 2131 section 4.3.2 apart.
func (e *engine) requestPlan(r *request, lk *link, now time.Time) plan {
	switch {
	case r.serverID.IsValid() && !lk.isServer(r.serverID):
		e.pool.withdraw(r.mac)
		return silence("the phone chose another DHCP server")
	case r.serverID.IsValid(): // SELECTING
		if !e.inRange(r, lk) {
			return silence("the range is not of the phone's network")
		}
		return e.claimPlan(r, r.requested, true, nak("not an address of this server"), now)
	case r.requested.IsValid(): // INIT-REBOOT
		refuse := silence("asks for an address that is not of the range")
		if e.inRange(r, lk) && !e.network.Contains(r.requested) {
			refuse = nak("the address is of another network")
		}
		return e.claimPlan(r, r.requested, false, refuse, now)
	case r.ciaddr.IsValid(): // RENEWING, REBINDING
		// A client without record has its lease of us from before our store was
		// lost; it may go on if nobody else has the address.
		return e.claimPlan(r, r.ciaddr, e.network.Contains(r.ciaddr), silence("the lease is another server's"), now)
	}
	return silence("asks for no address")
}

// claimPlan gives a to the client, or does what refuse says when a is not an
// address of the range.
func (e *engine) claimPlan(r *request, a netip.Addr, take bool, refuse plan, now time.Time) plan {
	switch e.pool.claim(r.mac, a, take, now) {
	case claimed:
		return plan{typ: dhcpv4.MessageTypeAck, yiaddr: a, save: true, outcome: outcomeOK, reason: "gave an address"}
	case wrongAddr:
		return nak("the address is not this client's")
	case noRecord:
		return silence("no lease is known of this phone") // must be silent, RFC 2131 section 4.3.2
	}
	return refuse
}

// inRange reports whether the client's network is the one of the range: as the
// relay says, or the interface it was heard on.
func (e *engine) inRange(r *request, lk *link) bool {
	if r.subnet.IsValid() {
		return e.network.Contains(r.subnet)
	}
	return lk.inRange
}
