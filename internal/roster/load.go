package roster

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
)

// Load reads the inventory and what was last seen. It may be called again when
// the inventory cannot say what changed: devices and extensions that are gone
// then leave the list. Changes may be reported while it runs.
func (r *Roster) Load(ctx context.Context) error {
	select {
	case r.loading <- struct{}{}:
		defer func() { <-r.loading }()
	case <-ctx.Done():
		return fmt.Errorf("load the roster: %w", ctx.Err())
	}
	r.change(func(s *state) { s.load, s.deleted = s.load+1, map[string]struct{}{} })
	defer r.change(func(s *state) { s.deleted = nil })
	for _, step := range []func(context.Context) error{r.loadExtensions, r.loadDevices, r.loadStates, r.loadSeen} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *Roster) loadExtensions(ctx context.Context) error {
	err := pages(ctx, r, r.opts.Extensions, func(s *state, e phone.Extension) string {
		s.nameExtension(e.Number, e.Name, true)
		return e.Number
	})
	if err != nil {
		return fmt.Errorf("load extensions: %w", err)
	}
	if r.opts.Extensions != nil {
		r.change(func(s *state) {
			for number, e := range maps.Clone(s.exts) {
				if e.known && e.load != s.load {
					s.nameExtension(number, "", false)
				}
			}
		})
	}
	return nil
}

func (r *Roster) loadDevices(ctx context.Context) error {
	err := pages(ctx, r, r.opts.Devices, func(s *state, d phone.Device) string {
		if _, deleted := s.deleted[d.ID]; !deleted {
			s.putDevice(d)
		}
		return d.ID
	})
	if err != nil {
		return fmt.Errorf("load devices: %w", err)
	}
	if r.opts.Devices != nil {
		r.change(func(s *state) {
			for _, row := range slices.Clone(s.rows) {
				if row != nil && row.dev != nil && row.dev.load != s.load {
					s.dropDevice(row)
				}
			}
		})
	}
	return nil
}

func (r *Roster) loadStates(ctx context.Context) error {
	err := pages(ctx, r, r.opts.DeviceStates, func(s *state, d phone.DeviceState) string {
		s.recall(d)
		return d.DeviceID
	})
	if err != nil {
		return fmt.Errorf("load device states: %w", err)
	}
	return nil
}

func (r *Roster) loadSeen(ctx context.Context) error {
	err := pages(ctx, r, r.opts.Seen, func(s *state, p phone.Seen) string {
		s.restore(p)
		return p.ID
	})
	if err != nil {
		return fmt.Errorf("load seen phones: %w", err)
	}
	return nil
}

// pages calls put, which returns the key of an item, for all that a loader has,
// a page at a time under the lock.
func pages[T any](ctx context.Context, r *Roster, load func(context.Context, string, int) ([]T, error), put func(*state, T) string) error {
	if load == nil {
		return nil
	}
	for after := ""; ; {
		page, err := load(ctx, after, pageSize)
		if err != nil {
			return err
		}
		r.change(func(s *state) {
			for _, item := range page {
				after = put(s, item)
			}
		})
		if len(page) < pageSize {
			return nil
		}
	}
}

// recall takes over what was last seen of a device, unless it has been heard of
// since.
func (s *state) recall(d phone.DeviceState) {
	r := s.byID[d.DeviceID]
	if r == nil || r.dev == nil {
		return
	}
	dev := r.dev
	dev.hasRevision = max(dev.hasRevision, d.ProvisionedRevision)
	if d.LastProvisioned.After(dev.provisioned) {
		dev.provisioned = d.LastProvisioned
	}
	if dev.sourceIP == "" {
		dev.sourceIP = d.IPAddress
	}
	dev.contacted = dev.contacted || d.IPAddress != "" || !d.LastProvisioned.IsZero()
	if d.LastRegistered.After(r.registered) {
		r.registered, r.saved = d.LastRegistered, d.LastRegistered
	}
	if r.userAgent == "" && d.UserAgent != "" {
		r.userAgent, r.contact, r.transport = d.UserAgent, d.Contact, d.Transport
		r.agent = s.agentOf(agentKey{d.UserAgent, useragent.SIP, useragent.FromBrowser(d.Transport, d.Contact)})
	}
	if r.ip == "" {
		r.ip = d.IPAddress
	}
	s.describe(r)
}
