// Package simphone is a phone without a handset: it boots as its vendor's phones
// do (their file names, in their order, with their User-Agent), registers with
// what the files gave it, answers calls and obeys check-sync. It shares no code
// with the server beyond the SIP and TFTP codecs, so that it can prove the server
// right or wrong. It plays no audio.
package simphone

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Options say which phone to be and where it boots from.
type Options struct {
	Vendor phone.Vendor
	MAC    phone.MAC
	Model  string // empty: a common model of the vendor
	Server string // provisioning URL, as DHCP option 66 would give it: http, https or tftp

	// Resolve replaces DNS for the hosts named, as an /etc/hosts would. A host
	// that cannot be resolved at all is looked for at the provisioning server.
	Resolve map[string]string
	// Trust is what the phone trusts beside the system's CAs; nil adds nothing.
	Trust *x509.CertPool
	// Certificate is the phone's factory certificate; nil: it has none.
	Certificate *tls.Certificate
	// Poll is how soon a phone without an account asks again; 0: as its files say.
	Poll time.Duration
	// RingFor is how long the phone rings before it answers; negative: never.
	RingFor time.Duration
	// Out gets one line per step.
	Out io.Writer

	// Local is the address that the phone speaks from; zero: the system chooses.
	Local netip.Addr
	// Patience is for how long a step that failed for the moment (no answer, a
	// server that is busy) is tried again; 0: not at all.
	Patience time.Duration
	// Abrupt unplugs the phone at the end: it does not unregister.
	Abrupt bool
	// Booted and Registered are told when the files are read, and when a line has
	// its 200; nil: nobody is.
	Booted, Registered func()
}

// Phone is one simulated phone. It is made by New and lives during Run.
type Phone struct {
	opts   Options
	vendor vendor
	base   *url.URL
	out    sync.Mutex
	resync chan string // reasons to fetch the configuration again
	again  time.Duration
	calls  callTable
}

// errStop ends Run without an error when the context ends.
var errStop = errors.New("stopped")

// New checks o and returns the phone, not yet plugged in.
func New(o Options) (*Phone, error) {
	v, ok := vendors[o.Vendor]
	if !ok {
		return nil, phone.Invalid("vendor", fmt.Sprintf("%q is not polycom, yealink or grandstream", o.Vendor))
	}
	if o.MAC.IsZero() {
		return nil, phone.Invalid("mac", "is missing")
	}
	base, err := url.Parse(o.Server)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https" && base.Scheme != "tftp") {
		return nil, phone.Invalid("server", fmt.Sprintf("%q is not a http, https or tftp URL", o.Server))
	}
	if o.Model == "" {
		o.Model = v.model
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return &Phone{opts: o, vendor: v, base: base, resync: make(chan string, 1)}, nil
}

// Run boots the phone and keeps it registered until ctx ends; then it
// unregisters and returns nil. A phone that finds no configuration, or whose
// registration is refused, returns an error that says which step failed.
func (p *Phone) Run(ctx context.Context) error {
	p.step("power", "%s %s, MAC %s, boots from %s", p.opts.Vendor.DisplayName(), p.opts.Model, p.opts.MAC, p.base)
	for {
		var accounts []account
		err := p.patiently(ctx, func() (err error) {
			accounts, err = p.boot(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if len(accounts) == 0 {
			if err := p.unclaimed(ctx); err != nil {
				return nil // unplugged
			}
			continue
		}
		if p.opts.Booted != nil {
			p.opts.Booted()
		}
		err = p.serve(ctx, accounts)
		if !errors.Is(err, errResync) {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// errResync ends serve because the server asked for a new look at the files.
var errResync = errors.New("resync")

// serve keeps all accounts registered until one fails, a resync or the end of ctx.
func (p *Phone) serve(ctx context.Context, accounts []account) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errStop)
	var wg sync.WaitGroup
	for _, a := range accounts {
		wg.Go(func() {
			if err := p.patiently(ctx, func() error { return p.runLine(ctx, a) }); err != nil {
				cancel(err)
			}
		})
	}
	select {
	case why := <-p.resync:
		p.step("resync", "%s", why)
		cancel(errResync)
	case <-ctx.Done():
	}
	wg.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return errStop
}

// step prints one line: what the phone did and how it went.
func (p *Phone) step(what, format string, args ...any) {
	p.out.Lock()
	defer p.out.Unlock()
	fmt.Fprintf(p.opts.Out, "%-9s %s\n", what, fmt.Sprintf(format, args...))
}
