package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const imageColumns = `SELECT id, vendor, models, hardware, version, requires, name, size, sha256, uploaded_at, uploaded_by
	FROM firmware_images `

func scanImage(row engine.Row) (phone.FirmwareImage, error) {
	var (
		i                phone.FirmwareImage
		vendor           string
		models, hardware string
		at               int64
	)
	err := row.Scan(&i.ID, &vendor, &models, &hardware, &i.Version, &i.Requires, &i.Name, &i.Size, &i.SHA256, &at, &i.UploadedBy)
	if err != nil {
		return i, err
	}
	i.Vendor, i.UploadedAt = phone.Vendor(vendor), fromMillis(at)
	return i, errors.Join(json.Unmarshal([]byte(models), &i.Models), json.Unmarshal([]byte(hardware), &i.Hardware))
}

// CreateFirmware stores an image and gives it its ID. The same content of the same
// vendor, name and version is there once: created is false and the stored image is
// returned. It is phone.ErrConflict when the content is stored as something else,
// or other content as this.
func (s *Store) CreateFirmware(ctx context.Context, i phone.FirmwareImage) (stored phone.FirmwareImage, created bool, err error) {
	err = s.write(ctx, func(u *unit) error {
		same, err := sameFirmware(u, i)
		if err != nil || same.ID != "" {
			stored = same
			return err
		}
		if err := validFirmware(i); err != nil {
			return err
		}
		stored, created = i, true
		stored.ID, stored.UploadedAt = newID("fw_"), u.Now
		stored.Models, stored.Hardware = texts(i.Models), texts(i.Hardware)
		models, hardware, err := lists(stored)
		if err != nil {
			return err
		}
		u.changed(effect{Change: Change{Kind: ChangeFirmware, ID: stored.ID}})
		return u.exec(`INSERT INTO firmware_images (id, vendor, models, hardware, version, requires, name, name_key, size, sha256,
			uploaded_at, uploaded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			stored.ID, string(i.Vendor), models, hardware, i.Version, i.Requires, i.Name, strings.ToLower(i.Name), i.Size, i.SHA256,
			toMillis(u.Now), clip(i.UploadedBy, maxText))
	})
	if engine.IsKind(err, engine.Unique) { // another node was faster
		err = fmt.Errorf("this firmware has just been stored: %w", phone.ErrConflict)
	}
	if err != nil {
		return phone.FirmwareImage{}, false, fmt.Errorf("store firmware: %w", err)
	}
	return stored, created, nil
}

// sameFirmware is what is stored with the content of i, or a conflict with it.
func sameFirmware(u *unit, i phone.FirmwareImage) (phone.FirmwareImage, error) {
	list, err := engine.All(u.Tx, scanImage, imageColumns+`WHERE sha256 = $1 OR vendor = $2 AND name_key = $3 AND version = $4`,
		i.SHA256, string(i.Vendor), strings.ToLower(i.Name), i.Version)
	if err != nil {
		return phone.FirmwareImage{}, err
	}
	for _, old := range list {
		switch named := old.Vendor == i.Vendor && strings.EqualFold(old.Name, i.Name) && old.Version == i.Version; {
		case old.SHA256 == i.SHA256 && named:
			return old, nil
		case old.SHA256 == i.SHA256:
			return old, fmt.Errorf("the same content is stored as %s (%s %s, version %q): %w", old.ID, old.Vendor, old.Name, old.Version, phone.ErrConflict)
		default:
			return old, fmt.Errorf("%s has version %q of %s with other content: %w", old.ID, old.Version, old.Name, phone.ErrConflict)
		}
	}
	return phone.FirmwareImage{}, nil
}

func lists(i phone.FirmwareImage) (models, hardware string, err error) {
	m, err := json.Marshal(i.Models)
	if err != nil {
		return "", "", err
	}
	h, err := json.Marshal(i.Hardware)
	return string(m), string(h), err
}

// texts is list, never nil, so that it is [] as JSON.
func texts(list []string) []string { return append([]string{}, list...) }

func validFirmware(i phone.FirmwareImage) error {
	for field, text := range map[string]string{"version": i.Version, "requires": i.Requires} {
		if err := validText(field, text); err != nil {
			return err
		}
	}
	for field, list := range map[string][]string{"models": i.Models, "hardware": i.Hardware} {
		if len(list) > maxModels {
			return phone.Invalid(field, fmt.Sprintf("has more than %d entries", maxModels))
		}
		for n, text := range list {
			if err := validText(fmt.Sprintf("%s[%d]", field, n), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxModels bounds the models and the revisions of one image.
const maxModels = 64

// Firmware returns all images, oldest first.
func (s *Store) Firmware(ctx context.Context) ([]phone.FirmwareImage, error) {
	list, err := engine.All(s.db.Reader(ctx), scanImage, imageColumns+`ORDER BY uploaded_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list firmware: %w", err)
	}
	return list, nil
}

// DeleteFirmware deletes an image and returns it; phone.ErrConflict while a target
// names it.
func (s *Store) DeleteFirmware(ctx context.Context, id string) (phone.FirmwareImage, error) {
	image, err := writing(ctx, s, func(u *unit) (phone.FirmwareImage, error) {
		image, err := engine.One(u.Tx, scanImage, imageColumns+`WHERE id = $1`, clip(id, maxText))
		if err != nil {
			return image, err
		}
		uses, err := engine.All(u.Tx, scanTarget, targetColumns+`WHERE image_id = $1 OR fallback_id = $1`, image.ID)
		if err != nil {
			return image, err
		}
		if len(uses) > 0 {
			return image, fmt.Errorf("it is the target of %s %s: %w", uses[0].Vendor, uses[0].Model, phone.ErrConflict)
		}
		u.changed(effect{Change: Change{Kind: ChangeFirmware, ID: image.ID, Deleted: true}})
		return image, u.exec(`DELETE FROM firmware_images WHERE id = $1`, image.ID)
	})
	if engine.IsKind(err, engine.ForeignKey) {
		err = fmt.Errorf("it is a target: %w", phone.ErrConflict)
	}
	return image, err
}
