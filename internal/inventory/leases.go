package inventory

import (
	"context"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// SaveLease stores the lease of a device, over one it had. An address belongs to
// one device: an expired lease of another gives way, a live one is
// phone.ErrConflict.
func (s *Store) SaveLease(ctx context.Context, l phone.Lease) error {
	return s.write(ctx, func(u *unit) error {
		mac, ip := l.MAC.Hex(), clip(l.IP, maxText)
		err := u.exec(`DELETE FROM leases WHERE ip = $1 AND mac <> $2 AND expires_at <= $3`, ip, mac, toMillis(u.Now))
		if err == nil {
			err = u.exec(`INSERT INTO leases (mac, ip, client_id, vendor, expires_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (mac) DO UPDATE SET ip = excluded.ip, client_id = excluded.client_id,
				vendor = excluded.vendor, expires_at = excluded.expires_at`,
				mac, ip, clip(l.ClientID, 2*maxWire), clip(l.Vendor, maxWire), toMillis(l.ExpiresAt))
		}
		if engine.IsKind(err, engine.Unique) {
			return fmt.Errorf("address %s is leased to another device: %w", ip, phone.ErrConflict)
		}
		if err != nil {
			return fmt.Errorf("save the lease of %s: %w", l.MAC, err)
		}
		return nil
	})
}

// maxWire bounds a text off the wire, in bytes.
const maxWire = 512

// Leases returns all leases, expired ones too, in the order of their MACs.
func (s *Store) Leases(ctx context.Context) ([]phone.Lease, error) {
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.Lease, error) {
		var (
			l       phone.Lease
			mac     string
			expires int64
		)
		if err := row.Scan(&mac, &l.IP, &l.ClientID, &l.Vendor, &expires); err != nil {
			return l, err
		}
		l.ExpiresAt = fromMillis(expires)
		var err error
		l.MAC, err = phone.ParseMAC(mac)
		return l, err
	}, `SELECT mac, ip, client_id, vendor, expires_at FROM leases ORDER BY mac`)
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	return list, nil
}

// DeleteLease removes the lease of a device, if there is one.
func (s *Store) DeleteLease(ctx context.Context, mac phone.MAC) error {
	return s.write(ctx, func(u *unit) error {
		if err := u.exec(`DELETE FROM leases WHERE mac = $1`, mac.Hex()); err != nil {
			return fmt.Errorf("delete the lease of %s: %w", mac, err)
		}
		return nil
	})
}
