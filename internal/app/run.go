package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopTimeout bounds how long what is under way may take to end; SIGTERM promises
// ten seconds for everything.
const stopTimeout = 7 * time.Second

// adminTimeout bounds the end of the last requests to the API.
const adminTimeout = time.Second

// Run serves until ctx ends or a listener fails, then stops everything in turn.
func (a *App) Run(ctx context.Context) error {
	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g, failed := errgroup.WithContext(serveCtx)
	for name, serve := range a.services() {
		g.Go(func() error {
			if err := serve(serveCtx); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	a.serving.Store(true)
	a.awaitList(ctx, failed)
	printed := a.sockets.printTable(a.out, a.moreListeners()...)
	a.log.InfoContext(ctx, "serving", slog.String("node", a.id.node), slog.String("advertise", a.id.advertise))
	if printed == nil {
		a.wait(ctx, failed)
	}
	a.serving.Store(false)
	a.log.InfoContext(ctx, "stopping")
	stopCtx, stopped := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer stopped()
	errs := []error{printed, a.drain(stopCtx)}
	cancel()
	errs = append(errs, g.Wait(), a.cleanup())
	return errors.Join(errs...)
}

// moreListeners are the rows of those that bind their sockets themselves.
func (a *App) moreListeners() (rows []row) {
	add := func(name string, addrs []string) {
		for _, addr := range addrs {
			rows = append(rows, row{name: name, network: "udp", addr: addr})
		}
	}
	if a.dhcp != nil {
		add("dhcp", a.dhcp.Addrs())
	}
	if a.dhcp6 != nil {
		add("dhcp6", a.dhcp6.Addrs())
	}
	if a.pnp != nil {
		add("pnp", a.pnp.Addrs())
	}
	return rows
}

// listTimeout is how long the start waits for the registrations to be read. A
// store that cannot be reached must not keep phones from their files.
const listTimeout = 10 * time.Second

// awaitList waits until the list shows what was registered before the start, so
// that "ready" means so.
func (a *App) awaitList(ctx, failed context.Context) {
	if mode := a.storeMode(); mode != "" {
		a.log.WarnContext(ctx, "serving without the registrations", slog.String("mode", mode))
		return
	}
	timeout := time.NewTimer(listTimeout)
	defer timeout.Stop()
	select {
	case <-a.mirror.Loaded():
	case <-timeout.C:
		a.log.WarnContext(ctx, "the registrations are not read yet; serving without them")
	case <-ctx.Done():
	case <-failed.Done():
	}
}

// wait returns when ctx ends or a service failed, and reloads in between.
func (a *App) wait(ctx, failed context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-failed.Done():
			return
		case <-a.reload:
			a.reloadAll(ctx)
		}
	}
}

// reloadAll reads again what an administrator can replace under a running
// server. What cannot be read leaves the old in place.
func (a *App) reloadAll(ctx context.Context) {
	failed := false
	if err := a.library.Reload(ctx); err != nil {
		failed = true
		a.log.ErrorContext(ctx, "reload failed, the old templates stay", slog.Any("error", err))
	}
	if a.certs != nil {
		if err := a.certs.Reload(); err != nil {
			failed = true
			a.log.ErrorContext(ctx, "reload failed, the old certificate stays", slog.Any("error", err))
		}
	}
	if !failed {
		a.log.InfoContext(ctx, "reload done")
	}
}

// renewEvery is how often a running server looks whether its own certificate has
// to be renewed, which it is a month before its end.
const renewEvery = 12 * time.Hour

func (a *App) renewCertificates(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.certs.Reload(); err != nil {
				a.log.ErrorContext(ctx, "certificate not renewed", slog.Any("error", err))
			}
		}
	}
}

// services are the loops of the process. Each returns nil when it was stopped.
func (a *App) services() map[string]func(context.Context) error {
	s := map[string]func(context.Context) error{
		"mirror of registrations": a.follow,
		"list of phones":          a.roster.Run,
		"inventory to list":       a.rereadList,
		"templates":               a.library.Run,
		"jobs":                    a.jobs.Run,
		"template rollouts":       a.settleTemplates,
		"rotations":               a.endRotations,
		"revoked users":           a.revoke,
		"uploads":                 a.sweepUploads,
		"firmware":                a.followFirmware,
		"adopted phones":          a.tellAdopted,
		"last good files":         a.lastGood.Run,
		"history":                 a.sample,
		"admin":                   func(context.Context) error { return serveHTTP(a.admin, a.sockets.admin, false) },
	}
	if len(a.sockets.sip) > 0 {
		s["sip"] = func(ctx context.Context) error { return a.sip.Serve(ctx, a.sockets.sip) }
	}
	if a.hook != nil {
		s["webhook"] = a.hook.Run
	}
	if a.events != nil {
		s["events of all nodes"] = a.events.Run
	}
	if a.certs != nil {
		s["certificates"] = a.renewCertificates
	}
	if a.pinger != nil {
		s["qualify"] = a.pinger.Run
	}
	if a.sockets.node != nil {
		s["link"] = a.serveLink
	}
	if a.cluster != nil {
		s["other nodes"], s["bus of nodes"], s["bans"] = a.cluster.nodes.Run, a.cluster.bus.Run, a.cluster.keepBans
	}
	if a.sockets.http != nil {
		s["http"] = func(context.Context) error { return serveHTTP(a.phones[plainHTTP], a.sockets.http, false) }
	}
	if a.sockets.https != nil {
		s["https"] = func(context.Context) error { return serveHTTP(a.phones[modernTLS], a.sockets.https, true) }
	}
	if a.sockets.httpsOld != nil {
		s["https.legacy"] = func(context.Context) error { return serveHTTP(a.phones[legacyTLS], a.sockets.httpsOld, true) }
	}
	if a.sockets.tftp != nil {
		s["tftp"] = func(ctx context.Context) error { return a.tftp.Serve(ctx, a.sockets.tftp) }
	}
	if a.dhcp != nil {
		s["dhcp"] = a.dhcp.Serve
	}
	if a.dhcp6 != nil {
		s["dhcp6"] = a.dhcp6.Serve
	}
	if a.pnp != nil {
		s["pnp"] = a.pnp.Serve
	}
	return s
}

// drain lets what is under way end: requests, downloads, calls being set up.
func (a *App) drain(ctx context.Context) error {
	a.feed.Close() // who listens would keep the admin listener busy
	var g errgroup.Group
	for _, s := range a.phones {
		g.Go(func() error { return s.Shutdown(ctx) })
	}
	g.Go(func() error {
		// Calls being set up end first; they need the sockets of the registrar.
		return errors.Join(a.proxy.Shutdown(ctx), a.sip.Shutdown(ctx))
	})
	err := g.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.WarnContext(ctx, "not everything under way ended in time")
		err = nil
	}
	// The admin listener goes last: it says meanwhile that we live and are not ready.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminTimeout)
	defer cancel()
	if adminErr := a.admin.Shutdown(last); !errors.Is(adminErr, context.DeadlineExceeded) {
		err = errors.Join(err, adminErr)
	}
	return err
}
