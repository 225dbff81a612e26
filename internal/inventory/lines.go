package inventory

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// nameLines checks that the extensions exist and takes their names, then sorts
// the lines. A label that only repeats the number is none: it follows the line
// to another extension.
func (u *unit) nameLines(lines []phone.Line) error {
	for i := range lines {
		l := &lines[i]
		name, err := engine.One(u, engine.Scalar[string], `SELECT name FROM extensions WHERE number = $1`, l.Extension)
		if errors.Is(err, phone.ErrNotFound) {
			return noExtension(i, l.Extension)
		}
		if err != nil {
			return fmt.Errorf("read extension %s: %w", l.Extension, err)
		}
		l.DisplayName = name
		if l.Label == l.Extension {
			l.Label = ""
		}
	}
	sortLines(lines)
	return nil
}

func noExtension(i int, number string) error {
	return phone.Invalid(fmt.Sprintf("lines[%d].extensionNumber", i), "there is no extension "+number)
}

// keepSecrets gives each line the digest user of the old line on the same
// extension, the one with its number first, and takes away all others.
func keepSecrets(lines, old []phone.Line) {
	old = slices.Clone(old)
	take := func(l *phone.Line, same func(phone.Line) bool) {
		if l.AuthUser != "" {
			return
		}
		if i := slices.IndexFunc(old, same); i >= 0 {
			l.AuthUser, l.Secret = old[i].AuthUser, old[i].Secret
			old = slices.Delete(old, i, i+1)
		}
	}
	for i := range lines {
		lines[i].AuthUser, lines[i].Secret = "", phone.Secret{}
	}
	for i := range lines {
		l := &lines[i]
		take(l, func(o phone.Line) bool { return o.Extension == l.Extension && o.Number == l.Number })
	}
	for i := range lines {
		l := &lines[i]
		take(l, func(o phone.Line) bool { return o.Extension == l.Extension })
	}
}

// addLines stores the lines of d and mints what they lack.
func (u *unit) addLines(d *phone.Device) error {
	for i := range d.Lines {
		l := &d.Lines[i]
		if l.Secret.IsZero() {
			l.Secret = newSecret()
		}
		var err error
		l.AuthUser, err = u.addCredential(credential{
			user: l.AuthUser, extension: l.Extension,
			deviceID: d.ID, line: l.Number, label: l.Label, secret: l.Secret,
		})
		if engine.IsKind(err, engine.ForeignKey) { // another node deleted it meanwhile
			return noExtension(i, l.Extension)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func lineUsers(lines []phone.Line) []string {
	users := make([]string, len(lines))
	for i, l := range lines {
		users[i] = l.AuthUser
	}
	return users
}

// sameDevice reports whether nothing that is stored differs.
func sameDevice(a, b phone.Device) bool {
	return a.MAC == b.MAC && a.Vendor == b.Vendor && a.Model == b.Model && a.Name == b.Name && a.Site == b.Site &&
		slices.Equal(a.Lines, b.Lines) && maps.Equal(a.Settings, b.Settings)
}

// reviseDevices gives a new Revision to every device with a line on the extension.
func (u *unit) reviseDevices(number string) error {
	byDevice := map[string][]string{}
	err := engine.Each(u, func(row engine.Row) error {
		var id, user string
		err := row.Scan(&id, &user)
		byDevice[id] = append(byDevice[id], user)
		return err
	}, `SELECT device_id, auth_user FROM credentials WHERE extension = $1 AND line > 0`, number)
	if err != nil {
		return fmt.Errorf("find the phones of extension %s: %w", number, err)
	}
	err = engine.Each(u, func(row engine.Row) error {
		var id, hex string
		if err := row.Scan(&id, &hex); err != nil {
			return err
		}
		mac, err := phone.ParseMAC(hex)
		u.changed(effect{Change: Change{Kind: ChangeDevice, ID: id, MAC: mac}, Users: byDevice[id]})
		return err
	}, `UPDATE devices SET revision = revision + 1, updated_at = $2 WHERE id IN
		(SELECT device_id FROM credentials WHERE extension = $1 AND line > 0) RETURNING id, mac`,
		number, toMillis(u.Now))
	if err != nil {
		return fmt.Errorf("revise the phones of extension %s: %w", number, err)
	}
	return nil
}
