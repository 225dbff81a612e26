package inventory

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func TestCreateDevice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		addExtension(t, s, "101", "Front Desk")
		addExtension(t, s, "102", "")
		_, err := s.DeviceByMAC(ctx, mac(t, "0004F2ABCDEF"))
		wantErr(t, err, phone.ErrNotFound)

		made, err := s.CreateDevice(ctx, phone.Device{
			MAC: mac(t, "00:04:F2:AB:CD:EF"), Vendor: phone.Polycom, Model: "VVX 450", Name: "Desk ü", Site: "HQ",
			Settings: map[string]string{"tone": "us", "raw": "<&\"'\n"},
			Lines:    []phone.Line{{Number: 3, Extension: "101"}, {Extension: "102", Label: "Door"}, {Number: 1, Extension: "101"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^phone_[a-z2-7]{20}$`).MatchString(made.ID) || made.Revision != 1 {
			t.Errorf("id %s revision %d", made.ID, made.Revision)
		}
		type line struct{ Number, Extension, DisplayName, Label string }
		var lines []line
		for _, l := range made.Lines {
			lines = append(lines, line{fmt.Sprint(l.Number), l.Extension, l.DisplayName, l.Label})
			if !strings.HasPrefix(l.AuthUser, l.Extension+"_") || len(l.Secret.Reveal()) < 24 {
				t.Errorf("line %d: user %s, secret of %d", l.Number, l.AuthUser, len(l.Secret.Reveal()))
			}
			want := phone.Credential{User: l.AuthUser, Extension: l.Extension, DeviceID: made.ID, Line: l.Number, Secret: l.Secret}
			if l.Extension == "101" {
				want.Name = "Front Desk"
			}
			c := must[phone.Credential](t)(s.Credential(ctx, l.AuthUser))
			if diff := cmp.Diff(want, c, secrets); diff != "" {
				t.Errorf("credential (-want +got):\n%s", diff)
			}
		}
		want := []line{{"1", "101", "Front Desk", "101"}, {"3", "101", "Front Desk", "101"}, {"4", "102", "102", "Door"}}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		for how, got := range map[string]phone.Device{
			"by id":      must[phone.Device](t)(s.Device(ctx, made.ID)),
			"by mac":     must[phone.Device](t)(s.DeviceByMAC(ctx, made.MAC)),
			"from cache": must[phone.Device](t)(s.DeviceByMAC(ctx, made.MAC)),
			"in list":    must[[]phone.Device](t)(s.Devices(ctx, "", 10))[0],
		} {
			if diff := cmp.Diff(made, got, secrets); diff != "" {
				t.Errorf("%s (-made +read):\n%s", how, diff)
			}
		}
		// What the cache gives away is the caller's own.
		must[phone.Device](t)(s.DeviceByMAC(ctx, made.MAC)).Settings["tone"] = "changed"
		if got := must[phone.Device](t)(s.DeviceByMAC(ctx, made.MAC)); got.Settings["tone"] != "us" {
			t.Error("a caller changed the cache")
		}
	})
}

func TestCreateDeviceRefuses(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		addExtension(t, s, "101", "")
		addDevice(t, s, "0004f2000001", "101")
		with := func(change func(*phone.Device)) phone.Device {
			d := phone.Device{MAC: mac(t, "0004f2000002"), Lines: []phone.Line{{Extension: "101"}}}
			change(&d)
			return d
		}
		lines := func(l ...phone.Line) func(*phone.Device) { return func(d *phone.Device) { d.Lines = l } }
		for name, c := range map[string]struct {
			in    phone.Device
			field string
		}{
			"no mac":            {with(func(d *phone.Device) { d.MAC = phone.MAC{} }), "macAddress"},
			"multicast":         {with(func(d *phone.Device) { d.MAC[0] = 1 }), "macAddress"},
			"model":             {with(func(d *phone.Device) { d.Model = "a\nb" }), "model"},
			"name":              {with(func(d *phone.Device) { d.Name = strings.Repeat("a", 129) }), "name"},
			"no extension":      {with(lines(phone.Line{Extension: "101"}, phone.Line{Extension: "999"})), "lines[1].extensionNumber"},
			"bad extension":     {with(lines(phone.Line{Extension: ""})), "lines[0].extensionNumber"},
			"same line":         {with(lines(phone.Line{Number: 2, Extension: "101"}, phone.Line{Number: 2, Extension: "101"})), "lines[1].line"},
			"line -1":           {with(lines(phone.Line{Number: -1, Extension: "101"})), "lines[0].line"},
			"line 100":          {with(lines(phone.Line{Number: 99, Extension: "101"}, phone.Line{Extension: "101"})), "lines[1].line"},
			"label":             {with(lines(phone.Line{Extension: "101", Label: "\x01"})), "lines[0].label"},
			"setting with NUL":  {with(func(d *phone.Device) { d.Settings = map[string]string{"a": "\x00"} }), `settings["a"]`},
			"setting no name":   {with(func(d *phone.Device) { d.Settings = map[string]string{"": "a"} }), `settings[""]`},
			"setting too large": {with(func(d *phone.Device) { d.Settings = map[string]string{"a": strings.Repeat("a", 8193)} }), `settings["a"]`},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := s.CreateDevice(t.Context(), c.in)
				wantField(t, err, c.field)
			})
		}
		_, err := s.CreateDevice(t.Context(), with(func(d *phone.Device) { d.MAC = mac(t, "0004f2000001") }))
		wantErr(t, err, phone.ErrConflict)
		if n, _, err := s.Counts(t.Context()); n != 1 || err != nil {
			t.Errorf("%d devices, %v", n, err)
		}
	})
}

func TestUpdateDevice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		addExtension(t, s, "101", "")
		addExtension(t, s, "102", "")
		old := addDevice(t, s, "0004f2000001", "101", "102")
		for _, l := range old.Lines {
			must[phone.Credential](t)(s.Credential(ctx, l.AuthUser)) // into the cache
		}
		must[phone.Device](t)(s.DeviceByMAC(ctx, old.MAC))

		// Line 1 moves to line 2, line 2 goes, a new line comes.
		d, err := s.UpdateDevice(ctx, old.ID, func(d *phone.Device) error {
			d.ID, d.Revision, d.Site = "other", 77, "HQ"
			d.Lines = []phone.Line{
				{Number: 1, Extension: "101", Label: "new"},
				{Number: 2, Extension: "101", AuthUser: "forged", Secret: phone.NewSecret("forged")},
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != old.ID || d.Revision != 2 || d.Site != "HQ" || len(d.Lines) != 2 {
			t.Errorf("updated to %+v", d)
		}
		if d.Lines[0].AuthUser != old.Lines[0].AuthUser || d.Lines[0].Secret != old.Lines[0].Secret || d.Lines[0].Label != "new" {
			t.Errorf("the kept line is %+v", d.Lines[0])
		}
		if u := d.Lines[1].AuthUser; u == "forged" || u == old.Lines[1].AuthUser || u == old.Lines[0].AuthUser {
			t.Errorf("the new line has user %s", u)
		}
		_, err = s.Credential(ctx, old.Lines[1].AuthUser)
		wantErr(t, err, phone.ErrNotFound)
		if diff := cmp.Diff(d, must[phone.Device](t)(s.DeviceByMAC(ctx, old.MAC)), secrets); diff != "" {
			t.Errorf("read after update (-returned +read):\n%s", diff)
		}

		same := must[phone.Device](t)(s.UpdateDevice(ctx, d.ID, func(d *phone.Device) error { d.Lines = slices.Clone(d.Lines); return nil }))
		if same.Revision != 2 {
			t.Errorf("no change made revision %d", same.Revision)
		}
		_, err = s.UpdateDevice(ctx, d.ID, func(d *phone.Device) error { d.MAC[5]++; return nil })
		wantField(t, err, "macAddress")
		sentinel := errors.New("stop")
		_, err = s.UpdateDevice(ctx, d.ID, func(*phone.Device) error { return sentinel })
		wantErr(t, err, sentinel)
		_, err = s.UpdateDevice(ctx, d.ID, func(*phone.Device) error { panic("boom") })
		if err == nil {
			t.Error("a panic was not reported")
		}
		_, err = s.UpdateDevice(ctx, "phone_none", func(*phone.Device) error { return nil })
		wantErr(t, err, phone.ErrNotFound)
	})
}

// A label that was never set follows the line to another extension, and moving
// a line keeps its credentials.
func TestLinesMove(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		addExtension(t, s, "101", "")
		addExtension(t, s, "102", "")
		old := addDevice(t, s, "0004f2000001", "101")
		d := must[phone.Device](t)(s.UpdateDevice(t.Context(), old.ID, func(d *phone.Device) error {
			d.Lines[0].Number = 5
			return nil
		}))
		if d.Lines[0].AuthUser != old.Lines[0].AuthUser || d.Lines[0].Number != 5 {
			t.Errorf("moved line is %+v", d.Lines[0])
		}
		d = must[phone.Device](t)(s.UpdateDevice(t.Context(), old.ID, func(d *phone.Device) error {
			d.Lines[0].Extension = "102"
			return nil
		}))
		if l := d.Lines[0]; l.Label != "102" || l.AuthUser == old.Lines[0].AuthUser || !strings.HasPrefix(l.AuthUser, "102_") {
			t.Errorf("line on another extension is %+v", l)
		}
	})
}

func TestReplaceAndDeleteDevice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		addExtension(t, s, "101", "")
		old, other := addDevice(t, s, "0004f2000001", "101"), addDevice(t, s, "0004f2000002")
		must[phone.Device](t)(s.DeviceByMAC(ctx, old.MAC))
		_, err := s.DeviceByMAC(ctx, mac(t, "805ec0000001"))
		wantErr(t, err, phone.ErrNotFound)

		_, err = s.ReplaceDevice(ctx, old.ID, other.MAC, nil)
		wantErr(t, err, phone.ErrConflict)
		_, err = s.ReplaceDevice(ctx, old.ID, old.MAC, nil)
		wantField(t, err, "macAddress")
		d, err := s.ReplaceDevice(ctx, old.ID, mac(t, "805ec0000001"), func(d *phone.Device) error {
			d.Vendor, d.Model = phone.Yealink, "T46S"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != old.ID || d.Revision != 2 || d.Model != "T46S" || d.Lines[0].AuthUser == old.Lines[0].AuthUser {
			t.Errorf("replaced by %+v", d)
		}
		_, err = s.DeviceByMAC(ctx, old.MAC)
		wantErr(t, err, phone.ErrNotFound)
		_, err = s.Credential(ctx, old.Lines[0].AuthUser)
		wantErr(t, err, phone.ErrNotFound)
		must[phone.Device](t)(s.DeviceByMAC(ctx, d.MAC))

		if err := s.DeleteDevice(ctx, d.ID, nil); err != nil {
			t.Fatal(err)
		}
		_, err = s.DeviceByMAC(ctx, d.MAC)
		wantErr(t, err, phone.ErrNotFound)
		_, err = s.Credential(ctx, d.Lines[0].AuthUser)
		wantErr(t, err, phone.ErrNotFound)
		wantErr(t, s.DeleteDevice(ctx, d.ID, nil), phone.ErrNotFound)
	})
}

func TestDevicesByPages(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		addExtension(t, s, "101", "")
		made := map[string]phone.Device{}
		for i := range 25 {
			d := addDevice(t, s, fmt.Sprintf("0004f20000%02x", i), slices.Repeat([]string{"101"}, i%3)...)
			made[d.ID] = d
		}
		read := map[string]phone.Device{}
		var ids []string
		for after := ""; ; after = ids[len(ids)-1] {
			page := must[[]phone.Device](t)(s.Devices(t.Context(), after, 7))
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				ids, read[d.ID] = append(ids, d.ID), d
			}
		}
		if !slices.IsSorted(ids) || len(ids) != len(made) {
			t.Errorf("%d ids, sorted %v", len(ids), slices.IsSorted(ids))
		}
		if diff := cmp.Diff(made, read, secrets, cmp.Comparer(slices.Equal[[]phone.Line])); diff != "" {
			t.Errorf("pages (-made +read):\n%s", diff)
		}
		if nDevices, nExtensions, err := s.Counts(t.Context()); nDevices != 25 || nExtensions != 1 || err != nil {
			t.Errorf("counts %d, %d, %v", nDevices, nExtensions, err)
		}
	})
}

// Phones that enroll at once, on two nodes, get an extension each, lowest first.
func TestEnroll(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		nodes := []*Store{d.open(t), d.open(t)}
		_, err := nodes[0].NextFreeExtension(t.Context())
		wantErr(t, err, phone.ErrNotFound)
		for i := range 20 {
			addExtension(t, nodes[0], fmt.Sprint(95+i), "")
		}
		addDevice(t, nodes[0], "0004f2000001", "95")
		if number, err := nodes[1].NextFreeExtension(t.Context()); err != nil || number != "96" {
			t.Errorf("next is %s, %v", number, err)
		}
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			got = map[string]int{}
		)
		for i := range 20 {
			wg.Go(func() {
				m := mac(t, fmt.Sprintf("805ec00000%02x", i))
				made, err := nodes[i%2].EnrollDevice(t.Context(), phone.Device{MAC: m})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					got[fmt.Sprint(errors.Is(err, phone.ErrNotFound))]++
					return
				}
				got[made.Lines[0].Extension]++
			})
		}
		wg.Wait()
		want := map[string]int{"true": 1} // 20 phones for 19 extensions
		for i := range 19 {
			want[fmt.Sprint(96+i)] = 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("extensions (-want +got):\n%s", diff)
		}
	})
}

func TestImportDevices(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		addExtension(t, s, "101", "")
		rows := make([]phone.Device, 600)
		for i := range rows {
			rows[i] = phone.Device{MAC: mac(t, fmt.Sprintf("0004f200%04x", i)), Lines: []phone.Line{{Extension: "101"}}}
		}
		rows[7].Lines[0].Extension = "102"
		_, bad, err := s.CreateDevices(t.Context(), rows, false)
		if err != nil || len(bad) != 1 || bad[0].Row != 7 {
			t.Fatal(bad, err)
		}
		wantField(t, bad[0].Err, "lines[0].extensionNumber")
		rows[7].Lines[0].Extension = "101"
		made, bad, err := s.CreateDevices(t.Context(), rows, false)
		if err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
		if rows[7].Lines[0].AuthUser != "" || rows[7].Lines[0].Number != 0 {
			t.Error("the caller's rows were changed")
		}
		if n, _, err := s.Counts(t.Context()); n != 600 || err != nil {
			t.Fatal(n, err)
		}
		if page := must[[]phone.Device](t)(s.Devices(t.Context(), "", 1000)); len(page) != len(rows) {
			t.Errorf("a page of %d, want %d", len(page), len(rows))
		}
		if got := must[phone.Device](t)(s.DeviceByMAC(t.Context(), rows[7].MAC)); got.ID != made[7].ID {
			t.Errorf("row 7 is %s, made %s", got.ID, made[7].ID)
		}
	})
}
