package dhcpd

import (
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pbx.dev/dialtone/internal/phone"
)

// What ordinary clients make of an OFFER without address (yiaddr 0.0.0.0, no
// lease time), as TestProxyWithSiteServer shows: dhclient 4.4.3 and udhcpc 1.35 take
// the first OFFER that comes, so an OFFER of ours that overtakes the site's
// would be taken for one. Hence:
//
//   - our OFFER waits for offerDelay, and the site's server wins the race;
//   - a client that takes our OFFER for an address all the same (REQUEST with our
//     server identifier and no ciaddr) gets a NAK, as an ACK would leave it with
//     0.0.0.0, and no more OFFERs for muteFor: its next DISCOVER is the site's alone;
//   - a client that has an address and asks us by REQUEST (ciaddr set, our server
//     identifier) or by INFORM gets an ACK with options and without address.
//
// A REQUEST to another server or to none is never answered.
const (
	offerDelay = 200 * time.Millisecond
	muteFor    = 10 * time.Minute
	maxMuted   = 4096
)

// proxyPlan decides for a phone in proxy mode.
func (e *engine) proxyPlan(r *request, id identity, lk *link, now time.Time) plan {
	if len(id.row.options) == 0 {
		return silence("dialtone has no files for this maker")
	}
	switch r.typ {
	case dhcpv4.MessageTypeDiscover:
		if e.muted.has(r.mac, now) {
			return silence("the phone took an offer without address for a lease, so it gets none for a while")
		}
		return plan{typ: dhcpv4.MessageTypeOffer, delay: offerDelay, outcome: outcomeOK, reason: "offered options, the address is up to the site's server"}
	case dhcpv4.MessageTypeInform:
		return informPlan(r, lk)
	case dhcpv4.MessageTypeRequest:
		switch {
		case !lk.isServer(r.serverID):
			return silence("the phone talks to " + phone.DetailOtherServer + ", " + r.serverID.String())
		case r.ciaddr.IsValid():
			return plan{typ: dhcpv4.MessageTypeAck, outcome: outcomeOK, reason: "gave options"}
		}
		e.muted.add(r.mac, now.Add(muteFor), now)
		return nak("no addresses here")
	}
	return silence("nothing to do, no address is ours")
}

// informPlan answers a client that has an address (RFC 2131 section 4.3.5). The
// reply goes to ciaddr, so ciaddr must be the sender, on this network or behind
// the relay that sent it: nobody may make us send to strangers.
func informPlan(r *request, lk *link) plan {
	if r.ciaddr.IsValid() {
		direct := r.ciaddr == r.peer.Addr() || (lk.prefix.Contains(r.ciaddr) && r.ciaddr != lastAddr(lk.prefix))
		if !direct && !r.giaddr.IsValid() || !unicast(r.ciaddr) {
			return silence("the address it says it has is not of this network")
		}
	}
	return plan{typ: dhcpv4.MessageTypeAck, outcome: outcomeOK, reason: "gave options"}
}

func unicast(a netip.Addr) bool {
	return a.IsGlobalUnicast() || a.IsLoopback()
}

// muteList is a bounded set of MACs with an end each.
type muteList struct {
	mu    sync.Mutex
	until map[phone.MAC]time.Time
}

func (m *muteList) has(mac phone.MAC, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.until[mac])
}

// add mutes mac. A full list first drops what is over; if all are live the new
// one is left out.
func (m *muteList) add(mac phone.MAC, until, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) >= maxMuted {
		for k, t := range m.until {
			if !now.Before(t) {
				delete(m.until, k)
			}
		}
	}
	if m.until == nil {
		m.until = map[phone.MAC]time.Time{}
	}
	if len(m.until) < maxMuted {
		m.until[mac] = until
	}
}
