package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const targetColumns = `SELECT vendor, model_key, hardware, model, image_id, COALESCE(fallback_id, ''), job_id, allow_downgrade, updated_at, updated_by
	FROM firmware_targets `

func scanTarget(row engine.Row) (phone.FirmwareTarget, error) {
	var (
		t      phone.FirmwareTarget
		vendor string
		down   int64
		at     int64
	)
	err := row.Scan(&vendor, &t.Key, &t.Hardware, &t.Model, &t.ImageID, &t.FallbackID, &t.JobID, &down, &at, &t.UpdatedBy)
	t.Vendor, t.AllowDowngrade, t.UpdatedAt = phone.Vendor(vendor), down != 0, fromMillis(at)
	return t, err
}

// PutFirmwareTarget stores a target over the one of the same vendor, model and
// hardware. check gets that, or the zero target. An image that is not there is a phone.FieldError for "firmwareId".
func (s *Store) PutFirmwareTarget(
	ctx context.Context, t phone.FirmwareTarget, check phone.Check[phone.FirmwareTarget],
) (phone.FirmwareTarget, error) {
	t, err := writing(ctx, s, func(u *unit) (phone.FirmwareTarget, error) {
		old, err := u.firmwareTarget(t.Vendor, t.Key, t.Hardware)
		if err != nil && !errors.Is(err, phone.ErrNotFound) {
			return t, err
		}
		if err := check.Of(old); err != nil {
			return t, err
		}
		t.UpdatedAt = later(u.Now, old.UpdatedAt)
		for field, text := range map[string]string{"model": t.Model, "hardware": t.Hardware} {
			if err := validText(field, text); err != nil {
				return t, err
			}
		}
		var fallback any
		if t.FallbackID != "" {
			fallback = t.FallbackID
		}
		var down int64
		if t.AllowDowngrade {
			down = 1
		}
		u.changed(effect{Change: Change{Kind: ChangeFirmware, ID: t.ImageID}})
		return t, u.exec(`INSERT INTO firmware_targets (vendor, model_key, hardware, model, image_id, fallback_id, job_id,
				allow_downgrade, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (vendor, model_key, hardware) DO UPDATE SET model = excluded.model, image_id = excluded.image_id,
				fallback_id = excluded.fallback_id, job_id = excluded.job_id, allow_downgrade = excluded.allow_downgrade,
				updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
			string(t.Vendor), t.Key, t.Hardware, t.Model, t.ImageID, fallback, t.JobID, down, toMillis(t.UpdatedAt), clip(t.UpdatedBy, maxText))
	})
	if engine.IsKind(err, engine.ForeignKey) {
		return t, phone.Invalid("firmwareId", "there is no such firmware")
	}
	if err != nil {
		return t, fmt.Errorf("store a firmware target: %w", err)
	}
	return t, nil
}

// FirmwareTargets returns all targets by vendor and model.
func (s *Store) FirmwareTargets(ctx context.Context) ([]phone.FirmwareTarget, error) {
	list, err := engine.All(s.db.Reader(ctx), scanTarget, targetColumns+`ORDER BY vendor, model_key, hardware`)
	if err != nil {
		return nil, fmt.Errorf("list firmware targets: %w", err)
	}
	return list, nil
}

// firmwareTarget reads a target that no other node changes until the commit.
func (u *unit) firmwareTarget(v phone.Vendor, key, hardware string) (phone.FirmwareTarget, error) {
	return engine.One(u, scanTarget, targetColumns+`WHERE vendor = $1 AND model_key = $2 AND hardware = $3`+u.ForUpdate(),
		clip(string(v), maxText), clip(key, maxText), clip(hardware, maxText))
}

// DeleteFirmwareTarget removes a target; phone.ErrNotFound when there is none.
func (s *Store) DeleteFirmwareTarget(
	ctx context.Context, v phone.Vendor, key, hardware string, check phone.Check[phone.FirmwareTarget],
) error {
	return s.write(ctx, func(u *unit) error {
		old, err := u.firmwareTarget(v, key, hardware)
		if err != nil {
			return err
		}
		if err := check.Of(old); err != nil {
			return err
		}
		if err := u.exec(`DELETE FROM firmware_targets WHERE vendor = $1 AND model_key = $2 AND hardware = $3`, string(v), old.Key, old.Hardware); err != nil {
			return fmt.Errorf("delete a firmware target: %w", err)
		}
		u.changed(effect{Change: Change{Kind: ChangeFirmware, Deleted: true}})
		return nil
	})
}

// EndFirmwareRollout opens the targets of a rollout that has reached every phone:
// they have neither a job nor a fallback any more.
func (s *Store) EndFirmwareRollout(ctx context.Context, jobID string) error {
	return s.write(ctx, func(u *unit) error {
		n, err := u.Exec(`UPDATE firmware_targets SET job_id = '', fallback_id = NULL WHERE job_id = $1`, jobID)
		if err != nil {
			return fmt.Errorf("end a firmware rollout: %w", err)
		}
		if n > 0 {
			u.changed(effect{Change: Change{Kind: ChangeFirmware}})
		}
		return nil
	})
}

const firmwareStateColumns = `SELECT mac, admitted, fetched, version, fetches, stopped_at FROM firmware_phones `

func scanFirmwareState(row engine.Row) (phone.FirmwareState, error) {
	var (
		f            phone.FirmwareState
		mac, fetches string
		stopped      int64
		times        []int64
	)
	err := row.Scan(&mac, &f.Admitted, &f.Fetched, &f.Version, &fetches, &stopped)
	if err != nil {
		return f, err
	}
	if f.MAC, err = phone.ParseMAC(mac); err != nil {
		return f, err
	}
	f.StoppedAt = fromMillis(stopped)
	err = json.Unmarshal([]byte(fetches), &times)
	for _, ms := range times {
		f.Fetches = append(f.Fetches, fromMillis(ms))
	}
	return f, err
}

// UpdateFirmwareState calls change with the state of a phone, the zero one if
// nothing is known, and stores the result in one transaction.
func (s *Store) UpdateFirmwareState(
	ctx context.Context, mac phone.MAC, change func(now time.Time, f *phone.FirmwareState),
) (phone.FirmwareState, error) {
	f, err := writing(ctx, s, func(u *unit) (phone.FirmwareState, error) {
		list, err := engine.All(u.Tx, scanFirmwareState, firmwareStateColumns+`WHERE mac = $1`+u.ForUpdate(), mac.Hex())
		if err != nil {
			return phone.FirmwareState{}, err
		}
		f := phone.FirmwareState{MAC: mac}
		if len(list) > 0 {
			f = list[0]
		}
		change(u.Now, &f)
		times := []int64{}
		for _, at := range f.Fetches {
			times = append(times, toMillis(at))
		}
		fetches, err := json.Marshal(times)
		if err != nil {
			return f, err
		}
		u.changed(effect{Change: Change{Kind: ChangeFirmware, MAC: mac}})
		return f, u.exec(`INSERT INTO firmware_phones (mac, admitted, fetched, version, fetches, stopped_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (mac) DO UPDATE SET admitted = excluded.admitted, fetched = excluded.fetched, version = excluded.version,
				fetches = excluded.fetches, stopped_at = excluded.stopped_at`,
			mac.Hex(), f.Admitted, f.Fetched, clip(f.Version, maxText), string(fetches), toMillis(f.StoppedAt))
	})
	if err != nil {
		return f, fmt.Errorf("save the firmware state of %s: %w", mac, err)
	}
	return f, nil
}

// FirmwareStates returns what is known of all phones, in the order of their MACs.
func (s *Store) FirmwareStates(ctx context.Context) ([]phone.FirmwareState, error) {
	list, err := engine.All(s.db.Reader(ctx), scanFirmwareState, firmwareStateColumns+`ORDER BY mac`)
	if err != nil {
		return nil, fmt.Errorf("list firmware states: %w", err)
	}
	return list, nil
}

// FirmwareState returns what is known of one phone, or phone.ErrNotFound.
func (s *Store) FirmwareState(ctx context.Context, mac phone.MAC) (phone.FirmwareState, error) {
	return engine.One(s.db.Reader(ctx), scanFirmwareState, firmwareStateColumns+`WHERE mac = $1`, mac.Hex())
}
