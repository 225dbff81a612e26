package inventory

import (
	"errors"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// The enrollment token opens until the steady one was used; neither outlives a
// reset, a replacement or the device.
func TestTokens(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		mac := mac(t, "80:5e:c0:01:02:03")
		d := must[phone.Device](t)(s.CreateDevice(t.Context(), phone.Device{MAC: mac, Vendor: phone.Yealink}))
		if !d.Tokens.Steady.IsZero() {
			t.Fatal("a new device has tokens nobody asked for")
		}
		d, enroll, err := s.IssueTokens(t.Context(), d.ID)
		if err != nil || d.Revision != 2 {
			t.Fatalf("%+v, %v", d, err)
		}
		stage := func(token phone.Secret) phone.TokenStage {
			t.Helper()
			text, ok := phone.CutToken(token.Reveal())
			if !ok {
				t.Fatalf("%q has not the form of a token", token.Reveal())
			}
			got, err := s.DeviceByToken(t.Context(), phone.HashToken(text))
			if errors.Is(err, phone.ErrNotFound) {
				return phone.NoToken
			}
			if err != nil || got.MAC != mac {
				t.Fatalf("%v, %v", got, err)
			}
			return got.Tokens.Stage(phone.HashToken(text), s.now())
		}
		if a, b := stage(enroll), stage(d.Tokens.Steady); a != phone.EnrollToken || b != phone.SteadyToken {
			t.Fatalf("stages %q, %q", a, b)
		}
		for range 2 {
			if err := s.TokenUsed(t.Context(), d, phone.EnrollToken); err != nil {
				t.Fatal(err)
			}
		}
		if stage(enroll) != phone.EnrollToken {
			t.Error("the enrollment token ended before the steady one was used")
		}
		for range 2 {
			if err := s.TokenUsed(t.Context(), d, phone.SteadyToken); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := stage(enroll), stage(d.Tokens.Steady); a != phone.NoToken || b != phone.SteadyToken {
			t.Errorf("stages after the first use %q, %q", a, b)
		}
		old := d.Tokens.Steady
		if d, enroll, err = s.IssueTokens(t.Context(), d.ID); err != nil || stage(old) != phone.NoToken || stage(enroll) != phone.EnrollToken {
			t.Errorf("after a reset: %v", err)
		}
		if err := s.RevokeTokens(t.Context(), d.ID); err != nil || stage(enroll) != phone.NoToken || stage(d.Tokens.Steady) != phone.NoToken {
			t.Errorf("after revoking: %v", err)
		}
		if err := s.RevokeTokens(t.Context(), d.ID); err != nil {
			t.Errorf("revoking nothing: %v", err)
		}
		d, _, err = s.IssueTokens(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		mac[5]++
		if r, err := s.ReplaceDevice(t.Context(), d.ID, mac, nil); err != nil || !r.Tokens.Steady.IsZero() || stage(d.Tokens.Steady) != phone.NoToken {
			t.Errorf("after a replacement: %+v, %v", r.Tokens, err)
		}
		if d, _, err = s.IssueTokens(t.Context(), d.ID); err != nil || stage(d.Tokens.Steady) != phone.SteadyToken {
			t.Fatal(err)
		}
		if err := s.DeleteDevice(t.Context(), d.ID, nil); err != nil || stage(d.Tokens.Steady) != phone.NoToken {
			t.Errorf("after deleting: %v", err)
		}
		if _, _, err := s.IssueTokens(t.Context(), d.ID); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("tokens of nobody: %v", err)
		}
	})
}

func TestTokenForm(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"abcdefghijklmnopqrstuvwxyz": true, "ABCDEFGHIJKLMNOPQRSTUVW234": true, "": false, "abcdefghijklmnopqrstuvwxy": false,
		"abcdefghijklmnopqrstuvwxyz2": false, "abcdefghijklmnopqrstuvwxy1": false, "abcdefghijklm/opqrstuvwxyz": false,
	} {
		if _, got := phone.CutToken(text); got != ok {
			t.Errorf("%q: %t", text, got)
		}
	}
}
