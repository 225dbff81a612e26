package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// CreateDevice adds a device with its lines. The id, unless it is given (that of a
// phone which was listed before), and for every line AuthUser and Secret, are minted; a line without a number gets the next one. It returns
// the device as stored; phone.ErrConflict when the MAC is taken; phone.FieldError
// with fields as "macAddress", "model", "settings[...]", "lines[0].line" and
// "lines[0].extensionNumber".
func (s *Store) CreateDevice(ctx context.Context, d phone.Device) (phone.Device, error) {
	return writing(ctx, s, func(u *unit) (phone.Device, error) { return u.createDevice(d) })
}

// EnrollDevice is CreateDevice with one line, on the lowest extension that no
// line is bound to; phone.ErrNotFound when there is none. Of two phones that
// enroll at once, on whatever nodes, each gets another extension.
func (s *Store) EnrollDevice(ctx context.Context, d phone.Device) (phone.Device, error) {
	return writing(ctx, s, func(u *unit) (phone.Device, error) {
		if err := u.Lock(enrollLock); err != nil {
			return d, err
		}
		number, err := nextFree(u)
		if err != nil {
			return d, err
		}
		d.Lines = []phone.Line{{Number: 1, Extension: number}}
		return u.createDevice(d)
	})
}

const enrollLock = 0x6469616c02 // any fixed number of our own

// NextFreeExtension returns the lowest extension number that no line is bound to;
// phone.ErrNotFound when there is none.
func (s *Store) NextFreeExtension(ctx context.Context) (string, error) {
	return nextFree(s.db.Reader(ctx))
}

func nextFree(q engine.Querier) (string, error) {
	number, err := engine.One(q, engine.Scalar[string], `SELECT e.number FROM extensions e WHERE NOT EXISTS
		(SELECT 1 FROM credentials c WHERE c.extension = e.number AND c.line > 0) ORDER BY e.sort_key LIMIT 1`)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		err = fmt.Errorf("find a free extension: %w", err)
	}
	return number, err
}

// Counts returns how many devices and extensions there are.
func (s *Store) Counts(ctx context.Context) (devices, extensions int, err error) {
	err = engine.Each(s.db.Reader(ctx), func(row engine.Row) error { return row.Scan(&devices, &extensions) },
		`SELECT (SELECT count(*) FROM devices), (SELECT count(*) FROM extensions)`)
	if err != nil {
		return 0, 0, fmt.Errorf("count devices and extensions: %w", err)
	}
	return devices, extensions, nil
}

func (u *unit) createDevice(d phone.Device) (phone.Device, error) {
	d = d.Clone()
	if err := validDevice(d); err != nil {
		return d, err
	}
	if err := numberLines(d.Lines); err != nil {
		return d, err
	}
	if err := u.nameLines(d.Lines); err != nil {
		return d, err
	}
	if d.ID == "" {
		d.ID = newID("phone_")
	}
	d.Revision, d.CreatedAt, d.UpdatedAt, d.Tokens = 1, u.Now, u.Now, phone.Tokens{}
	if err := u.insertDevice(d); err != nil {
		return d, err
	}
	keepSecrets(d.Lines, nil)
	if err := u.addLines(&d); err != nil {
		return d, err
	}
	u.changed(effect{Change: Change{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC}, Users: lineUsers(d.Lines)})
	return shown(d), nil
}

// UpdateDevice lets change edit the device in a transaction; see engine.DB.Write
// for what change may do. The MAC is fixed. A line that stays on its extension,
// under its number or another, keeps AuthUser and Secret; what change writes into
// them is ignored. Labels that were never set are empty in there. An actual
// change gives the device the next Revision.
func (s *Store) UpdateDevice(ctx context.Context, id string, change func(*phone.Device) error) (phone.Device, error) {
	return writing(ctx, s, func(u *unit) (phone.Device, error) {
		old, d, err := u.edit(id, change)
		if err != nil {
			return d, err
		}
		if d.MAC != old.MAC {
			return d, phone.Invalid("macAddress", "cannot be changed")
		}
		return u.updateDevice(old, d, old.Lines)
	})
}

// ReplaceDevice moves the device with all it has to the phone mac, for a broken
// phone that is exchanged. change, if not nil, edits it as in UpdateDevice. All
// lines get new digest users and secrets, so that the old phone cannot register
// any more. phone.ErrConflict when another device has mac.
func (s *Store) ReplaceDevice(ctx context.Context, id string, mac phone.MAC, change func(*phone.Device) error) (phone.Device, error) {
	return writing(ctx, s, func(u *unit) (phone.Device, error) {
		old, d, err := u.edit(id, change)
		if err != nil {
			return d, err
		}
		if d.MAC = mac; mac == old.MAC {
			return d, phone.Invalid("macAddress", "is the one the phone has already")
		}
		if err := u.dropTokens(id); err != nil { // the old phone knows them
			return d, err
		}
		d.Tokens = phone.Tokens{}
		return u.updateDevice(old, d, nil)
	})
}

// edit reads a device, keeps other nodes from changing it, and applies change.
func (u *unit) edit(id string, change func(*phone.Device) error) (old, d phone.Device, err error) {
	if err := u.lockDevice(id); err != nil {
		return old, d, err
	}
	list, err := u.s.readDevices(u, deviceByID, id)
	if err != nil {
		return old, d, err
	}
	old = list[0]
	d = old.Clone()
	if change != nil {
		err = change(&d)
	}
	d.ID, d.Revision, d.CreatedAt, d.UpdatedAt, d.Tokens = old.ID, old.Revision, old.CreatedAt, old.UpdatedAt, old.Tokens
	return old, d, err
}

func (u *unit) lockDevice(id string) error {
	_, err := engine.One(u, engine.Scalar[string], `SELECT id FROM devices WHERE id = $1`+u.ForUpdate(), id)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		err = fmt.Errorf("read phone %s: %w", id, err)
	}
	return err
}

// updateDevice stores d over old. Of the lines in kept users and secrets stay.
func (u *unit) updateDevice(old, d phone.Device, kept []phone.Line) (phone.Device, error) {
	if err := validDevice(d); err != nil {
		return d, err
	}
	if err := numberLines(d.Lines); err != nil {
		return d, err
	}
	if err := u.nameLines(d.Lines); err != nil {
		return d, err
	}
	keepSecrets(d.Lines, kept)
	if sameDevice(old, d) {
		return shown(d), nil
	}
	d.Revision++
	d.UpdatedAt = u.Now
	err := u.storeDevice(d)
	if engine.IsKind(err, engine.Unique) {
		return d, &phone.ConflictError{Field: "macAddress", Reason: fmt.Sprintf("phone %s exists already", d.MAC)}
	}
	var rotating map[string][]byte
	if err == nil {
		rotating, err = u.rotating(d.ID)
	}
	if err == nil {
		err = u.exec(`DELETE FROM credentials WHERE device_id = $1`, d.ID)
	}
	if err != nil {
		return d, fmt.Errorf("update phone %s: %w", d.ID, err)
	}
	if err := u.addLines(&d); err != nil {
		return d, err
	}
	if err := u.keepRotating(kept, d.Lines, rotating); err != nil {
		return d, fmt.Errorf("update phone %s: %w", d.ID, err)
	}
	u.changed(effect{
		Change: Change{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC, Freed: freed(old.Lines, d.Lines)}, Was: old.MAC,
		Users: append(lineUsers(old.Lines), lineUsers(d.Lines)...),
	})
	return shown(d), nil
}

// DeleteDevice removes a device, its lines and what was last seen of it, unless
// check, if not nil, has an error for it.
func (s *Store) DeleteDevice(ctx context.Context, id string, check func(phone.Device) error) error {
	return s.write(ctx, func(u *unit) error {
		old, _, err := u.edit(id, nil)
		if err == nil && check != nil {
			err = check(old)
		}
		if err != nil {
			return err
		}
		if err := u.exec(`DELETE FROM devices WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete phone %s: %w", id, err)
		}
		u.changed(effect{
			Change: Change{Kind: ChangeDevice, ID: id, MAC: old.MAC, Deleted: true, Freed: freed(old.Lines, nil)},
			Users:  lineUsers(old.Lines),
		})
		return nil
	})
}

// freed are the extensions of lines whose digest users are not among those of now.
func freed(was, now []phone.Line) (extensions []string) {
	users := lineUsers(now)
	for _, l := range was {
		if !slices.Contains(users, l.AuthUser) && !slices.Contains(extensions, l.Extension) {
			extensions = append(extensions, l.Extension)
		}
	}
	return extensions
}
