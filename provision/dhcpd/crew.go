package dhcpd

import (
	"context"
	"hash/maphash"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/time/rate"

	"pbx.dev/dialtone/internal/phone"
)

const (
	// workers is how many leases can be on their way to the store at once, which
	// lets it commit them in groups.
	workers     = 64
	queueLen    = 64
	delayedLen  = 1024
	maxDatagram = 2048 // longer ones lose their tail and are refused
)

// crew is the fixed set of goroutines that handle packets. All packets of one
// MAC go to one worker, in order, so a client never races with itself, and a
// flood with one MAC slows down one queue only.
type crew struct {
	engine   *engine
	seed     maphash.Seed
	queues   [workers]chan packet
	delayed  chan delayedReply
	buffers  sync.Pool
	events   *rate.Limiter
	offers   *rate.Limiter // of events about offers
	work     sync.WaitGroup
	quit     chan struct{} // closed when delayed replies are no longer worth sending
	sender   sync.WaitGroup
	prober   *prober
	outgoing chan outgoing
	senders  sync.WaitGroup
}

// packet is one datagram, or with a zero buf an evicted client to forget.
type packet struct {
	buf     *[maxDatagram]byte
	n       int
	peer    netip.AddrPort
	link    *link
	evicted phone.MAC
	probed  int // how many addresses were looked at for it
}

type delayedReply struct {
	due  time.Time
	b    []byte
	to   netip.AddrPort
	link *link
}

func newCrew(e *engine) *crew {
	c := &crew{
		engine: e, seed: maphash.MakeSeed(), events: rate.NewLimiter(eventsOverall, eventsBurst),
		offers:  rate.NewLimiter(offersOverall, offersBurst),
		delayed: make(chan delayedReply, delayedLen), quit: make(chan struct{}), prober: newProber(),
		outgoing: make(chan outgoing, sendQueue),
	}
	c.buffers.New = func() any { return new([maxDatagram]byte) }
	for i := range c.queues {
		c.queues[i] = make(chan packet, queueLen)
	}
	return c
}

// start runs the workers and the sender of delayed replies. ctx goes to the
// store, and is not the one that ends Serve: what was begun is finished.
func (c *crew) start(ctx context.Context) {
	for i := range c.queues {
		c.work.Go(func() {
			seen := eventLimiter{}
			for p := range c.queues[i] {
				c.handle(ctx, p, seen)
			}
		})
	}
	c.sender.Go(c.sendDelayed)
	c.senders.Go(c.sendAll)
}

// drain waits for what was read. Nobody may dispatch any more.
func (c *crew) drain() {
	c.prober.wait()
	for _, q := range c.queues {
		close(q)
	}
	c.work.Wait()
	close(c.outgoing)
	c.senders.Wait()
	close(c.quit)
	c.sender.Wait()
}

// dispatch queues a datagram with its MAC's worker, or drops it: clients ask again.
func (c *crew) dispatch(p packet) {
	if p.n < headerLen {
		c.garbage(p, errNotRequest)
	} else {
		mac := phone.MAC(p.buf[chaddrAt : chaddrAt+6])
		select {
		case c.queue(mac) <- p:
			return
		default:
			c.engine.metrics.dropped.WithLabelValues(dropOverload).Inc()
		}
	}
	c.buffers.Put(p.buf)
}

func (c *crew) queue(mac phone.MAC) chan packet {
	return c.queues[maphash.Comparable(c.seed, mac)%workers]
}

// handle does one packet. It survives whatever the packet does to it.
func (c *crew) handle(ctx context.Context, p packet, seen eventLimiter) {
	defer c.recovered(ctx)
	if p.buf == nil {
		c.forget(ctx, p.evicted)
		return
	}
	keep := false
	defer func() {
		if !keep {
			c.buffers.Put(p.buf)
		}
	}()
	start := time.Now()
	res, err := c.engine.answer(ctx, p.buf[:p.n], p.peer, p.link)
	if err != nil {
		c.garbage(p, err)
		return
	}
	if !res.plan.evicted.IsZero() {
		c.evict(res.plan.evicted)
	}
	if keep = c.probe(ctx, p, &res); keep {
		return
	}
	if res.reply != nil {
		c.reply(&res, p.link)
	}
	c.report(&res, time.Since(start), seen)
}

// recovered is deferred where a packet from outside is handled.
func (c *crew) recovered(ctx context.Context) {
	if v := recover(); v != nil {
		c.engine.metrics.panics.Inc()
		c.engine.logs.panics.Do(func() {
			c.engine.opts.Logger.ErrorContext(ctx, "panic while handling a DHCP packet", "panic", v, "stack", string(debug.Stack()))
		})
	}
}

// evict has the stored lease of mac forgotten by the worker of that MAC, so that
// it cannot cross with a new lease of the same client. If that worker is behind,
// the old lease stays in the store, where a newer one of its address wins.
func (c *crew) evict(mac phone.MAC) {
	select {
	case c.queue(mac) <- packet{evicted: mac}:
	default:
	}
}

func (c *crew) forget(ctx context.Context, mac phone.MAC) {
	if c.engine.pool.knows(mac) {
		return // it is back with another address, and a lease of its own
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	c.engine.deleteLease(ctx, mac)
}

func (c *crew) reply(res *result, l *link) {
	if res.plan.delay == 0 {
		select {
		case c.outgoing <- outgoing{l, res.reply, res.to}:
		default:
			c.send(l, res.reply, res.to)
		}
		return
	}
	select {
	case c.delayed <- delayedReply{due: time.Now().Add(res.plan.delay), b: res.reply, to: res.to, link: l}:
	default:
		c.engine.metrics.dropped.WithLabelValues(dropOverload).Inc()
	}
}

// sendDelayed sends replies when they are due. All wait equally long, so the
// order of the queue is the order of their times.
func (c *crew) sendDelayed() {
	for {
		select {
		case <-c.quit:
			return
		case d := <-c.delayed:
			select {
			case <-c.quit:
				return
			case <-time.After(time.Until(d.due)):
				c.send(d.link, d.b, d.to)
			}
		}
	}
}

func (c *crew) send(l *link, b []byte, to netip.AddrPort) {
	if err := l.send(b, to); err != nil {
		c.engine.metrics.dropped.WithLabelValues(dropSend).Inc()
		c.engine.logs.send.Do(func() { c.engine.opts.Logger.Warn("dhcp reply not sent", "error", err) })
	}
}

// report counts a request and puts it on the phone's timeline.
func (c *crew) report(res *result, took time.Duration, seen eventLimiter) {
	vendor := "none"
	if res.id.row != nil {
		vendor = res.id.row.name
	}
	c.engine.metrics.messages.WithLabelValues(res.req.typ.String(), vendor, res.plan.outcome).Inc()
	if vendor == "none" {
		return
	}
	now := c.engine.opts.Now()
	if !seen.allow(res.req.mac, now) || (res.plan.typ == dhcpv4.MessageTypeOffer && !c.offers.AllowN(now, 1)) || !c.events.AllowN(now, 1) {
		c.engine.metrics.dropped.WithLabelValues(dropEvent).Inc()
		return
	}
	c.engine.opts.Recorder(event(res, took, now))
}

func (c *crew) garbage(p packet, err error) {
	c.engine.metrics.dropped.WithLabelValues(dropGarbage).Inc()
	c.engine.logs.garbage.Do(func() {
		c.engine.opts.Logger.Info("not a DHCP request", "interface", p.link.name, "client", p.peer.Addr(), "bytes", p.n, "error", err)
	})
}
