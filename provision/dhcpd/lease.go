package dhcpd

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
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
			e.conflict(r.requested, r.mac, "declined", now)
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
	s := e.share(r.mac)
	o := e.pool.offer(r.mac, r.requested, s, now)
	if !o.addr.IsValid() {
		return e.exhausted(r, o, now)
	}
	return plan{
		typ: dhcpv4.MessageTypeOffer, yiaddr: o.addr, evicted: o.evicted, lease: e.leaseTime(s), outcome: outcomeOK, reason: "offered an address",
		// Behind a relay there is no ARP to ask with.
		probe: o.fresh && !r.giaddr.IsValid(),
	}
}

// exhausted is silence, as RFC 2131 section 4.3.1 wants it, and heard of.
func (e *engine) exhausted(r *request, o offered, now time.Time) plan {
	if o.kept {
		e.metrics.withheld.Inc()
		e.logs.withheld.Do(func() {
			e.opts.Logger.Error("clients that nobody knows have taken their share of the DHCP range", "mac", r.mac)
			e.onNetwork(now, "withheld", "clients that are no phones of the inventory have taken their share of the DHCP range; the rest is kept for known phones")
		})
		return failure("what is left of the range is kept for known phones")
	}
	e.metrics.exhausted.Inc()
	e.logs.exhausted.Do(func() {
		e.opts.Logger.Error("no free address in the DHCP range", "first", e.opts.Range[0], "last", e.opts.Range[1], "mac", r.mac)
		e.onNetwork(now, "exhausted", fmt.Sprintf("no address is free in the DHCP range %s to %s", e.opts.Range[0], e.opts.Range[1]))
	})
	return failure("no address is free in the range")
}

// share says what a client may take.
func (e *engine) share(mac phone.MAC) share {
	if e.opts.Known == nil {
		return share{}
	}
	known, count := e.opts.Known(mac)
	return share{strange: !known, known: count}
}

// shortLease is the first lease of a client nobody knows while such clients hold
// half of the range.
const shortLease = 5 * time.Minute

func (e *engine) leaseTime(s share) time.Duration {
	if s.strange && e.pool.crowded() {
		return min(shortLease, e.opts.LeaseTime)
	}
	return e.opts.LeaseTime
}

// requestPlan tells the states of RFC 2131 section 4.3.2 apart.
func (e *engine) requestPlan(r *request, lk *link, now time.Time) plan {
	switch {
	case r.serverID.IsValid() && !lk.isServer(r.serverID):
		e.pool.withdraw(r.mac)
		return silence("the phone chose " + phone.DetailOtherServer + ", " + r.serverID.String())
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
	s := e.share(r.mac)
	switch e.pool.claim(r.mac, a, take, s, now) {
	case claimed:
		lease := e.opts.LeaseTime
		if !r.ciaddr.IsValid() { // who renews is there
			lease = e.leaseTime(s)
		}
		return plan{typ: dhcpv4.MessageTypeAck, yiaddr: a, lease: lease, save: true, outcome: outcomeOK, reason: "gave an address"}
	case wrongAddr:
		return nak("the address is not this client's")
	case noRecord:
		return silence("no lease is known of this phone") // must be silent, RFC 2131 section 4.3.2
	}
	return refuse
}

// conflict is told of an address of the range that somebody uses who does not have
// it from here.
func (e *engine) conflict(a netip.Addr, mac phone.MAC, how string, now time.Time) {
	e.metrics.conflicts.WithLabelValues(how).Inc()
	e.logs.declined.Do(func() {
		e.opts.Logger.Warn("another device uses an address of the DHCP range", "ip", a, "mac", mac, "found", how)
		e.onNetwork(now, "conflict", fmt.Sprintf("another device uses %s, an address of the DHCP range", a))
	})
}

// inRange reports whether the client's network is the one of the range: as the
// relay says, or the interface it was heard on.
func (e *engine) inRange(r *request, lk *link) bool {
	if r.subnet.IsValid() {
		return e.network.Contains(r.subnet)
	}
	return lk.inRange
}
