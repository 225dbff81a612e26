package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const extensionColumns = `SELECT e.number, e.name, c.auth_user, c.secret, e.created_at, e.updated_at
	FROM extensions e JOIN credentials c ON c.extension = e.number AND c.line = 0 `

func (s *Store) scanExtension(row engine.Row) (phone.Extension, error) {
	var (
		e                phone.Extension
		sealed           []byte
		created, updated int64
	)
	if err := row.Scan(&e.Number, &e.Name, &e.SIPUsername, &sealed, &created, &updated); err != nil {
		return e, err
	}
	e.CreatedAt, e.UpdatedAt = fromMillis(created), fromMillis(updated)
	var err error
	e.Password, err = s.sealer.openSecret(e.SIPUsername, sealed)
	return e, err
}

// sortKey orders numbers as people do, 9 before 10 before 100, and those of one
// length by their bytes ('#' < '*' < digits).
func sortKey(number string) string { return fmt.Sprintf("%02d%s", len(number), number) }

// CreateExtension adds an extension. An empty SIPUsername or Password is minted.
// It returns the extension as stored; phone.ErrConflict when the number or the
// user is taken; phone.FieldError with the field "number", "name", "sipUsername"
// or "sipPassword".
func (s *Store) CreateExtension(ctx context.Context, e phone.Extension) (phone.Extension, error) {
	return writing(ctx, s, func(u *unit) (phone.Extension, error) { return u.createExtension(e) })
}

func validExtension(e phone.Extension) error {
	if err := validNumber("number", e.Number); err != nil {
		return err
	}
	return validText("name", e.Name)
}

func (u *unit) createExtension(e phone.Extension) (phone.Extension, error) {
	if err := validExtension(e); err != nil {
		return e, err
	}
	if e.Password.IsZero() {
		e.Password = newSecret()
	}
	if err := validPassword("sipPassword", e.Password); err != nil {
		return e, err
	}
	e.CreatedAt, e.UpdatedAt = u.Now, u.Now
	n, err := u.Exec(`INSERT INTO extensions (number, sort_key, name, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		e.Number, sortKey(e.Number), e.Name, toMillis(e.CreatedAt), toMillis(e.UpdatedAt))
	if err != nil {
		return e, fmt.Errorf("create extension %s: %w", e.Number, err)
	}
	if n == 0 {
		return e, &phone.ConflictError{Field: "number", Reason: fmt.Sprintf("extension %s exists already", e.Number)}
	}
	own := credential{user: e.SIPUsername, extension: e.Number, secret: e.Password}
	if e.SIPUsername, err = u.addCredential(own); err != nil {
		return e, err
	}
	u.changed(effect{Change: Change{Kind: ChangeExtension, ID: e.Number}, Users: []string{e.SIPUsername}})
	return e, nil
}

// Extension returns an extension from memory when it can.
func (s *Store) Extension(ctx context.Context, number string) (phone.Extension, error) {
	if validNumber("number", number) != nil {
		return phone.Extension{}, phone.ErrNotFound
	}
	return s.extensions.get(number, func(number string) (phone.Extension, error) {
		return s.extension(s.db.Reader(ctx), number, "")
	})
}

func (s *Store) extension(q engine.Querier, number, suffix string) (phone.Extension, error) {
	e, err := engine.One(q, s.scanExtension, extensionColumns+`WHERE e.number = $1`+suffix, number)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		err = fmt.Errorf("read extension %s: %w", number, err)
	}
	return e, err
}

// Extensions returns up to limit (at most 10,000) extensions after the number
// "after", "" for the start. Shorter numbers come first, those of one length in
// the order of their digits: 9, 10, 99, 100.
func (s *Store) Extensions(ctx context.Context, after string, limit int) ([]phone.Extension, error) {
	if after != "" {
		after = sortKey(after)
	}
	list, err := engine.All(s.db.Reader(ctx), s.scanExtension,
		extensionColumns+`WHERE e.sort_key > $1 ORDER BY e.sort_key LIMIT $2`, after, within(limit))
	if err != nil {
		return nil, fmt.Errorf("list extensions: %w", err)
	}
	return list, nil
}

// FindExtensions is Extensions for those whose number or digest user begins with q, or
// whose name holds it, in any case (of ASCII letters, in SQLite).
func (s *Store) FindExtensions(ctx context.Context, q, after string, limit int) ([]phone.Extension, error) {
	if after != "" {
		after = sortKey(after)
	}
	part := containing(clip(q, maxText))
	list, err := engine.All(s.db.Reader(ctx), s.scanExtension, extensionColumns+`WHERE e.sort_key > $1 AND (e.number LIKE $3 ESCAPE '\'
		OR LOWER(e.name) LIKE LOWER($4) ESCAPE '\' OR LOWER(c.auth_user) LIKE LOWER($3) ESCAPE '\') ORDER BY e.sort_key LIMIT $2`,
		after, within(limit), strings.TrimPrefix(part, "%"), part)
	if err != nil {
		return nil, fmt.Errorf("find extensions: %w", err)
	}
	return list, nil
}

// Directory is Extensions with numbers and names only, for phone books: no password
// is read.
func (s *Store) Directory(ctx context.Context, after string, limit int) ([]phone.Extension, error) {
	if after != "" {
		after = sortKey(after)
	}
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.Extension, error) {
		var e phone.Extension
		err := row.Scan(&e.Number, &e.Name)
		return e, err
	}, `SELECT number, name FROM extensions WHERE sort_key > $1 ORDER BY sort_key LIMIT $2`, after, within(limit))
	if err != nil {
		return nil, fmt.Errorf("read the directory: %w", err)
	}
	return list, nil
}

// UpdateExtension lets change edit the extension in a transaction; see
// engine.DB.Write for what change may do. The number is fixed. An empty
// SIPUsername or Password is minted anew. A new name gives every device that has
// a line on the extension a new Revision.
func (s *Store) UpdateExtension(ctx context.Context, number string, change func(*phone.Extension) error) (phone.Extension, error) {
	return writing(ctx, s, func(u *unit) (phone.Extension, error) {
		old, err := s.extension(u, number, u.ForUpdate())
		if err != nil {
			return old, err
		}
		e := old
		if err := change(&e); err != nil {
			return e, err
		}
		if e.Number != old.Number {
			return e, phone.Invalid("number", "cannot be changed")
		}
		e.CreatedAt, e.UpdatedAt = old.CreatedAt, old.UpdatedAt
		if e == old {
			return e, nil
		}
		return u.updateExtension(old, e)
	})
}

func (u *unit) updateExtension(old, e phone.Extension) (phone.Extension, error) {
	if err := validExtension(e); err != nil {
		return e, err
	}
	if e.Password.IsZero() {
		e.Password = newSecret()
	}
	if err := validPassword("sipPassword", e.Password); err != nil {
		return e, err
	}
	e.UpdatedAt = later(u.Now, old.UpdatedAt)
	err := u.exec(`UPDATE extensions SET name = $2, updated_at = $3 WHERE number = $1`,
		e.Number, e.Name, toMillis(e.UpdatedAt))
	if err != nil {
		return e, fmt.Errorf("update extension %s: %w", e.Number, err)
	}
	if e.SIPUsername != old.SIPUsername || e.Password != old.Password {
		if err := u.exec(`DELETE FROM credentials WHERE auth_user = $1`, old.SIPUsername); err != nil {
			return e, fmt.Errorf("update extension %s: %w", e.Number, err)
		}
		own := credential{user: e.SIPUsername, extension: e.Number, secret: e.Password}
		if e.SIPUsername, err = u.addCredential(own); err != nil {
			return e, err
		}
	}
	u.changed(effect{
		Change: Change{Kind: ChangeExtension, ID: e.Number},
		Users:  []string{old.SIPUsername, e.SIPUsername},
	})
	if e.Name != old.Name {
		return e, u.reviseDevices(e.Number)
	}
	return e, nil
}

// DeleteExtension removes an extension, unless check, if not nil, has an error for
// it; phone.ErrConflict while a line of a device is bound to it.
func (s *Store) DeleteExtension(ctx context.Context, number string, check func(phone.Extension) error) error {
	return s.write(ctx, func(u *unit) error {
		e, err := s.extension(u, number, u.ForUpdate())
		if err == nil && check != nil {
			err = check(e)
		}
		if err != nil {
			return err
		}
		if err := u.checkUnused(number); err != nil {
			return err
		}
		err = u.exec(`DELETE FROM credentials WHERE auth_user = $1`, e.SIPUsername)
		if err == nil {
			err = u.exec(`DELETE FROM extensions WHERE number = $1`, number)
		}
		if engine.IsKind(err, engine.ForeignKey) { // another node bound a line meanwhile
			return fmt.Errorf("extension %s is in use: %w", number, phone.ErrConflict)
		}
		if err != nil {
			return fmt.Errorf("delete extension %s: %w", number, err)
		}
		u.changed(effect{
			Change: Change{Kind: ChangeExtension, ID: number, Deleted: true},
			Users:  []string{e.SIPUsername},
		})
		return nil
	})
}

func (u *unit) checkUnused(number string) error {
	text, err := engine.One(u, func(row engine.Row) (string, error) {
		var (
			line    int
			id, mac string
		)
		if err := row.Scan(&line, &id, &mac); err != nil {
			return "", err
		}
		m, err := phone.ParseMAC(mac)
		return fmt.Sprintf("line %d of phone %s (%s)", line, m, id), err
	}, `SELECT c.line, d.id, d.mac FROM credentials c JOIN devices d ON d.id = c.device_id
		WHERE c.extension = $1 ORDER BY d.id, c.line LIMIT 1`, number)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("find the lines of extension %s: %w", number, err)
	}
	return fmt.Errorf("extension %s is on %s: %w", number, text, phone.ErrConflict)
}
