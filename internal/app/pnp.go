package app

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/config"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision/pnp"
)

// openPnP joins the multicast group that phones ask, when the configuration names an
// interface.
func (a *App) openPnP(ctx context.Context) (err error) {
	if a.cfg.PnP.Interface == "" {
		return nil
	}
	a.pnp, err = pnp.New(pnp.Options{
		Interfaces: names(a.cfg.PnP.Interface), Answer: a.pnpAnswer, Recorder: a.record, Logger: a.log, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.onStop("pnp", a.pnp.Close)
	return a.pnp.Listen(ctx)
}

// pnpAnswer is the URL for a phone that is known or may be enrolled.
func (a *App) pnpAnswer(ctx context.Context, p pnp.Phone) (string, bool) {
	if known, _ := a.known.Known(p.MAC); !known && !a.enrollable(ctx, p.MAC, p.Source.Addr()) {
		return "", false
	}
	u := a.baseURL()
	if u == "" {
		return "", false
	}
	return strings.TrimRight(u, "/") + "/", true
}

// enrollable reports whether a phone that nobody provisioned may be given anything:
// the block of its MAC address is a maker's whose files there are, and enrollment is
// not closed, or a window is open for where it is.
func (a *App) enrollable(ctx context.Context, mac phone.MAC, from netip.Addr) bool {
	if v, ok := vendorOf(mac); !ok || !slices.Contains(phone.Vendors(), v) {
		return false
	}
	if a.cfg.Provision.Enroll != "closed" {
		return true
	}
	w, err := a.inventory.Enrollment(ctx)
	return err == nil && w.Open(time.Now()) && (!w.Subnet.IsValid() || w.Subnet.Contains(from))
}

// shareSIPPort lets the PnP responder have port 5060 of the group beside the
// registrar's socket, and keeps what is said to the group out of that.
func shareSIPPort(c syscall.RawConn) error {
	var serr error
	err := c.Control(func(fd uintptr) {
		if serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); serr == nil {
			serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		}
	})
	if err != nil {
		return err
	}
	return serr
}

// sipControl prepares the socket of sip.udp.
func sipControl(cfg config.Config) func(network, address string, c syscall.RawConn) error {
	if cfg.PnP.Interface == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error { return shareSIPPort(c) }
}
