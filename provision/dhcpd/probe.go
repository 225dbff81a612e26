package dhcpd

import (
	"context"
	"net/netip"
	"sync"

	"pbx.dev/dialtone/internal/phone"
)

// prober looks whether an address is in use before it is offered to a client that
// did not have it (RFC 2131 section 3.1 step 2). The packet of such a client waits
// outside the workers and is then handled again.
type prober struct {
	slots chan struct{}

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

func newProber() *prober { return &prober{slots: make(chan struct{}, maxProbes)} }

// The results of dialtone_dhcp_probes_total.
const (
	probeFree    = "free"
	probeUsed    = "used"
	probeSkipped = "skipped" // too many at once, or not permitted
)

// start runs do on its own, unless there is no room for it.
func (p *prober) start(do func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	select {
	case p.slots <- struct{}{}:
	default:
		return false
	}
	p.work.Go(func() {
		defer func() { <-p.slots }()
		do()
	})
	return true
}

// wait lets those under way end; there are no more after it.
func (p *prober) wait() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.work.Wait()
}

// probe takes a packet over when the address that it would be offered has to be
// looked at first. False: go on.
func (c *crew) probe(ctx context.Context, p packet, res *result) bool {
	if !res.plan.probe {
		return false
	}
	addr, mac := res.plan.yiaddr, res.req.mac
	if p.probed >= maxProbed || p.link.arp == nil || !c.prober.start(func() {
		defer c.recovered(ctx)
		c.look(ctx, p, addr, mac)
	}) {
		c.engine.metrics.probes.WithLabelValues(probeSkipped).Inc()
		return false
	}
	return true
}

// look probes and has the packet handled again: the address is the client's by now,
// or out of service, and another is offered.
func (c *crew) look(ctx context.Context, p packet, addr netip.Addr, mac phone.MAC) {
	owner, err := p.link.arp.owner(ctx, addr)
	switch {
	case err != nil:
		c.engine.metrics.probes.WithLabelValues(probeSkipped).Inc()
	case owner.IsZero() || owner == mac:
		c.engine.metrics.probes.WithLabelValues(probeFree).Inc()
	default:
		c.engine.metrics.probes.WithLabelValues(probeUsed).Inc()
		if now := c.engine.opts.Now(); c.engine.pool.decline(mac, addr, now) {
			c.engine.conflict(addr, owner, "probe", now)
		}
	}
	p.probed++
	c.dispatch(p)
}
