package app

import (
	"context"
	"slices"
	"strings"
	"syscall"

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
func (a *App) pnpAnswer(_ context.Context, p pnp.Phone) (string, bool) {
	if known, _ := a.known.Known(p.MAC); !known && !a.enrollable(p.MAC) {
		return "", false
	}
	u := a.baseURL()
	if u == "" {
		return "", false
	}
	return strings.TrimRight(u, "/") + "/", true
}

// enrollable reports whether a phone that nobody provisioned may be given anything:
// enrollment is open and the block of its MAC address is a maker's whose files there are.
func (a *App) enrollable(mac phone.MAC) bool {
	if a.cfg.Provision.Enroll == "closed" {
		return false
	}
	v, ok := vendorOf(mac)
	return ok && slices.Contains(phone.Vendors(), v)
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
