package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const layerRevision = "setting_layers"

// Layers returns all layers and a number that is another one after every change of
// any of them.
func (s *Store) Layers(ctx context.Context) ([]phone.Layer, int64, error) {
	var out []phone.Layer
	revision, err := s.layersOf(s.db.Reader(ctx), &out)
	return out, revision, err
}

func (s *Store) layersOf(q engine.Querier, out *[]phone.Layer) (int64, error) {
	err := engine.Each(q, func(row engine.Row) error {
		l, err := s.scanLayer(row)
		*out = append(*out, l)
		return err
	}, `SELECT scope, name, settings, revision, updated_at FROM setting_layers ORDER BY scope, name`)
	if err != nil {
		return 0, fmt.Errorf("read the layers of settings: %w", err)
	}
	var revision int64
	err = engine.Each(q, func(row engine.Row) error { return row.Scan(&revision) },
		`SELECT revision FROM setting_revision WHERE name = $1`, layerRevision)
	if err != nil {
		return 0, fmt.Errorf("read the layers of settings: %w", err)
	}
	return revision, nil
}

func (s *Store) scanLayer(row engine.Row) (phone.Layer, error) {
	var (
		l       phone.Layer
		sealed  []byte
		updated int64
	)
	if err := row.Scan(&l.Scope, &l.Name, &sealed, &l.Revision, &updated); err != nil {
		return l, err
	}
	text, err := s.sealer.open(sealed, layerPlace(l))
	if err == nil {
		err = json.Unmarshal([]byte(text), &l.Settings)
	}
	if err != nil {
		return l, fmt.Errorf("settings of %s %s: %w", l.Scope, l.Name, err)
	}
	l.UpdatedAt = fromMillis(updated)
	return l, nil
}

// layerPlace binds the encrypted settings to their row; passwords are among them.
func layerPlace(l phone.Layer) []byte {
	return place("setting_layers", l.Scope+"\x00"+l.Name, "settings")
}

// Layer returns one layer, or phone.ErrNotFound.
func (s *Store) Layer(ctx context.Context, scope, name string) (phone.Layer, error) {
	return engine.One(s.db.Reader(ctx), s.scanLayer,
		`SELECT scope, name, settings, revision, updated_at FROM setting_layers WHERE scope = $1 AND name = $2`, clip(scope, maxText), clip(name, maxText))
}

// PutLayer stores what change makes of the settings of a layer, which it gets as they
// are, none of a layer that is not there. An actual change gives every phone that the
// layer is for the next revision. Errors of change are returned, and nothing is stored.
func (s *Store) PutLayer(
	ctx context.Context, scope, name string, change func(*phone.Layer) error, affects phone.Affects,
) (phone.Layer, error) {
	return writing(ctx, s, func(u *unit) (phone.Layer, error) {
		old, found, err := u.lockedLayer(scope, name)
		if err != nil {
			return old, err
		}
		l := old
		l.Scope, l.Name, l.Settings = scope, name, maps.Clone(old.Settings)
		if err := change(&l); err != nil {
			return l, err
		}
		l.Scope, l.Name = scope, name
		if err := validLayer(l); err != nil {
			return l, err
		}
		if found && maps.Equal(old.Settings, l.Settings) {
			return old, nil
		}
		if l.Settings == nil {
			l.Settings = map[string]string{}
		}
		text, err := json.Marshal(l.Settings)
		if err != nil {
			return l, err
		}
		if l.Revision, err = u.nextLayerRevision(); err != nil {
			return l, err
		}
		l.UpdatedAt = u.Now
		err = u.exec(`INSERT INTO setting_layers (scope, name, settings, revision, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (scope, name) DO UPDATE SET settings = excluded.settings, revision = excluded.revision, updated_at = excluded.updated_at`,
			l.Scope, l.Name, u.s.sealer.seal(string(text), layerPlace(l)), l.Revision, toMillis(l.UpdatedAt))
		if err != nil {
			return l, fmt.Errorf("store the settings of %s %s: %w", l.Scope, l.Name, err)
		}
		return l, u.reviseLayer(l.Scope, l.Name, affects)
	})
}

// DeleteLayer removes a layer; phone.ErrNotFound when there is none. An error of check,
// which gets the layer, is returned, and nothing is removed.
func (s *Store) DeleteLayer(ctx context.Context, scope, name string, check phone.Check[phone.Layer], affects phone.Affects) error {
	return s.write(ctx, func(u *unit) error {
		l, found, err := u.lockedLayer(scope, name)
		if err != nil {
			return err
		}
		if !found {
			return phone.ErrNotFound
		}
		if err := check.Of(l); err != nil {
			return err
		}
		if _, err := u.nextLayerRevision(); err != nil {
			return err
		}
		if err := u.exec(`DELETE FROM setting_layers WHERE scope = $1 AND name = $2`, scope, name); err != nil {
			return fmt.Errorf("delete the settings of %s %s: %w", scope, name, err)
		}
		return u.reviseLayer(scope, name, affects)
	})
}

// lockedLayer reads a layer that no other node changes until the commit.
func (u *unit) lockedLayer(scope, name string) (l phone.Layer, found bool, err error) {
	if err := u.Lock(layerLock); err != nil {
		return l, false, err
	}
	err = engine.Each(u, func(row engine.Row) error {
		found = true
		var scanErr error
		l, scanErr = u.s.scanLayer(row)
		return scanErr
	}, `SELECT scope, name, settings, revision, updated_at FROM setting_layers WHERE scope = $1 AND name = $2`, scope, name)
	if err != nil {
		return l, false, fmt.Errorf("read the settings of %s %s: %w", scope, name, err)
	}
	return l, found, nil
}

const layerLock = 0x6469616c03 // any fixed number of our own

func (u *unit) nextLayerRevision() (int64, error) {
	n, err := engine.One(u, engine.Scalar[int64], `INSERT INTO setting_revision (name, revision) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET revision = setting_revision.revision + 1 RETURNING revision`, layerRevision)
	if err != nil {
		return 0, fmt.Errorf("count the changes of settings: %w", err)
	}
	return n, nil
}

// reviseLayer gives the next revision to all phones of a layer, in one statement.
func (u *unit) reviseLayer(scope, name string, affects phone.Affects) error {
	u.changed(effect{Change: Change{Kind: ChangeSettings, ID: scope + "/" + name}})
	where, args, err := u.phonesOf(scope, name, affects)
	if err != nil || where == "" {
		return err
	}
	err = engine.Each(u, func(row engine.Row) error {
		var id, hex string
		if err := row.Scan(&id, &hex); err != nil {
			return err
		}
		mac, err := phone.ParseMAC(hex)
		u.changed(effect{Change: Change{Kind: ChangeDevice, ID: id, MAC: mac}})
		return err
	}, `UPDATE devices SET revision = revision + 1, updated_at = $1 WHERE `+where+` RETURNING id, mac`, append([]any{toMillis(u.Now)}, args...)...)
	if err != nil {
		return fmt.Errorf("revise the phones of %s %s: %w", scope, name, err)
	}
	return nil
}

// phonesOf is the condition for the phones of a layer with its arguments, from $2
// on; empty: there are none.
func (u *unit) phonesOf(scope, name string, affects phone.Affects) (where string, args []any, err error) {
	switch scope {
	case "global":
		return "1 = 1", nil, nil
	case "site":
		return "site = $2", []any{name}, nil
	case "vendor":
		return "vendor = $2", []any{name}, nil
	case "group":
		return "setting_group = $2", []any{name}, nil
	}
	return u.phonesOfModel(affects)
}

// phonesOfModel asks which of the spellings there are is meant: there are few,
// however many phones.
func (u *unit) phonesOfModel(affects phone.Affects) (where string, args []any, err error) {
	var either []string
	err = engine.Each(u, func(row engine.Row) error {
		var vendor, model string
		err := row.Scan(&vendor, &model)
		if err == nil && affects != nil && affects(phone.Vendor(vendor), model) {
			either = append(either, fmt.Sprintf("vendor = $%d AND model = $%d", len(args)+2, len(args)+3))
			args = append(args, vendor, model)
		}
		return err
	}, `SELECT DISTINCT vendor, model FROM devices`)
	if err != nil {
		return "", nil, fmt.Errorf("read the models of the phones: %w", err)
	}
	return strings.Join(either, " OR "), args, nil
}

func validLayer(l phone.Layer) error {
	if l.Name != "" {
		if err := validText("name", l.Name); err != nil {
			return err
		}
	}
	if !utf8.ValidString(l.Scope) || len(l.Scope) > maxText {
		return phone.Invalid("scope", "is not valid")
	}
	return validSettings(l.Settings)
}
