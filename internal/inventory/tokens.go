package inventory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// EnrollTokenLife is how long an enrollment token waits for its phone.
const EnrollTokenLife = 7 * 24 * time.Hour

// IssueTokens gives a device new tokens and makes its old ones worthless. It
// returns the device and the enrollment token, which is not stored.
// phone.ErrNotFound when there is no such device.
func (s *Store) IssueTokens(ctx context.Context, id string) (phone.Device, phone.Secret, error) {
	enroll, steady := newToken(), newToken()
	d, err := writing(ctx, s, func(u *unit) (phone.Device, error) {
		_, d, err := u.edit(id, nil)
		if err != nil {
			return d, err
		}
		d.Tokens = phone.Tokens{
			Steady: phone.NewSecret(steady), EnrollHash: phone.HashToken(enroll), EnrollExpires: u.Now.Add(EnrollTokenLife),
		}
		if err := u.dropTokens(id); err != nil {
			return d, err
		}
		hash := phone.HashToken(steady)
		err = u.exec(`INSERT INTO tokens (device_id, steady_hash, steady, steady_used, enroll_hash, enroll_expires, enroll_used)
			VALUES ($1, $2, $3, 0, $4, $5, 0)`,
			id, hash[:], s.sealer.seal(steady, place("tokens", id, "steady")), d.Tokens.EnrollHash[:], toMillis(d.Tokens.EnrollExpires))
		if err != nil {
			return d, fmt.Errorf("store the tokens of %s: %w", id, err)
		}
		return d, u.revise(&d)
	})
	if err != nil {
		return phone.Device{}, phone.Secret{}, err
	}
	return shown(d), phone.NewSecret(enroll), nil
}

// RevokeTokens takes the tokens of a device away. phone.ErrNotFound when there is
// no such device.
func (s *Store) RevokeTokens(ctx context.Context, id string) error {
	return s.write(ctx, func(u *unit) error {
		_, d, err := u.edit(id, nil)
		if err != nil || d.Tokens.Steady.IsZero() {
			return err
		}
		if err := u.dropTokens(id); err != nil {
			return err
		}
		return u.revise(&d)
	})
}

// TokenUsed notes the first use of a token. That of the steady one retires the
// enrollment token. What was noted or revoked meanwhile is no error.
func (s *Store) TokenUsed(ctx context.Context, d phone.Device, stage phone.TokenStage) error {
	statement := `UPDATE tokens SET enroll_used = $2 WHERE device_id = $1 AND enroll_used = 0`
	if stage == phone.SteadyToken {
		statement = `UPDATE tokens SET steady_used = $2, enroll_hash = NULL WHERE device_id = $1 AND steady_used = 0`
	}
	return s.write(ctx, func(u *unit) error {
		n, err := u.Exec(statement, d.ID, toMillis(u.Now))
		if err != nil {
			return fmt.Errorf("note the use of a token of %s: %w", d.ID, err)
		}
		if n > 0 {
			u.changed(effect{Change: Change{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC}})
		}
		return nil
	})
}

// DeviceByToken returns the device that has the token with this hash, as stored:
// the caller asks phone.Tokens.Stage whether it is good. phone.ErrNotFound when no
// device has it. The look-up is by the hash, so that its time tells nothing of a
// guess.
func (s *Store) DeviceByToken(ctx context.Context, hash [32]byte) (phone.Device, error) {
	mac, err := s.tokens.get(hash, func(hash [32]byte) (phone.MAC, error) {
		text, err := engine.One(s.db.Reader(ctx), engine.Scalar[string], macByToken, hash[:])
		if err != nil {
			return phone.MAC{}, err
		}
		return phone.ParseMAC(text)
	})
	if err != nil {
		if !errors.Is(err, phone.ErrNotFound) {
			err = fmt.Errorf("look up a token: %w", err)
		}
		return phone.Device{}, err
	}
	return s.DeviceByMAC(ctx, mac)
}

const macByToken = `SELECT d.mac FROM tokens k JOIN devices d ON d.id = k.device_id
	WHERE k.steady_hash = $1 OR k.enroll_hash = $1`

func (u *unit) dropTokens(id string) error {
	if err := u.exec(`DELETE FROM tokens WHERE device_id = $1`, id); err != nil {
		return fmt.Errorf("drop the tokens of %s: %w", id, err)
	}
	return nil
}

// revise gives the device the next revision: its files have changed.
func (u *unit) revise(d *phone.Device) error {
	d.Revision++
	d.UpdatedAt = u.Now
	err := u.exec(`UPDATE devices SET revision = $2, updated_at = $3 WHERE id = $1`, d.ID, d.Revision, toMillis(d.UpdatedAt))
	if err != nil {
		return fmt.Errorf("revise phone %s: %w", d.ID, err)
	}
	u.changed(effect{Change: Change{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC}})
	return nil
}

// newToken has the form that phone.CutToken knows.
func newToken() string { return strings.ToLower(rand.Text()[:phone.TokenLen]) }

// tokenRow is what is stored beside a device.
type tokenRow struct {
	steady, enrollHash                    []byte
	steadyUsed, enrollExpires, enrollUsed int64
}

func (r tokenRow) open(sealer *sealer, id string) (phone.Tokens, error) {
	if len(r.steady) == 0 {
		return phone.Tokens{}, nil
	}
	text, err := sealer.open(r.steady, place("tokens", id, "steady"))
	if err != nil {
		return phone.Tokens{}, fmt.Errorf("token of %s: %w", id, err)
	}
	t := phone.Tokens{
		Steady: phone.NewSecret(text), SteadyUsed: fromMillis(r.steadyUsed),
		EnrollExpires: fromMillis(r.enrollExpires), EnrollUsed: fromMillis(r.enrollUsed),
	}
	copy(t.EnrollHash[:], r.enrollHash)
	return t, nil
}
