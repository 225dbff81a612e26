package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// Limits of what an administrator may store as a template.
const (
	maxTemplateText = 1 << 20 // bytes
	maxTemplateName = 64
	maxNote         = 500 // characters
)

// CreateTemplate stores a template with its first revision. A name that is taken
// is phone.ErrConflict; what the text holds is not checked here.
func (s *Store) CreateTemplate(ctx context.Context, t phone.Template, d phone.TemplateDraft) (phone.Template, phone.TemplateRevision, error) {
	return s.storeTemplate(ctx, d, func(u *unit) (phone.Template, error) {
		if err := validTemplate(t); err != nil {
			return t, err
		}
		_, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), t.Name)
		if err == nil {
			return t, fmt.Errorf("the template %s exists already: %w", t.Name, phone.ErrConflict)
		}
		if !errors.Is(err, phone.ErrNotFound) {
			return t, err
		}
		t.Active, t.Latest, t.CreatedAt, t.UpdatedAt = 0, 0, u.Now, u.Now
		return t, u.exec(`INSERT INTO templates (name, vendor, file, active, latest, created_at, updated_at)
			VALUES ($1, $2, $3, 0, 0, $4, $4)`, t.Name, string(t.Vendor), t.File, toMillis(u.Now))
	})
}

// UpdateTemplate stores another revision of a template. A draft that says just what
// the newest revision says adds none. A template that is not there is
// phone.ErrNotFound.
func (s *Store) UpdateTemplate(ctx context.Context, name string, d phone.TemplateDraft) (phone.Template, phone.TemplateRevision, error) {
	return s.storeTemplate(ctx, d, func(u *unit) (phone.Template, error) {
		return engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), clip(name, maxText))
	})
}

func (s *Store) storeTemplate(
	ctx context.Context, d phone.TemplateDraft, find func(*unit) (phone.Template, error),
) (phone.Template, phone.TemplateRevision, error) {
	var rev phone.TemplateRevision
	if err := validDraft(d); err != nil {
		return phone.Template{}, rev, err
	}
	t, err := writing(ctx, s, func(u *unit) (t phone.Template, err error) {
		if t, err = find(u); err != nil {
			return t, err
		}
		if err := d.Check.Of(t); err != nil {
			return t, err
		}
		if rev, err = u.addRevision(&t, d); err != nil {
			return t, err
		}
		if d.Activate {
			if err := u.notOnTrial(t.Name); err != nil {
				return t, err
			}
			t.Active = rev.Number
		}
		return t, u.saveTemplate(&t)
	})
	if err != nil {
		return t, phone.TemplateRevision{}, fmt.Errorf("store a template: %w", err)
	}
	return t, rev, nil
}

// addRevision stores d as the newest revision of t, unless it is that already.
func (u *unit) addRevision(t *phone.Template, d phone.TemplateDraft) (phone.TemplateRevision, error) {
	content, err := json.Marshal(d.TemplateContent)
	if err != nil {
		return phone.TemplateRevision{}, err
	}
	sum := sha256.Sum256(content)
	id := hex.EncodeToString(sum[:])
	if t.Latest > 0 {
		last, err := engine.One(u, scanRevision, revisionColumns+`WHERE template = $1 AND number = $2`, t.Name, t.Latest)
		if err != nil || last.ID == id && (!d.Merged || last.Base == d.Base) {
			return last, err
		}
	}
	t.Latest++
	rev := phone.TemplateRevision{
		Template: t.Name, Number: t.Latest, ID: id, TemplateContent: d.TemplateContent,
		Base: d.Base, Note: d.Note, CreatedBy: d.By, CreatedAt: u.Now,
	}
	return rev, u.exec(`INSERT INTO template_revisions (template, number, id, content, base, note, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		rev.Template, rev.Number, rev.ID, string(content), rev.Base, rev.Note, rev.CreatedBy, toMillis(rev.CreatedAt))
}

func (u *unit) saveTemplate(t *phone.Template) error {
	t.UpdatedAt = u.Now
	u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: t.Name}})
	return u.exec(`UPDATE templates SET active = $2, latest = $3, updated_at = $4 WHERE name = $1`,
		t.Name, t.Active, t.Latest, toMillis(t.UpdatedAt))
}

// ActivateTemplate makes a revision the one that phones get; number 0 gives them
// the built-in template again. A template or a revision that is not there is
// phone.ErrNotFound, a template that is being rolled out phone.ErrConflict.
func (s *Store) ActivateTemplate(ctx context.Context, name string, number int64, check phone.Check[phone.Template]) (phone.Template, error) {
	t, err := writing(ctx, s, func(u *unit) (phone.Template, error) {
		t, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), clip(name, maxText))
		if err != nil {
			return t, err
		}
		if err := check.Of(t); err != nil {
			return t, err
		}
		if number < 0 || number > t.Latest {
			return t, phone.ErrNotFound
		}
		if err := u.notOnTrial(t.Name); err != nil {
			return t, err
		}
		t.Active = number
		return t, u.saveTemplate(&t)
	})
	if err != nil {
		return t, fmt.Errorf("activate a template: %w", err)
	}
	return t, nil
}

// DeleteTemplate removes a template and its revisions.
func (s *Store) DeleteTemplate(ctx context.Context, name string, check phone.Check[phone.Template]) error {
	return s.write(ctx, func(u *unit) error {
		t, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), clip(name, maxText))
		if err == nil {
			err = check.Of(t)
		}
		if err == nil {
			err = u.notOnTrial(t.Name)
		}
		if err != nil {
			return err
		}
		if err := u.exec(`DELETE FROM templates WHERE name = $1`, t.Name); err != nil {
			return fmt.Errorf("delete a template: %w", err)
		}
		u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: name, Deleted: true}})
		return nil
	})
}

// Templates returns all templates by name.
func (s *Store) Templates(ctx context.Context) ([]phone.Template, error) {
	list, err := engine.All(s.db.Reader(ctx), scanTemplate, templateColumns+`ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	return list, nil
}

// Template returns one template, or phone.ErrNotFound.
func (s *Store) Template(ctx context.Context, name string) (phone.Template, error) {
	t, err := engine.One(s.db.Reader(ctx), scanTemplate, templateColumns+`WHERE name = $1`, clip(name, maxText))
	if err != nil {
		return t, fmt.Errorf("read a template: %w", err)
	}
	return t, nil
}

// TemplateRevision returns one revision, or phone.ErrNotFound.
func (s *Store) TemplateRevision(ctx context.Context, name string, number int64) (phone.TemplateRevision, error) {
	r, err := engine.One(s.db.Reader(ctx), scanRevision, revisionColumns+`WHERE template = $1 AND number = $2`, clip(name, maxText), number)
	if err != nil {
		return r, fmt.Errorf("read a revision of a template: %w", err)
	}
	return r, nil
}

// TemplateRevisions returns up to limit revisions with a number below before,
// newest first; before 0 starts at the newest.
func (s *Store) TemplateRevisions(ctx context.Context, name string, before int64, limit int) ([]phone.TemplateRevision, error) {
	if before <= 0 {
		before = 1 << 62
	}
	list, err := engine.All(s.db.Reader(ctx), scanRevision,
		revisionColumns+`WHERE template = $1 AND number < $2 ORDER BY number DESC LIMIT $3`, clip(name, maxText), before, within(limit))
	if err != nil {
		return nil, fmt.Errorf("list the revisions of a template: %w", err)
	}
	return list, nil
}

// ActiveTemplates returns every template that phones get by name, and its revision.
func (s *Store) ActiveTemplates(ctx context.Context) ([]phone.Template, []phone.TemplateRevision, error) {
	return s.withRevisions(ctx, `t.active`)
}

// ShownTemplates returns all templates by name, each with its active revision, else
// its newest.
func (s *Store) ShownTemplates(ctx context.Context) ([]phone.Template, []phone.TemplateRevision, error) {
	return s.withRevisions(ctx, `CASE WHEN t.active = 0 THEN t.latest ELSE t.active END`)
}

// withRevisions reads every template that has the revision which number, an SQL
// expression, names, and that revision.
func (s *Store) withRevisions(ctx context.Context, number string) ([]phone.Template, []phone.TemplateRevision, error) {
	var templates []phone.Template
	var revisions []phone.TemplateRevision
	err := engine.Each(s.db.Reader(ctx), func(row engine.Row) error {
		t, r, err := scanBoth(row)
		templates, revisions = append(templates, t), append(revisions, r)
		return err
	}, `SELECT t.name, t.vendor, t.file, t.active, t.latest, t.created_at, t.updated_at,
			r.template, r.number, r.id, r.content, r.base, r.note, r.created_by, r.created_at
		FROM templates t JOIN template_revisions r ON r.template = t.name AND r.number = `+number+` ORDER BY t.name`)
	if err != nil {
		return nil, nil, fmt.Errorf("list templates with their revisions: %w", err)
	}
	return templates, revisions, nil
}

const (
	templateColumns = `SELECT name, vendor, file, active, latest, created_at, updated_at FROM templates `
	revisionColumns = `SELECT template, number, id, content, base, note, created_by, created_at FROM template_revisions `
)

// templateRow and revisionRow are where the columns of a row go.
type (
	templateRow struct {
		phone.Template
		created, updated int64
	}
	revisionRow struct {
		phone.TemplateRevision
		content string
		created int64
	}
)

func (t *templateRow) columns() []any {
	return []any{&t.Name, &t.Vendor, &t.File, &t.Active, &t.Latest, &t.created, &t.updated}
}

func (t *templateRow) read() phone.Template {
	t.CreatedAt, t.UpdatedAt = fromMillis(t.created), fromMillis(t.updated)
	return t.Template
}

func (r *revisionRow) columns() []any {
	return []any{&r.Template, &r.Number, &r.ID, &r.content, &r.Base, &r.Note, &r.CreatedBy, &r.created}
}

func (r *revisionRow) read() (phone.TemplateRevision, error) {
	r.CreatedAt = fromMillis(r.created)
	err := json.Unmarshal([]byte(r.content), &r.TemplateContent)
	return r.TemplateRevision, err
}

func scanTemplate(row engine.Row) (phone.Template, error) {
	var t templateRow
	err := row.Scan(t.columns()...)
	return t.read(), err
}

func scanRevision(row engine.Row) (phone.TemplateRevision, error) {
	var r revisionRow
	if err := row.Scan(r.columns()...); err != nil {
		return r.TemplateRevision, err
	}
	return r.read()
}

func scanBoth(row engine.Row) (phone.Template, phone.TemplateRevision, error) {
	var t templateRow
	var r revisionRow
	if err := row.Scan(append(t.columns(), r.columns()...)...); err != nil {
		return t.Template, r.TemplateRevision, err
	}
	revision, err := r.read()
	return t.read(), revision, err
}

// reservedNames are taken in the paths of the REST API.
var reservedNames = []string{"validate", "preview", "impact", "packs"}

func validTemplate(t phone.Template) error {
	if t.Name == "" || len(t.Name) > maxTemplateName || strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return phone.Invalid("name", fmt.Sprintf("must be 1 to %d of a-z, 0-9 and '-'", maxTemplateName))
	}
	if slices.Contains(reservedNames, t.Name) {
		return phone.Invalid("name", "is the name of a call of the API")
	}
	if t.Vendor == "" {
		return phone.Invalid("vendor", "is missing")
	}
	if t.File == "" {
		return phone.Invalid("file", "is missing")
	}
	return nil
}

func validDraft(d phone.TemplateDraft) error {
	if d.Text == "" {
		return phone.Invalid("content", "is missing")
	}
	if len(d.Text) > maxTemplateText {
		return phone.Invalid("content", fmt.Sprintf("has more than %d bytes", maxTemplateText))
	}
	if strings.ContainsRune(d.Text, 0) {
		return phone.Invalid("content", "has a NUL byte")
	}
	if len([]rune(d.Note)) > maxNote {
		return phone.Invalid("note", fmt.Sprintf("has more than %d characters", maxNote))
	}
	return nil
}
