package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"pbx.dev/dialtone/internal/inventory"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// knownPhones are the MAC addresses of the inventory and the addresses that DHCP
// keeps for them, in memory: discovery asks with every packet, of MAC addresses
// that anybody can invent.
type knownPhones struct {
	mu      sync.RWMutex
	m       map[phone.MAC]netip.Addr // the zero Addr: no reservation
	changed func(phone.MAC, netip.Addr)
}

// openKnown reads the phones of the inventory and follows its changes, when
// discovery is on.
func (a *App) openKnown(ctx context.Context) error {
	if !a.discovers() {
		return nil
	}
	a.known = &knownPhones{m: map[phone.MAC]netip.Addr{}, changed: func(phone.MAC, netip.Addr) {}}
	a.inventory.OnChange(func(c inventory.Change) {
		if c.Kind != inventory.ChangeDevice {
			return
		}
		told := context.Background()
		if err := a.knownChanged(told, c); err != nil {
			a.log.ErrorContext(told, "discovery not told of a change", slog.String("phone", c.ID), slog.Any("error", err))
		}
	})
	return a.readKnown(ctx)
}

func (a *App) knownChanged(ctx context.Context, c inventory.Change) error {
	d, err := a.inventory.Device(ctx, c.ID)
	if c.Deleted || errors.Is(err, phone.ErrNotFound) {
		a.known.set(c.MAC, netip.Addr{}, false)
		return nil
	}
	if err == nil {
		a.known.set(d.MAC, reservation(d), true)
	}
	return err
}

// readKnown reads all phones anew.
func (a *App) readKnown(ctx context.Context) error {
	if a.known == nil {
		return nil
	}
	const page = 500
	seen := map[phone.MAC]bool{}
	for after := ""; ; {
		list, err := a.inventory.Devices(ctx, after, page)
		if err != nil {
			return fmt.Errorf("read the phones that DHCP knows: %w", err)
		}
		for _, d := range list {
			seen[d.MAC] = true
			a.known.set(d.MAC, reservation(d), true)
		}
		if len(list) < page {
			break
		}
		after = list[len(list)-1].ID
	}
	for mac := range a.known.all() {
		if !seen[mac] {
			a.known.set(mac, netip.Addr{}, false)
		}
	}
	return nil
}

// reservation is the address that DHCP keeps for a phone.
func reservation(d phone.Device) netip.Addr {
	addr, err := netip.ParseAddr(d.Settings[provision.SettingAddress])
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

func (k *knownPhones) set(mac phone.MAC, addr netip.Addr, known bool) {
	k.mu.Lock()
	was := k.m[mac]
	if known {
		k.m[mac] = addr
	} else {
		delete(k.m, mac)
	}
	changed := k.changed
	k.mu.Unlock()
	if was != addr {
		changed(mac, addr)
	}
}

// Known reports whether mac is a phone of the inventory, and how many there are.
func (k *knownPhones) Known(mac phone.MAC) (known bool, count int) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, known = k.m[mac]
	return known, len(k.m)
}

// all returns a copy.
func (k *knownPhones) all() map[phone.MAC]netip.Addr {
	k.mu.RLock()
	defer k.mu.RUnlock()
	out := make(map[phone.MAC]netip.Addr, len(k.m))
	for mac, addr := range k.m {
		out[mac] = addr
	}
	return out
}

// follow makes fn hear of every reservation, those there are included.
func (k *knownPhones) follow(fn func(phone.MAC, netip.Addr)) {
	k.mu.Lock()
	k.changed = fn
	k.mu.Unlock()
	for mac, addr := range k.all() {
		if addr.IsValid() {
			fn(mac, addr)
		}
	}
}
