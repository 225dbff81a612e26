package inventory

import (
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		ctx := t.Context()
		var seconds atomic.Int64
		o := d.options()
		o.Now = func() time.Time { return time.Unix(1_800_000_000+seconds.Load(), 0) }
		s := openWith(t, o)
		forever, text, err := s.CreateKey(ctx, "admin", Scopes(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^do_live_[0-9A-Za-z]{32}$`).MatchString(text.Reveal()) {
			t.Errorf("key text %s", text.Reveal())
		}
		short, shortText, err := s.CreateKey(ctx, "short", []string{ScopePhonesRead}, o.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // from the database, then from memory
			if diff := cmp.Diff(forever, must[phone.APIKey](t)(s.KeyByText(ctx, text.Reveal()))); diff != "" {
				t.Errorf("key (-made +read):\n%s", diff)
			}
			if got := must[phone.APIKey](t)(s.KeyByText(ctx, shortText.Reveal())); got.ID != short.ID {
				t.Errorf("got %s", got.ID)
			}
		}
		seconds.Add(60)
		for _, bad := range []string{
			"", "do_live_", shortText.Reveal(), text.Reveal() + "x", strings.ToUpper(text.Reveal()),
			keyPrefix + strings.Repeat("a", 32), keyPrefix + strings.Repeat("\xff", 32),
		} {
			_, err := s.KeyByText(ctx, bad)
			wantErr(t, err, phone.ErrNotFound)
		}
		must[phone.APIKey](t)(s.KeyByText(ctx, text.Reveal()))
		if err := s.Close(); err != nil { // which writes LastUsed
			t.Fatal(err)
		}
		s = openWith(t, o)
		forever.LastUsed, short.LastUsed = o.Now().UTC(), o.Now().UTC().Add(-time.Minute)
		byID := cmp.Transformer("byID", func(list []phone.APIKey) map[string]phone.APIKey {
			m := map[string]phone.APIKey{}
			for _, k := range list {
				m[k.ID] = k
			}
			return m
		})
		if diff := cmp.Diff([]phone.APIKey{forever, short}, must[[]phone.APIKey](t)(s.Keys(ctx)), byID); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		must[phone.APIKey](t)(s.KeyByText(ctx, text.Reveal()))
		if err := s.RevokeKey(ctx, forever.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.KeyByText(ctx, text.Reveal())
		wantErr(t, err, phone.ErrNotFound)
		wantErr(t, s.RevokeKey(ctx, forever.ID), phone.ErrNotFound)
	})
}

func TestCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		read := []string{ScopePhonesRead}
		for name, c := range map[string]struct {
			name    string
			scopes  []string
			expires time.Time
			field   string
		}{
			"no name":       {"", read, time.Time{}, "name"},
			"bad name":      {"a\n", read, time.Time{}, "name"},
			"no scope":      {"a", nil, time.Time{}, "scopes"},
			"unknown scope": {"a", []string{ScopePhonesRead, "pbx:keys:read"}, time.Time{}, "scopes[1]"},
			"twice":         {"a", []string{ScopePhonesRead, ScopePhonesRead}, time.Time{}, "scopes[1]"},
			"past":          {"a", read, time.Now().Add(-time.Second), "expiresAt"},
		} {
			t.Run(name, func(t *testing.T) {
				_, _, err := s.CreateKey(t.Context(), c.name, c.scopes, c.expires)
				wantField(t, err, c.field)
			})
		}
	})
}
