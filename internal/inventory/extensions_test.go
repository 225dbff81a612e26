package inventory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// secrets compares what secrets hold, not how they print.
var secrets = cmp.Comparer(func(a, b phone.Secret) bool { return a == b })

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var fe *phone.FieldError
	if !errors.As(err, &fe) || fe.Field != field || !errors.Is(err, phone.ErrInvalid) {
		t.Errorf("got %v, want an invalid %s", err, field)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestCreateExtensionMints(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		for number, user := range map[string]string{
			"101": `^101_[0-9a-z]{6}$`, "*97": `^97_[0-9a-z]{6}$`, "#": `^x_[0-9a-z]{6}$`,
		} {
			e := addExtension(t, s, number, "Front Desk")
			if !regexp.MustCompile(user).MatchString(e.SIPUsername) {
				t.Errorf("%s: user %s", number, e.SIPUsername)
			}
			if !regexp.MustCompile(`^[2-9a-zA-Z]{28}$`).MatchString(e.Password.Reveal()) {
				t.Errorf("%s: password %s", number, e.Password.Reveal())
			}
			got := must[phone.Extension](t)(s.Extension(t.Context(), number))
			if diff := cmp.Diff(e, got, secrets); diff != "" {
				t.Errorf("stored differs (-made +read):\n%s", diff)
			}
			want := phone.Credential{User: e.SIPUsername, Extension: number, Name: "Front Desk", Secret: e.Password}
			c := must[phone.Credential](t)(s.Credential(t.Context(), e.SIPUsername))
			if diff := cmp.Diff(want, c, secrets); diff != "" {
				t.Errorf("credential (-want +got):\n%s", diff)
			}
		}
	})
}

func TestCreateExtensionRefuses(t *testing.T) {
	t.Parallel()
	given := func(user, password string) phone.Extension {
		return phone.Extension{Number: "200", SIPUsername: user, Password: phone.NewSecret(password)}
	}
	eachEngine(t, func(t *testing.T, s *Store) {
		must[phone.Extension](t)(s.CreateExtension(t.Context(), phone.Extension{Number: "101", SIPUsername: "taken"}))
		for name, c := range map[string]struct {
			in    phone.Extension
			field string
		}{
			"no number":             {phone.Extension{}, "number"},
			"letters":               {phone.Extension{Number: "10a"}, "number"},
			"33 digits":             {phone.Extension{Number: strings.Repeat("1", 33)}, "number"},
			"long name":             {phone.Extension{Number: "200", Name: strings.Repeat("ü", 129)}, "name"},
			"control character":     {phone.Extension{Number: "200", Name: "a\x00b"}, "name"},
			"bad utf-8":             {phone.Extension{Number: "200", Name: "a\xffb"}, "name"},
			"user with a colon":     {given("a:b", "x"), "sipUsername"},
			"user with a quote":     {given(`a"b`, "x"), "sipUsername"},
			"user too long":         {given(strings.Repeat("a", 65), "x"), "sipUsername"},
			"password with newline": {given("ok", "a\nb"), "sipPassword"},
			"password too long":     {given("ok", strings.Repeat("a", 129)), "sipPassword"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := s.CreateExtension(t.Context(), c.in)
				wantField(t, err, c.field)
			})
		}
		_, err := s.CreateExtension(t.Context(), phone.Extension{Number: "101"})
		wantErr(t, err, phone.ErrConflict)
		_, err = s.CreateExtension(t.Context(), given("taken", "x"))
		wantErr(t, err, phone.ErrConflict)
		// The refused ones left nothing behind.
		list := must[[]phone.Extension](t)(s.Extensions(t.Context(), "", 500))
		if len(list) != 1 {
			t.Errorf("%d extensions, want 1", len(list))
		}
	})
}

func TestExtensionsInOrderByPages(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		want := []string{"#", "*", "9", "*9", "10", "99", "100", "101", "1000"}
		for _, i := range []int{3, 8, 0, 5, 2, 7, 1, 6, 4} {
			addExtension(t, s, want[i], "")
		}
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page := must[[]phone.Extension](t)(s.Extensions(t.Context(), after, 2))
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				got = append(got, e.Number)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestFindExtensions(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		addExtension(t, s, "101", "Front Desk")
		addExtension(t, s, "110", "Lobby 50%")
		addExtension(t, s, "2101", "front_office")
		for q, want := range map[string]string{
			"1": "101 110 ", "101": "101 ", "FRONT": "101 2101 ", "%": "110 ", "_": "2101 ", "front_": "2101 ", "lobby 5": "110 ", "nobody": "", "101_": "101 ",
		} {
			var got string
			for after := ""; ; { // by pages of one
				page := must[[]phone.Extension](t)(s.FindExtensions(t.Context(), q, after, 1))
				if len(page) == 0 {
					break
				}
				after = page[0].Number
				got += after + " "
			}
			if got != want {
				t.Errorf("%q: %q, want %q", q, got, want)
			}
		}
	})
}

// TestUpdatesOfOneMoment: an ETag is made of the time, so no two changes may have the
// same one, however fast they come or wherever the clock goes.
func TestUpdatesOfOneMoment(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		e := addExtension(t, s, "101", "Front Desk")
		for _, name := range []string{"Lobby", "Reception", "Hall", "Desk", "Door"} {
			next, err := s.UpdateExtension(t.Context(), "101", func(e *phone.Extension) error { e.Name = name; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if !next.UpdatedAt.After(e.UpdatedAt) {
				t.Fatalf("%s: changed at %v, the change before at %v", name, next.UpdatedAt, e.UpdatedAt)
			}
			e = next
		}
	})
}

func TestUpdateExtension(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		old := addExtension(t, s, "101", "Front Desk")
		d := addDevice(t, s, "0004f2000001", "101")
		must[phone.Credential](t)(s.Credential(ctx, old.SIPUsername)) // into the cache

		e, err := s.UpdateExtension(ctx, "101", func(e *phone.Extension) error {
			e.Name, e.SIPUsername, e.Password = "Lobby", "lobby@old-pbx", phone.NewSecret("pa ss")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Credential(ctx, old.SIPUsername)
		wantErr(t, err, phone.ErrNotFound)
		c := must[phone.Credential](t)(s.Credential(ctx, "lobby@old-pbx"))
		if c.Secret != e.Password || c.Name != "Lobby" {
			t.Errorf("credential is %+v", c)
		}
		got := must[phone.Device](t)(s.Device(ctx, d.ID))
		if got.Revision != d.Revision+1 || got.Lines[0].DisplayName != "Lobby" || got.Lines[0].AuthUser != d.Lines[0].AuthUser {
			t.Errorf("the phone did not follow the name: %+v", got)
		}
		if c := must[phone.Credential](t)(s.Credential(ctx, d.Lines[0].AuthUser)); c.Name != "Lobby" {
			t.Errorf("the line's credential did not follow the name: %+v", c)
		}

		_, err = s.UpdateExtension(ctx, "101", func(e *phone.Extension) error { e.Number = "102"; return nil })
		wantField(t, err, "number")
		_, err = s.UpdateExtension(ctx, "101", func(e *phone.Extension) error { e.SIPUsername = d.Lines[0].AuthUser; return nil })
		wantErr(t, err, phone.ErrConflict)
		_, err = s.UpdateExtension(ctx, "404", func(*phone.Extension) error { return nil })
		wantErr(t, err, phone.ErrNotFound)
		if again := must[phone.Extension](t)(s.Extension(ctx, "101")); again != e {
			t.Errorf("a refused update changed %+v to %+v", e, again)
		}
	})
}

func TestRotateCredentials(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		old := addExtension(t, s, "101", "")
		must[phone.Credential](t)(s.Credential(t.Context(), old.SIPUsername))
		e := must[phone.Extension](t)(s.RotateCredentials(t.Context(), "101", true))
		if e.SIPUsername != old.SIPUsername || e.Password == old.Password {
			t.Errorf("from %s to %s", old.SIPUsername, e.SIPUsername)
		}
		if c := must[phone.Credential](t)(s.Credential(t.Context(), e.SIPUsername)); c.Secret != e.Password {
			t.Error("the old password is still valid")
		}
	})
}

func TestDeleteExtension(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		e := addExtension(t, s, "101", "")
		d := addDevice(t, s, "0004f2000001", "101")
		must[phone.Extension](t)(s.Extension(ctx, "101"))
		must[phone.Credential](t)(s.Credential(ctx, e.SIPUsername))

		err := s.DeleteExtension(ctx, "101", nil)
		wantErr(t, err, phone.ErrConflict)
		if err == nil || !strings.Contains(err.Error(), "00:04:F2:00:00:01") || !strings.Contains(err.Error(), d.ID) {
			t.Errorf("%v does not name the phone", err)
		}
		if err := s.DeleteDevice(ctx, d.ID, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteExtension(ctx, "101", nil); err != nil {
			t.Fatal(err)
		}
		_, err = s.Extension(ctx, "101")
		wantErr(t, err, phone.ErrNotFound)
		_, err = s.Credential(ctx, e.SIPUsername)
		wantErr(t, err, phone.ErrNotFound)
		wantErr(t, s.DeleteExtension(ctx, "101", nil), phone.ErrNotFound)
	})
}

func TestImportExtensions(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		rows := make([]phone.Extension, 1000)
		for i := range rows {
			rows[i].Number = fmt.Sprint(1000 + i)
		}
		if made, bad, err := s.CreateExtensions(ctx, rows, true); err != nil || len(bad) > 0 || len(made) != len(rows) {
			t.Fatalf("dry run: %d made, %v, %v", len(made), bad, err)
		}
		rows[10].Number = "x"
		rows[20].Number = rows[19].Number
		_, bad, err := s.CreateExtensions(ctx, rows, false)
		if err != nil || len(bad) != 2 || bad[0].Row != 10 || bad[1].Row != 20 {
			t.Fatalf("bad rows: %v, %v", bad, err)
		}
		wantField(t, bad[0].Err, "number")
		wantErr(t, bad[1].Err, phone.ErrConflict)
		if _, n, err := s.Counts(ctx); err != nil || n != 0 {
			t.Fatalf("%d extensions after what must store none, %v", n, err)
		}

		_, err = s.Extension(ctx, "1500") // a negative entry that the import must remove
		wantErr(t, err, phone.ErrNotFound)
		rows[10].Number, rows[20].Number = "1010", "1020"
		made, bad, err := s.CreateExtensions(ctx, rows, false)
		if err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
		if page := must[[]phone.Extension](t)(s.Extensions(ctx, "", 1000)); len(page) != len(rows) {
			t.Errorf("a page of %d, asked for 1000", len(page))
		}
		if got := must[phone.Extension](t)(s.Extension(ctx, "1500")); got != made[500] {
			t.Errorf("got %+v, want %+v", got, made[500])
		}
	})
}

// Many writers at once: every one is answered and stored, the good and the bad.
func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		const n = 200
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				// Every fourth user is the same one: a single winner.
				e := phone.Extension{Number: fmt.Sprint(1000 + i)}
				if i%4 == 0 {
					e.SIPUsername = "same"
				}
				_, errs[i] = s.CreateExtension(t.Context(), e)
			})
		}
		wg.Wait()
		same := 0
		for i, err := range errs {
			switch {
			case i%4 == 0 && err == nil:
				same++
			case i%4 == 0:
				wantErr(t, err, phone.ErrConflict)
			case err != nil:
				t.Errorf("%d: %v", i, err)
			}
			_, found := s.Extension(t.Context(), fmt.Sprint(1000+i))
			if (err == nil) != (found == nil) {
				t.Errorf("%d: answered %v, reads %v", i, err, found)
			}
		}
		if same != 1 {
			t.Errorf("%d extensions have the same user", same)
		}
	})
}
