package inventory

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// StoreTemplates stores a revision of each template, new or not, all or none. One
// that is there with another vendor or file is phone.ErrConflict, as is one that is
// being rolled out.
func (s *Store) StoreTemplates(ctx context.Context, list []phone.Template, drafts []phone.TemplateDraft) error {
	for i, d := range drafts {
		if err := errors.Join(validDraft(d), validTemplate(list[i])); err != nil {
			return err
		}
	}
	err := s.write(ctx, func(u *unit) error {
		for i, t := range list {
			if err := u.storeOfPack(t, drafts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store a pack of templates: %w", err)
	}
	return nil
}

func (u *unit) storeOfPack(t phone.Template, d phone.TemplateDraft) error {
	is, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), t.Name)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		is = t
		is.CreatedAt = u.Now
		err = u.exec(`INSERT INTO templates (name, vendor, file, active, latest, created_at, updated_at)
			VALUES ($1, $2, $3, 0, 0, $4, $4)`, t.Name, string(t.Vendor), t.File, toMillis(u.Now))
	case err == nil && (is.Vendor != t.Vendor || is.File != t.File):
		err = fmt.Errorf("the template %s is of another file: %w", t.Name, phone.ErrConflict)
	}
	if err != nil {
		return err
	}
	rev, err := u.addRevision(&is, d)
	if err != nil {
		return err
	}
	if d.Activate {
		if err := u.notOnTrial(is.Name); err != nil {
			return err
		}
		is.Active = rev.Number
	}
	return u.saveTemplate(&is)
}
