package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
)

// saveParallel is how many rows the roster saves at once: the inventory commits
// them together.
const saveParallel = 64

// newRoster makes the roster, fills it and keeps it told of the inventory's changes.
func (a *App) newRoster(ctx context.Context) (*roster.Roster, error) {
	r, err := roster.New(roster.Options{
		Devices: a.inventory.Devices, Extensions: a.inventory.Extensions,
		Seen:         paged(a.inventory.AllSeen, func(s phone.Seen) string { return s.ID }),
		DeviceStates: paged(a.inventory.DeviceStates, func(s phone.DeviceState) string { return s.DeviceID }),
		Save:         saver{a.inventory},
		ForgetAfter:  a.forgetAfter(),
		Drifted:      a.drifted,
		Wanted:       a.firmwareWanted,
		Kept:         func(b location.Binding) *location.Binding { return a.mirror.Kept(b) },
		ShowUnknown:  a.cfg.Provision.Enroll != "closed",
		Logger:       a.log, Registerer: a.registry,
	})
	if err != nil {
		return nil, err
	}
	// Told of changes before it reads, so that none falls between.
	a.inventory.OnChange(func(c inventory.Change) { a.tell(r, c) })
	if err := r.Load(ctx); err != nil {
		return nil, fmt.Errorf("load the list of phones: %w", err)
	}
	return r, nil
}

// tell passes a committed change of the inventory on to the list.
func (a *App) tell(r *roster.Roster, c inventory.Change) {
	ctx := context.Background()
	var err error
	switch c.Kind {
	case inventory.ChangeDevice:
		err = a.deviceChanged(ctx, r, c)
	case inventory.ChangeExtension:
		err = a.extensionChanged(ctx, r, c)
	case inventory.ChangeUnknown:
		select {
		case a.relist <- struct{}{}:
		default: // it will be read again anyway
		}
	case inventory.ChangeKey, inventory.ChangeEnrollment, inventory.ChangeTemplate, inventory.ChangeFirmware, inventory.ChangeWebhook:
	}
	if err != nil {
		a.log.ErrorContext(ctx, "list of phones not told of a change", slog.String("kind", string(c.Kind)), slog.Any("error", err))
	}
}

func (a *App) deviceChanged(ctx context.Context, r *roster.Roster, c inventory.Change) error {
	d, err := a.inventory.Device(ctx, c.ID)
	if c.Deleted || errors.Is(err, phone.ErrNotFound) {
		r.DeviceDeleted(c.ID)
		return nil
	}
	if err == nil {
		r.DeviceChanged(d)
	}
	return err
}

func (a *App) extensionChanged(ctx context.Context, r *roster.Roster, c inventory.Change) error {
	e, err := a.inventory.Extension(ctx, c.ID)
	if c.Deleted || errors.Is(err, phone.ErrNotFound) {
		r.ExtensionDeleted(c.ID)
		return nil
	}
	if err == nil {
		r.ExtensionChanged(e)
	}
	return err
}

// rereadList reads the whole inventory into the list whenever somebody asks for
// it, outside the commit that made it necessary.
func (a *App) rereadList(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.relist:
		}
		if err := a.roster.Load(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "list of phones not read again", slog.Any("error", err))
		}
		if err := a.readKnown(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "phones that DHCP knows not read again", slog.Any("error", err))
		}
	}
}

// settle reads the inventory into the list now: after an import of many, which is
// not told one by one, the answer must not be ahead of the list.
func (a *App) settle(ctx context.Context) {
	if err := a.roster.Load(context.WithoutCancel(ctx)); err != nil {
		a.log.ErrorContext(ctx, "list of phones not read again", slog.Any("error", err))
	}
}

// record takes an event of any room: the timeline keeps it, the list sees it. It
// does not block.
func (a *App) record(e phone.Event) {
	a.inventory.Record(e)
	a.roster.Observe(e)
	a.jobs.Observe(e.DeviceID)
	a.history.Observe(e)
	a.publish(told{Event: e})
}

// bindingChanged hears of every contact that came, changed or went.
func (a *App) bindingChanged(c location.Change) {
	a.roster.Binding(c)
	a.observeBinding(c.Binding)
	if a.pinger != nil {
		a.pinger.Binding(c)
	}
	e := phone.Event{
		Proto: c.Binding.Transport, Path: c.Binding.Contact, UserAgent: c.Binding.UserAgent, Source: c.Binding.Received,
	}
	switch c.Kind {
	case location.Added, location.Changed:
		a.sip.Reap(c.Binding)         // what the run before has left
		a.proxy.Registered(c.Binding) // a phone that comes while its extension rings
		return
	case location.Expired:
		e.At, e.Kind, e.Outcome = c.Binding.ExpiresAt, phone.EventExpired, "expired"
		e.Detail = "the registration ran out without a refresh"
	case location.FlowLost:
		if c.Binding.Node != a.id.node || c.Binding.Boot != a.id.boot || !a.serving.Load() {
			return // another node tells, or it was our own stopping
		}
		e.At, e.Kind, e.Outcome = time.Now(), phone.EventFlowLost, "closed"
		e.Detail = "the connection it was registered over has ended"
	default:
		return // the registrar records what phones do; the rest passes unseen
	}
	if cred, err := a.inventory.Credential(context.Background(), c.Binding.AuthUser); err == nil {
		e.DeviceID = cred.DeviceID
	}
	a.record(e)
}

// saver writes what the roster has seen.
type saver struct{ inv *inventory.Store }

func (s saver) SaveSeen(ctx context.Context, phones []phone.Seen) error {
	return s.inv.SaveSeen(ctx, phones...)
}

func (s saver) DeleteSeen(ctx context.Context, ids []string) error {
	return each(ctx, ids, s.inv.DeleteSeen)
}

func (s saver) SaveDeviceStates(ctx context.Context, states []phone.DeviceState) error {
	return each(ctx, states, s.inv.SaveDeviceState)
}

// each does one for every item, several at once; what is gone is not an error.
func each[T any](ctx context.Context, items []T, one func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(saveParallel)
	for _, item := range items {
		g.Go(func() error {
			if err := one(ctx, item); !errors.Is(err, phone.ErrNotFound) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// paged makes a pager of a function that returns everything in ascending order
// of key: it is read once, when the first page is asked for.
func paged[T any](all func(context.Context) ([]T, error), key func(T) string) func(context.Context, string, int) ([]T, error) {
	var rest []T
	return func(ctx context.Context, after string, limit int) ([]T, error) {
		if after == "" {
			var err error
			if rest, err = all(ctx); err != nil {
				return nil, err
			}
		}
		for len(rest) > 0 && key(rest[0]) <= after {
			rest = rest[1:]
		}
		page := rest[:min(limit, len(rest))]
		rest = rest[len(page):]
		return page, nil
	}
}
