package dhcpd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

// saveTimeout bounds the wait for the store; the client asks again after 4 s.
const saveTimeout = 3 * time.Second

// engine turns packets into replies. It has no socket.
type engine struct {
	opts    Options // with defaults
	rows    []row
	classes classCache
	told    atomic.Pointer[said]
	pool    *pool        // nil in proxy mode
	network netip.Prefix // of the range; zero in proxy mode
	never   []netip.Addr // ours, the router's, the ends of the network
	muted   muteList
	metrics *metrics
	logs    limitedLogs
}

// limitedLogs keeps a flood of packets from becoming a flood of lines.
type limitedLogs struct {
	garbage, exhausted, withheld, declined, store, send, facts, panics, foreign *rate.Sometimes
}

func newLimitedLogs() limitedLogs {
	some := func() *rate.Sometimes { return &rate.Sometimes{First: 1, Interval: 10 * time.Second} }
	return limitedLogs{
		garbage: some(), exhausted: some(), withheld: some(), declined: some(), store: some(), send: some(), facts: some(), panics: some(),
		foreign: some(),
	}
}

// result is what became of one packet.
type result struct {
	req   *request
	id    identity
	plan  plan
	reply []byte // nil: no answer
	to    netip.AddrPort
	given []uint8
}

// answer handles one datagram: everything but sending. An error is a packet
// that no DHCP client sends.
func (e *engine) answer(ctx context.Context, b []byte, peer netip.AddrPort, lk *link) (result, error) {
	r, err := parse(b, peer)
	if err != nil {
		return result{}, err
	}
	now := e.opts.Now()
	res := result{req: r, id: e.identify(r)}
	if res.id.row == nil && e.opts.Mode == Lease {
		e.admit(&res)
	}
	switch {
	case res.id.row == nil:
		res.plan = silence("not a phone")
	case e.opts.Mode == Proxy:
		res.plan = e.proxyPlan(r, res.id, lk, now)
	default:
		res.plan = e.persist(ctx, r, res.id, e.leasePlan(r, lk, now), now)
	}
	if res.plan.typ != dhcpv4.MessageTypeNone {
		e.reply(&res, lk, now)
	}
	return res, nil
}

// admit lets in who is no phone by any sign, in lease mode: who holds an address
// of ours, as DECLINE and RELEASE carry no option 60, and everybody where the
// server is not for phones only.
func (e *engine) admit(res *result) {
	switch {
	case e.pool.knows(res.req.mac):
		res.id.row, res.id.by = e.rowNamed("other"), "its lease"
	case !e.opts.PhonesOnly:
		res.id.row = e.rowNamed("none")
	}
}

// reply composes the answer of a plan that has one.
func (e *engine) reply(res *result, lk *link, now time.Time) {
	say := e.say(now)
	if say.fault != nil {
		e.logs.facts.Do(func() { e.opts.Logger.Error("DHCP options left out", "error", say.fault) })
	}
	nw := network{serverID: lk.serverID}
	if e.opts.Mode == Lease {
		nw.prefix, nw.router, nw.dns = e.network, e.opts.Router, e.opts.DNS
	}
	reply, given := compose(res.req, res.id.row, res.plan, nw, say)
	if e.opts.Mode == Proxy && res.plan.typ != dhcpv4.MessageTypeNak && len(given) == 0 {
		res.plan = silence("asks for no option that dialtone has a value for")
		return
	}
	res.reply, res.given = reply, given
	res.to = destination(res.req, res.plan, e.opts.Port)
}

// persist makes durable what the plan promises, before anybody is told.
func (e *engine) persist(ctx context.Context, r *request, id identity, p plan, now time.Time) plan {
	if !p.save && !p.forget {
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if p.forget {
		e.deleteLease(ctx, r.mac)
		return p
	}
	lease := phone.Lease{
		MAC: r.mac, IP: p.yiaddr.String(), Vendor: id.class, ExpiresAt: now.Add(p.lease),
		ClientID: fmt.Sprintf("%x", r.opts.get(optClientID)),
	}
	if err := e.opts.Leases.SaveLease(ctx, lease); err != nil {
		e.metrics.storeErrors.Inc()
		e.logs.store.Do(func() {
			e.opts.Logger.ErrorContext(ctx, "lease not saved, so not given", "mac", r.mac, "ip", lease.IP, "error", err)
		})
		return failure("the lease could not be stored")
	}
	if !e.pool.commit(r.mac, p.yiaddr, lease.ExpiresAt) {
		return failure("the address went to another device while it was stored")
	}
	return p
}

// deleteLease forgets a stored lease. A failure costs nothing: a lease that is
// over gives way to a newer one of the same address when the store is read.
func (e *engine) deleteLease(ctx context.Context, mac phone.MAC) {
	err := e.opts.Leases.DeleteLease(ctx, mac)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		e.metrics.storeErrors.Inc()
		e.logs.store.Do(func() { e.opts.Logger.ErrorContext(ctx, "lease not deleted", "mac", mac, "error", err) })
	}
}
