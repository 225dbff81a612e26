package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// SaveSeen stores phones that are known by their registration only, each over what
// was stored under its ID, several in one transaction. phone.ErrConflict when another
// ID has the Key of one: another node saw it first, and it is left out.
func (s *Store) SaveSeen(ctx context.Context, phones ...phone.Seen) error {
	var errs []error
	for part := range slices.Chunk(phones, seenBatch) {
		err := s.write(ctx, func(u *unit) error { return u.saveSeen(part) })
		if len(part) > 1 && errors.Is(err, phone.ErrConflict) {
			for i := range part { // it does not stop the others
				errs = append(errs, s.SaveSeen(ctx, part[i]))
			}
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// seenBatch is how many phones are saved in one transaction: other writers wait for
// it some milliseconds.
const seenBatch = 256

func (u *unit) saveSeen(phones []phone.Seen) error {
	const many = 16
	for len(phones) > 0 {
		n := 1
		if len(phones) >= many {
			n = many
		}
		args := make([]any, 0, n*seenWidth)
		for i := range phones[:n] {
			p := &phones[i]
			args = append(args, p.ID, clip(p.Key, 2*maxWire), clip(p.Extension, maxText), clip(p.UserAgent, maxWire),
				clip(p.IPAddress, maxText), clip(p.Contact, 2*maxWire), clip(p.Transport, maxText),
				toMillis(p.LastRegistered), toMillis(p.CreatedAt))
		}
		err := u.exec(insertSeen+values(n, seenWidth)+updateSeen, args...)
		if engine.IsKind(err, engine.Unique) {
			return fmt.Errorf("another phone is recognised by the same key: %w", phone.ErrConflict)
		}
		if err != nil {
			return fmt.Errorf("save %d seen phones from %s: %w", n, phones[0].ID, err)
		}
		phones = phones[n:]
	}
	return nil
}

const (
	seenWidth  = 9 // columns
	insertSeen = `INSERT INTO seen (id, key, extension, user_agent, ip_address, contact, transport,
		last_registered, created_at) VALUES `
	updateSeen = ` ON CONFLICT (id) DO UPDATE SET key = excluded.key, extension = excluded.extension,
		user_agent = excluded.user_agent, ip_address = excluded.ip_address, contact = excluded.contact,
		transport = excluded.transport, last_registered = excluded.last_registered`
)

// AllSeen returns all phones known by their registration only, in the order of
// their ids.
func (s *Store) AllSeen(ctx context.Context) ([]phone.Seen, error) {
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.Seen, error) {
		var (
			p                phone.Seen
			created, refresh int64
		)
		err := row.Scan(&p.ID, &p.Key, &p.Extension, &p.UserAgent, &p.IPAddress, &p.Contact, &p.Transport,
			&refresh, &created)
		p.LastRegistered, p.CreatedAt = fromMillis(refresh), fromMillis(created)
		return p, err
	}, `SELECT id, key, extension, user_agent, ip_address, contact, transport, last_registered, created_at
		FROM seen ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list seen phones: %w", err)
	}
	return list, nil
}

// DeleteSeen forgets such a phone; phone.ErrNotFound when it is not there.
func (s *Store) DeleteSeen(ctx context.Context, id string) error {
	return s.write(ctx, func(u *unit) error {
		n, err := u.Exec(`DELETE FROM seen WHERE id = $1`, clip(id, maxText))
		if err != nil {
			return fmt.Errorf("delete the seen phone %s: %w", id, err)
		}
		if n == 0 {
			return phone.ErrNotFound
		}
		return nil
	})
}

// SaveDeviceState stores what was last seen of a device over what was stored;
// phone.ErrNotFound when there is no such device. Of what it was given the newest
// stays: a node that has not heard yet what another one gave it must not undo that.
func (s *Store) SaveDeviceState(ctx context.Context, d phone.DeviceState) error {
	return s.write(ctx, func(u *unit) error {
		err := u.exec(`INSERT INTO device_state (device_id, last_registered, user_agent, ip_address, contact,
				transport, last_provisioned, provisioned_revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (device_id) DO UPDATE SET last_registered = excluded.last_registered,
				user_agent = excluded.user_agent, ip_address = excluded.ip_address, contact = excluded.contact,
				transport = excluded.transport, last_provisioned = CASE
					WHEN excluded.last_provisioned > device_state.last_provisioned THEN excluded.last_provisioned
					ELSE device_state.last_provisioned END,
				provisioned_revision = CASE
					WHEN excluded.provisioned_revision > device_state.provisioned_revision THEN excluded.provisioned_revision
					ELSE device_state.provisioned_revision END`,
			clip(d.DeviceID, maxText), toMillis(d.LastRegistered), clip(d.UserAgent, maxWire),
			clip(d.IPAddress, maxText), clip(d.Contact, 2*maxWire), clip(d.Transport, maxText),
			toMillis(d.LastProvisioned), d.ProvisionedRevision)
		if engine.IsKind(err, engine.ForeignKey) {
			return phone.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("save what was seen of phone %s: %w", d.DeviceID, err)
		}
		return nil
	})
}

// DeviceStates returns what was last seen of every device, in the order of their
// ids; a device never seen has none.
func (s *Store) DeviceStates(ctx context.Context) ([]phone.DeviceState, error) {
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.DeviceState, error) {
		var (
			d                       phone.DeviceState
			registered, provisioned int64
		)
		err := row.Scan(&d.DeviceID, &registered, &d.UserAgent, &d.IPAddress, &d.Contact, &d.Transport,
			&provisioned, &d.ProvisionedRevision)
		d.LastRegistered, d.LastProvisioned = fromMillis(registered), fromMillis(provisioned)
		return d, err
	}, `SELECT device_id, last_registered, user_agent, ip_address, contact, transport, last_provisioned,
		provisioned_revision FROM device_state ORDER BY device_id`)
	if err != nil {
		return nil, fmt.Errorf("list what was seen of phones: %w", err)
	}
	return list, nil
}
