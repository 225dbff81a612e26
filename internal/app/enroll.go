package app

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"time"

	"pbx.dev/dialtone/api"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/enroll"
	"pbx.dev/dialtone/internal/lastgood"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/provision"
	"pbx.dev/dialtone/registrar/location"
)

// openDesk makes what decides about phones nobody knows.
func (a *App) openDesk(context.Context) error {
	key, err := subkey(a.master, "claim codes")
	if err != nil {
		return err
	}
	a.adoptions = make(chan adoption, maxAdoptions)
	a.desk, err = enroll.New(enroll.Options{
		Store: a.inventory, Key: key, Auto: a.cfg.Provision.Enroll == string(provision.EnrollAuto),
		Codes: a.cfg.Provision.ClaimCodes, Recorder: a.record, Logger: a.log,
	})
	return err
}

// openLastGood makes where the files that phones got last survive a restart.
func (a *App) openLastGood(context.Context) error {
	key, err := subkey(a.master, "last good")
	if err != nil {
		return err
	}
	a.lastGood, err = lastgood.Open(lastgood.Options{
		Dir: filepath.Join(a.cfg.DataDir, "last-good"), Key: key, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.onStop("last good files", a.lastGood.Close)
	return nil
}

// adoption is a phone that was adopted and does not know it yet.
type adoption struct {
	device  phone.Device
	address string
}

// adoptions are told to phones one after the other; who does not hear of it asks
// by itself after a while.
const maxAdoptions = 256

// claims gives the API the codes that phones show.
type claims struct{ a *App }

func (c claims) Claimed(code string) (phone.MAC, error) { return c.a.desk.Claimed(code) }

func (c claims) Adopted(d phone.Device, address string) {
	c.a.desk.Forget(d.MAC)
	select {
	case c.a.adoptions <- adoption{d, address}:
	default:
		c.a.log.Warn("enroll: too many phones adopted at once, one is not told", slog.Any("phone", d.MAC))
	}
}

// adoptionTimeout is how long a phone that was adopted is waited for.
const adoptionTimeout = 5 * time.Second

// tellAdopted tells phones that were adopted to fetch their files.
func (a *App) tellAdopted(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ad := <-a.adoptions:
			a.tellOne(ctx, ad)
		}
	}
}

// tellOne uses the connections that the phone has registered over, else the port
// that phones listen on: check-sync needs no registration with most of them
// (docs/VENDORS.md says what is not proved).
func (a *App) tellOne(ctx context.Context, ad adoption) {
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "enroll: panic", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, adoptionTimeout)
	defer cancel()
	var to []location.Binding
	for _, l := range ad.device.Lines {
		for _, c := range a.roster.Contacts(l.Extension) {
			if c.PhoneID == ad.device.ID {
				to = append(to, c.Binding)
			}
		}
	}
	if addr, err := netip.ParseAddr(ad.address); err == nil && len(to) == 0 && len(ad.device.Lines) > 0 {
		at := netip.AddrPortFrom(addr, 5060).String()
		to = append(to, location.Binding{
			AOR: location.AOR(ad.device.Lines[0].Extension + "@" + a.cfg.SIP.Domain), Contact: "sip:" + ad.device.Lines[0].Extension + "@" + at,
			Received: at, Transport: "udp",
		})
	}
	for _, b := range to {
		if _, err := a.notify(ctx, b, catalog.Event(ad.device.Vendor, false)); err != nil {
			a.log.InfoContext(ctx, "enroll: an adopted phone did not hear of it, and will ask by itself", slog.Any("phone", ad.device.MAC), slog.Any("error", err))
		}
	}
}

// admit asks the desk about a phone that wants a file.
func (a *App) admit(ctx context.Context, u provision.UnknownPhone) (provision.Admission, error) {
	d := phone.Device{MAC: u.MAC, Vendor: u.Vendor, Model: useragent.Parse(u.UserAgent, useragent.HTTP).Model}
	d, code, err := a.desk.Admit(ctx, d, u.Source.Addr())
	if code != "" {
		a.publish(told{Event: phone.Event{At: u.At, MAC: u.MAC}, Claim: true})
	}
	return provision.Admission{Device: d, Claim: code}, err
}

// leasedOther says what the DHCP leases have against a phone asking from an address.
func (a *App) leasedOther(mac phone.MAC, from netip.Addr) string {
	if a.dhcp == nil {
		return ""
	}
	return a.dhcp.Against(mac, from)
}

// waiting lists a phone nobody knows.
func (a *App) waiting(u provision.UnknownPhone) {
	e := phone.Event{
		At: u.At, Kind: phone.EventFile, MAC: u.MAC, Proto: u.Proto, Path: u.Name, UserAgent: u.UserAgent, Source: u.Source.String(),
	}
	a.roster.Waiting(e)
	a.publish(told{Event: e, Waiting: true})
}

// bans are the sources that a firewall may want to know.
func (a *App) bans() []api.Ban {
	var out []api.Ban
	for _, b := range a.files.Bans() {
		source := b.Source.String()
		if b.Source.IsSingleIP() {
			source = b.Source.Addr().String()
		}
		out = append(out, api.Ban{Source: source, Reason: b.Reason, Since: b.Since, Until: b.Until})
	}
	return out
}

// pardon ends a ban of bans.
func (a *App) pardon(source string) error {
	prefix, err := netip.ParsePrefix(source)
	if err != nil {
		addr, addrErr := netip.ParseAddr(source)
		if addrErr != nil {
			return phone.Invalid("source", "must be an address or a network, as the list of bans shows it")
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if !a.files.Pardon(prefix) {
		return phone.ErrNotFound
	}
	return nil
}

// macs parses MAC addresses that the configuration has checked.
func macs(texts []string) []phone.MAC {
	var out []phone.MAC
	for _, t := range texts {
		if m, err := phone.ParseMAC(t); err == nil {
			out = append(out, m)
		}
	}
	return out
}
