// Package fleet is an office full of simulated phones that are plugged in at once,
// as after a power cut: each gets its address by DHCP, fetches its vendor's files
// in its vendor's order and registers with what is in them. It says how long that
// took and who gave up why. Like package simphone it shares nothing with the server.
package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/simphone"
)

// Options of Run.
type Options struct {
	Size int // phones, 1 to MaxSize
	// Over is the time over which the phones are plugged in, evenly; 0: all at once.
	Over time.Duration
	// Interface is where the phones ask for addresses; empty: they have none to ask
	// for, and boot from Server.
	Interface string
	Server    string // provisioning URL when Interface is empty
	// Stay is how long the phones stay registered when the last one is through.
	Stay time.Duration
	// Patience is how long a phone tries before it gives up; 0: 5 minutes.
	Patience time.Duration

	Resolve map[string]string // see simphone.Options
	Trust   *x509.CertPool    // see simphone.Options
	Bar     io.Writer         // gets a progress bar; nil: none
}

// runner is a fleet under way.
type runner struct {
	opts    Options
	dhcp    *dhcpClient // nil without Interface
	report  *Report
	settled sync.WaitGroup // phones that have neither registered nor failed
}

// Run plugs the fleet in, waits until every phone has registered or given up (or ctx
// ends), lets them stay as o says and unplugs them without a word, as a power cut
// does. The error is about the fleet itself; failures of phones are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Size < 1 || o.Size > MaxSize {
		return nil, phone.Invalid("fleet", fmt.Sprintf("%d phones; it takes 1 to %d", o.Size, MaxSize))
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	r := &runner{opts: o, report: newReport(o.Size)}
	if o.Interface != "" {
		c, err := newDHCPClient(ctx, o.Interface)
		if err != nil {
			return nil, err
		}
		defer c.conn.Close()
		go c.serve()
		r.dhcp = c
	}
	return r.report, r.run(ctx)
}

func (r *runner) run(ctx context.Context) error {
	ctx, unplug := context.WithCancelCause(ctx)
	defer unplug(nil)
	barCtx, barEnds := context.WithCancel(ctx)
	var side, phones sync.WaitGroup
	if r.opts.Bar != nil {
		side.Go(func() { showBar(barCtx, r.opts.Bar, r.report, r.opts.Size) })
	}
	r.settled.Add(r.opts.Size)
	for i := range r.opts.Size {
		phones.Go(func() { r.live(ctx, MemberAt(i), r.delay(i)) })
	}
	r.settled.Wait()
	barEnds()
	side.Wait()
	if err := ctx.Err(); err != nil {
		unplug(err)
		phones.Wait()
		return err
	}
	pause(ctx, r.opts.Stay)
	unplug(errUnplugged)
	phones.Wait()
	return nil
}

// errUnplugged ends the phones of a fleet that is through.
var errUnplugged = errors.New("unplugged")

// delay spreads the phones over Options.Over.
func (r *runner) delay(i int) time.Duration {
	return r.opts.Over * time.Duration(i) / time.Duration(r.opts.Size)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// life is one phone from the plug to its end.
type life struct {
	r       *runner
	start   time.Time
	stage   atomic.Int32
	settled sync.Once
}

func (l *life) reach(s Stage) {
	from := Stage(l.stage.Load())
	if s <= from {
		return // a line of its own that registers again
	}
	l.stage.Store(int32(s))
	l.r.report.reached(from, s, time.Since(l.start))
	if s == Registered {
		l.settled.Do(l.r.settled.Done)
	}
}

func (l *life) fail(err error) {
	l.settled.Do(func() {
		l.r.report.failed(Stage(l.stage.Load()), err)
		l.r.settled.Done()
	})
}

// live is one phone: it waits for its plug, boots, registers and stays.
func (r *runner) live(ctx context.Context, m Member, after time.Duration) {
	pause(ctx, after)
	l := &life{r: r, start: time.Now()}
	if ctx.Err() != nil {
		l.fail(context.Cause(ctx))
		return
	}
	l.reach(Discover)
	got, err := r.address(ctx, m)
	if err != nil {
		l.fail(err)
		return
	}
	l.reach(Leased)
	p, err := simphone.New(simphone.Options{
		Vendor: m.Vendor, MAC: m.MAC, Model: m.Model, Server: got.url, Resolve: r.opts.Resolve, Trust: r.opts.Trust, RingFor: -1,
		Local: got.addr, Patience: r.opts.Patience, Abrupt: true,
		Booted: func() { l.reach(Booted) }, Registered: func() { l.reach(Registered) },
	})
	if err != nil {
		l.fail(err)
		return
	}
	if err := p.Run(ctx); err != nil {
		l.fail(err)
		return
	}
	l.fail(context.Cause(ctx)) // no news for a phone that had registered
}

// address gets the phone's lease; without DHCP it has the address of this machine.
func (r *runner) address(ctx context.Context, m Member) (lease, error) {
	if r.dhcp == nil {
		return lease{url: r.opts.Server}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Patience, errSilence)
	defer cancel()
	// Real phones do not wake in the same millisecond.
	pause(ctx, rand.N(50*time.Millisecond))
	got, err := r.dhcp.lease(ctx, m.MAC, m.class)
	if err != nil {
		return lease{}, err
	}
	if got.url == "" {
		return lease{}, errors.New("dhcp: the lease names no provisioning URL")
	}
	if !bindable(got.addr) {
		got.addr = netip.Addr{}
	}
	return got, nil
}
