package inventory

import (
	"context"
	"encoding/json"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// groupSetting names the group of a phone, the one setting that is searched for. It
// is stored beside the encrypted ones.
const groupSetting = "group"

// sealSettings is the stored form of a device's settings, bound to its row;
// none is NULL.
func (s *sealer) sealSettings(id string, settings map[string]string) ([]byte, error) {
	if len(settings) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("settings of %s: %w", id, err)
	}
	return s.seal(string(text), place("devices", id, "settings")), nil
}

// openSettings reads what is stored. Plain text was written before settings were
// encrypted and counts while it is there.
func (s *sealer) openSettings(id, plain string, sealed []byte) (settings map[string]string, err error) {
	text := plain
	if text == "" && len(sealed) > 0 {
		if text, err = s.open(sealed, place("devices", id, "settings")); err != nil {
			return nil, fmt.Errorf("settings of %s: %w", id, err)
		}
	}
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", id, err)
	}
	return settings, nil
}

// plainSettings are the settings of one device that are not encrypted yet.
type plainSettings struct{ id, text string }

// sealPlain encrypts the settings that were written before they were. It goes on
// where it was interrupted, and several nodes may do it at once.
func (s *Store) sealPlain(ctx context.Context) error {
	total := 0
	for {
		n, err := writing(ctx, s, (*unit).sealSome)
		if err != nil {
			return fmt.Errorf("encrypt the settings of the phones: %w", err)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total == 0 {
		return nil
	}
	s.log.InfoContext(ctx, "encrypted the settings of phones", "phones", total)
	if err := s.db.Scrub(ctx); err != nil {
		s.log.WarnContext(ctx, "the settings are encrypted, but the database file may still hold the old text in unused pages", "error", err)
	}
	return nil
}

const sealAtOnce = 1000 // devices in one transaction

func (u *unit) sealSome() (int, error) {
	list, err := engine.All(u, func(row engine.Row) (p plainSettings, err error) {
		return p, row.Scan(&p.id, &p.text)
	}, `SELECT id, settings FROM devices WHERE settings <> '' ORDER BY id LIMIT $1`+u.ForUpdate(), sealAtOnce)
	if err != nil {
		return 0, err
	}
	for _, p := range list {
		settings, err := u.s.sealer.openSettings(p.id, p.text, nil)
		if err != nil {
			return 0, err
		}
		sealed, err := u.s.sealer.sealSettings(p.id, settings)
		if err == nil {
			err = u.exec(`UPDATE devices SET settings = '', sealed = $2, setting_group = $3 WHERE id = $1`,
				p.id, sealed, settings[groupSetting])
		}
		if err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// insertDevice writes the row of a new device.
func (u *unit) insertDevice(d phone.Device) error {
	sealed, err := u.s.sealer.sealSettings(d.ID, d.Settings)
	if err != nil {
		return err
	}
	n, err := u.Exec(`INSERT INTO devices
		(id, mac, vendor, model, name, site, settings, sealed, setting_group, revision, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11) ON CONFLICT (mac) DO NOTHING`,
		d.ID, d.MAC.Hex(), string(d.Vendor), d.Model, d.Name, d.Site, sealed, d.Settings[groupSetting], d.Revision,
		toMillis(d.CreatedAt), toMillis(d.UpdatedAt))
	if err != nil {
		return fmt.Errorf("create phone %s: %w", d.MAC, err)
	}
	if n == 0 {
		return &phone.ConflictError{Field: "macAddress", Reason: fmt.Sprintf("phone %s exists already", d.MAC)}
	}
	return nil
}

// storeDevice writes the row of a device that is there.
func (u *unit) storeDevice(d phone.Device) error {
	sealed, err := u.s.sealer.sealSettings(d.ID, d.Settings)
	if err != nil {
		return err
	}
	return u.exec(`UPDATE devices SET mac = $2, vendor = $3, model = $4, name = $5, site = $6, settings = '',
		sealed = $7, setting_group = $8, revision = $9, updated_at = $10 WHERE id = $1`,
		d.ID, d.MAC.Hex(), string(d.Vendor), d.Model, d.Name, d.Site, sealed, d.Settings[groupSetting], d.Revision,
		toMillis(d.UpdatedAt))
}
