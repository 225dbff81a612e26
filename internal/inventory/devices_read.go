package inventory

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// A device and its lines come from one statement, so that they always belong
// together and a page of devices is not a query for each.
const (
	deviceColumns = `SELECT d.id, d.mac, d.vendor, d.model, d.name, d.site, d.settings, d.sealed, d.revision,
		d.created_at, d.updated_at, COALESCE(c.line, 0), COALESCE(c.extension, ''), COALESCE(c.label, ''),
		COALESCE(c.auth_user, ''), c.secret, COALESCE(e.name, ''), k.steady, COALESCE(k.steady_used, 0),
		k.enroll_hash, COALESCE(k.enroll_expires, 0), COALESCE(k.enroll_used, 0) `
	deviceJoin = ` d LEFT JOIN credentials c ON c.device_id = d.id
		LEFT JOIN extensions e ON e.number = c.extension LEFT JOIN tokens k ON k.device_id = d.id `
	deviceByID  = deviceColumns + `FROM devices` + deviceJoin + `WHERE d.id = $1 ORDER BY c.line`
	deviceByMAC = deviceColumns + `FROM devices` + deviceJoin + `WHERE d.mac = $1 ORDER BY c.line`
	devicePage  = deviceColumns + `FROM (SELECT id, mac, vendor, model, name, site, settings, sealed, revision, created_at,
		updated_at FROM devices WHERE id > $1 ORDER BY id LIMIT $2)` + deviceJoin + `ORDER BY d.id, c.line`
)

// Device returns a device with its lines, DisplayName and Label filled.
func (s *Store) Device(ctx context.Context, id string) (phone.Device, error) {
	list, err := s.readDevices(s.db.Reader(ctx), deviceByID, clip(id, maxText))
	if err != nil {
		return phone.Device{}, err
	}
	return shown(list[0]), nil
}

// DeviceByMAC is Device by MAC, from memory when it can. The copy is the
// caller's own.
func (s *Store) DeviceByMAC(ctx context.Context, mac phone.MAC) (phone.Device, error) {
	d, err := s.SharedDevice(ctx, mac)
	return d.Clone(), err
}

// SharedDevice is DeviceByMAC without the copy, which of a phone with its keys
// programmed costs more than the look-up: nothing that hangs on it may be changed.
func (s *Store) SharedDevice(ctx context.Context, mac phone.MAC) (phone.Device, error) {
	return s.devices.get(mac, func(mac phone.MAC) (phone.Device, error) {
		list, err := s.readDevices(s.db.Reader(ctx), deviceByMAC, mac.Hex())
		if err != nil {
			return phone.Device{}, err
		}
		return shown(list[0]), nil
	})
}

// Devices returns up to limit (at most 10,000) devices in the order of their ids,
// after the id "after", "" for the start.
func (s *Store) Devices(ctx context.Context, after string, limit int) ([]phone.Device, error) {
	list, err := s.readDevices(s.db.Reader(ctx), devicePage, clip(after, maxText), within(limit))
	if errors.Is(err, phone.ErrNotFound) {
		return nil, nil
	}
	for i := range list {
		list[i] = shown(list[i])
	}
	return list, err
}

// readDevices runs one of the statements above; phone.ErrNotFound for no device.
// Labels that were never set are empty.
func (s *Store) readDevices(q engine.Querier, query string, args ...any) ([]phone.Device, error) {
	var list []phone.Device
	err := engine.Each(q, func(row engine.Row) error {
		var r deviceRow
		if err := r.scan(row); err != nil {
			return err
		}
		if n := len(list); n == 0 || list[n-1].ID != r.device.ID {
			d, err := r.open(s.sealer)
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		if r.line.Number == 0 {
			return nil // a device without lines
		}
		var err error
		r.line.Secret, err = s.sealer.openSecret(r.line.AuthUser, r.sealed)
		d := &list[len(list)-1]
		d.Lines = append(d.Lines, r.line)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read phones: %w", err)
	}
	if len(list) == 0 {
		return nil, phone.ErrNotFound
	}
	return list, nil
}

// deviceRow is a device beside one of its lines.
type deviceRow struct {
	device           phone.Device
	mac, settings    string
	created, updated int64
	line             phone.Line
	sealed           []byte
	tokens           tokenRow
	own              []byte // the encrypted settings
}

func (r *deviceRow) scan(row engine.Row) error {
	d, l := &r.device, &r.line
	return row.Scan(&d.ID, &r.mac, (*string)(&d.Vendor), &d.Model, &d.Name, &d.Site, &r.settings, &r.own, &d.Revision,
		&r.created, &r.updated, &l.Number, &l.Extension, &l.Label, &l.AuthUser, &r.sealed, &l.DisplayName,
		&r.tokens.steady, &r.tokens.steadyUsed, &r.tokens.enrollHash, &r.tokens.enrollExpires, &r.tokens.enrollUsed)
}

// open decodes what belongs to the device alone.
func (r *deviceRow) open(sealer *sealer) (phone.Device, error) {
	d := r.device
	var err error
	if d.Tokens, err = r.tokens.open(sealer, d.ID); err != nil {
		return d, err
	}
	if d.MAC, err = phone.ParseMAC(r.mac); err != nil {
		return d, err
	}
	if d.Settings, err = sealer.openSettings(d.ID, r.settings, r.own); err != nil {
		return d, err
	}
	d.CreatedAt, d.UpdatedAt = fromMillis(r.created), fromMillis(r.updated)
	return d, nil
}

// shown fills what a line shows when nothing else was set: the number.
func shown(d phone.Device) phone.Device {
	for i := range d.Lines {
		l := &d.Lines[i]
		if l.DisplayName == "" {
			l.DisplayName = l.Extension
		}
		if l.Label == "" {
			l.Label = l.Extension
		}
	}
	return d
}
