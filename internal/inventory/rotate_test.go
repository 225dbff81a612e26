package inventory

import (
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

func secretsOf(t *testing.T, s *Store, user string) (now, old string) {
	t.Helper()
	c := must[phone.Credential](t)(s.Credential(t.Context(), user))
	return c.Secret.Reveal(), c.Old.Reveal()
}

func TestRotation(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db database) {
		s, ctx := db.open(t), t.Context()
		e := addExtension(t, s, "101", "Desk")
		first := e.Password.Reveal()
		rotated := must[phone.Extension](t)(s.RotateCredentials(ctx, "101", false))
		if now, old := secretsOf(t, s, e.SIPUsername); now != rotated.Password.Reveal() || old != first || now == first {
			t.Errorf("%s and %s after a rotation of %s", now, old, first)
		}
		again := must[phone.Extension](t)(s.RotateCredentials(ctx, "101", false))
		if now, old := secretsOf(t, s, e.SIPUsername); now != again.Password.Reveal() || old != first {
			t.Error("a second rotation forgot the password that the phone has")
		}
		must[phone.Extension](t)(s.UpdateExtension(ctx, "101", func(e *phone.Extension) error { e.Name = "Hall"; return nil }))
		if _, old := secretsOf(t, s, e.SIPUsername); old != first {
			t.Error("a new name ended the rotation")
		}
		for range 2 {
			if err := s.DropOldSecret(ctx, e.SIPUsername); err != nil {
				t.Fatal(err)
			}
		}
		if now, old := secretsOf(t, s, e.SIPUsername); now != again.Password.Reveal() || old != "" {
			t.Error("the old password is still there")
		}
		must[phone.Extension](t)(s.RotateCredentials(ctx, "101", false))
		must[phone.Extension](t)(s.RotateCredentials(ctx, "101", true))
		if _, old := secretsOf(t, s, e.SIPUsername); old != "" {
			t.Error("dropOld left an old password")
		}
		if err := s.DropOldSecret(ctx, "nobody"); err != nil {
			t.Error(err)
		}
	})
}

func TestRotateDevice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		addExtension(t, s, "101", "Desk")
		addExtension(t, s, "102", "Hall")
		d := addDevice(t, s, "0004f2000001", "101", "102")
		r := must[phone.Device](t)(s.RotateDevice(ctx, d.ID, false))
		if r.Revision <= d.Revision {
			t.Errorf("revision %d after %d: the phone would not fetch it", r.Revision, d.Revision)
		}
		for i, l := range r.Lines {
			was := d.Lines[i]
			if now, old := secretsOf(t, s, l.AuthUser); l.AuthUser != was.AuthUser || now != l.Secret.Reveal() || old != was.Secret.Reveal() {
				t.Errorf("line %d: %s now %s old %s", l.Number, l.AuthUser, now, old)
			}
		}
		// A change of the phone does not end it; a line that goes away does.
		must[phone.Device](t)(s.UpdateDevice(ctx, d.ID, func(d *phone.Device) error {
			d.Name, d.Lines = "Moved", d.Lines[:1]
			return nil
		}))
		if _, old := secretsOf(t, s, r.Lines[0].AuthUser); old != d.Lines[0].Secret.Reveal() {
			t.Error("a change ended the rotation")
		}
		if _, err := s.Credential(ctx, r.Lines[1].AuthUser); err == nil {
			t.Error("a line that is gone still has a user")
		}
		must[phone.Device](t)(s.ReplaceDevice(ctx, d.ID, mac(t, "0004f2000009"), nil))
		if _, err := s.Credential(ctx, r.Lines[0].AuthUser); err == nil {
			t.Error("the replaced phone's user is still good")
		}
	})
}
