package inventory

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// RotateCredentials gives the extension's own digest user a new password and
// returns it with that. Both passwords are good until the new one has been proved
// (DropOldSecret); with dropOld only the new one is, at once. Lines of devices have
// digest users of their own and are not touched.
func (s *Store) RotateCredentials(ctx context.Context, number string, dropOld bool) (phone.Extension, error) {
	return writing(ctx, s, func(u *unit) (phone.Extension, error) {
		e, err := s.extension(u, number, u.ForUpdate())
		if err != nil {
			return e, err
		}
		old := e.Password
		e.Password, e.UpdatedAt = newSecret(), u.Now
		if err := u.rotate(e.SIPUsername, old, e.Password, dropOld); err != nil {
			return e, err
		}
		if err := u.exec(`UPDATE extensions SET updated_at = $2 WHERE number = $1`, number, toMillis(u.Now)); err != nil {
			return e, fmt.Errorf("rotate the password of extension %s: %w", number, err)
		}
		u.changed(effect{Change: Change{Kind: ChangeExtension, ID: number}, Users: []string{e.SIPUsername}})
		return e, nil
	})
}

// RotateDevice gives every line of a device a new secret, and the device a new
// Revision so that the phone fetches them; see RotateCredentials.
func (s *Store) RotateDevice(ctx context.Context, id string, dropOld bool) (phone.Device, error) {
	return writing(ctx, s, func(u *unit) (phone.Device, error) {
		_, d, err := u.edit(id, nil)
		if err != nil {
			return d, err
		}
		for i := range d.Lines {
			l := &d.Lines[i]
			old := l.Secret
			l.Secret = newSecret()
			if err := u.rotate(l.AuthUser, old, l.Secret, dropOld); err != nil {
				return d, err
			}
		}
		d.Revision++
		d.UpdatedAt = u.Now
		err = u.exec(`UPDATE devices SET revision = $2, updated_at = $3 WHERE id = $1`, id, d.Revision, toMillis(u.Now))
		if err != nil {
			return d, fmt.Errorf("rotate the secrets of phone %s: %w", id, err)
		}
		u.changed(effect{Change: Change{Kind: ChangeDevice, ID: id, MAC: d.MAC}, Users: lineUsers(d.Lines)})
		return shown(d), nil
	})
}

// rotate replaces the secret of a digest user. An old secret that is still good
// stays: the phone has not proved the one between, so it may have that.
func (u *unit) rotate(user string, old, secret phone.Secret, dropOld bool) error {
	query := `UPDATE credentials SET secret = $2, old_secret = COALESCE(old_secret, $3) WHERE auth_user = $1`
	args := []any{user, u.s.sealer.sealSecret(user, secret), u.s.sealer.sealOldSecret(user, old)}
	if dropOld {
		query, args = `UPDATE credentials SET secret = $2, old_secret = NULL WHERE auth_user = $1`, args[:2]
	}
	if err := u.exec(query, args...); err != nil {
		return fmt.Errorf("rotate the secret of %s: %w", user, err)
	}
	return nil
}

// DropOldSecret ends a rotation: only the new secret of the digest user is good from
// now on. One that has no old secret is left as it is.
func (s *Store) DropOldSecret(ctx context.Context, user string) error {
	return s.write(ctx, func(u *unit) error {
		number, err := engine.One(u, engine.Scalar[string], `UPDATE credentials SET old_secret = NULL
			WHERE auth_user = $1 AND old_secret IS NOT NULL RETURNING extension`, clip(user, maxUser))
		if errors.Is(err, phone.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("drop the old secret of %s: %w", user, err)
		}
		u.changed(effect{Change: Change{Kind: ChangeExtension, ID: number}, Users: []string{user}})
		return nil
	})
}

// rotating are the old secrets that are still good of a device's lines, sealed, by
// user.
func (u *unit) rotating(deviceID string) (map[string][]byte, error) {
	found := map[string][]byte{}
	return found, engine.Each(u, func(row engine.Row) error {
		var user string
		var sealed []byte
		err := row.Scan(&user, &sealed)
		found[user] = sealed
		return err
	}, `SELECT auth_user, old_secret FROM credentials WHERE device_id = $1 AND old_secret IS NOT NULL`, deviceID)
}

// keepRotating puts back the old secrets of the lines that kept their user.
func (u *unit) keepRotating(kept, lines []phone.Line, rotating map[string][]byte) error {
	if len(rotating) == 0 || len(kept) == 0 {
		return nil
	}
	for _, l := range lines {
		if sealed := rotating[l.AuthUser]; sealed != nil {
			if err := u.exec(`UPDATE credentials SET old_secret = $2 WHERE auth_user = $1`, l.AuthUser, sealed); err != nil {
				return err
			}
		}
	}
	return nil
}
