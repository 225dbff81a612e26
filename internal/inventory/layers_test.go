package inventory

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

func TestLayers(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		yealink := mustCreate(t, s, phone.Device{MAC: phone.MAC{0x80, 0x5e, 0xc0, 0, 0, 1}, Vendor: phone.Yealink, Model: "SIP-T46S", Site: "Berlin"})
		polycom := mustCreate(t, s, phone.Device{
			MAC: phone.MAC{0x00, 0x04, 0xf2, 0, 0, 2}, Vendor: phone.Polycom, Model: "VVX 450", Site: "Paris",
			Settings: map[string]string{"group": `50%_"sales"`},
		})
		liar := mustCreate(t, s, phone.Device{
			MAC: phone.MAC{0x00, 0x04, 0xf2, 0, 0, 3}, Vendor: phone.Polycom,
			Settings: map[string]string{"label": `"group":"50%_\"sales\""`},
		})
		none := func(phone.Vendor, string) bool { return false }
		t46 := func(_ phone.Vendor, model string) bool { return model == "SIP-T46S" }
		var last int64
		for _, tt := range []struct {
			scope, name string
			affects     phone.Affects
			want        []string // ids whose revision grows
		}{
			{"global", "", none, []string{yealink.ID, polycom.ID, liar.ID}},
			{"site", "Berlin", none, []string{yealink.ID}},
			{"vendor", "polycom", none, []string{polycom.ID, liar.ID}},
			{"model", "T46S", t46, []string{yealink.ID}},
			{"model", "T48S", none, nil},
			{"group", `50%_"sales"`, none, []string{polycom.ID}},
			{"group", "5", none, nil},
		} {
			before := revisions(t, s)
			l, err := putLayer(t, s, phone.Layer{Scope: tt.scope, Name: tt.name, Settings: map[string]string{"ntp": "one", "adminPassword": "layer-secret"}}, tt.affects)
			if err != nil || l.Revision <= last {
				t.Fatalf("%s/%s: %+v, %v", tt.scope, tt.name, l, err)
			}
			last = l.Revision
			if diff := cmp.Diff(grown(before, tt.want), revisions(t, s)); diff != "" {
				t.Errorf("%s/%s (-want +got):\n%s", tt.scope, tt.name, diff)
			}
			before = revisions(t, s)
			if _, err := putLayer(t, s, l, tt.affects); err != nil || cmp.Diff(before, revisions(t, s)) != "" {
				t.Errorf("the same %s/%s again: %v, %s", tt.scope, tt.name, err, cmp.Diff(before, revisions(t, s)))
			}
			if got, err := s.Layer(ctx, tt.scope, tt.name); err != nil || cmp.Diff(l, got) != "" {
				t.Errorf("Layer(%s, %s): %v\n%s", tt.scope, tt.name, err, cmp.Diff(l, got))
			}
		}
		all, revision, err := s.Layers(ctx)
		if err != nil || len(all) != 7 || revision != last {
			t.Errorf("%d layers, revision %d, %v; want 7 and %d", len(all), revision, err, last)
		}
		before := revisions(t, s)
		if err := s.DeleteLayer(ctx, "site", "Berlin", nil, none); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(grown(before, []string{yealink.ID}), revisions(t, s)); diff != "" {
			t.Errorf("delete (-want +got):\n%s", diff)
		}
		if _, after, err := s.Layers(ctx); err != nil || after <= revision {
			t.Errorf("revision %d after %d, %v", after, revision, err)
		}
		if err := s.DeleteLayer(ctx, "site", "Berlin", nil, none); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := s.Layer(ctx, "site", "Berlin"); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("a deleted layer: %v", err)
		}
		if _, err := putLayer(t, s, phone.Layer{Scope: "site", Name: "x\ny"}, none); !errors.Is(err, phone.ErrInvalid) {
			t.Errorf("a bad name: %v", err)
		}
	})
}

// Nobody who reads the database file learns a password from a layer.
func TestLayersAreEncrypted(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		if _, err := putLayer(t, s, phone.Layer{Scope: "global", Settings: map[string]string{"adminPassword": "layer-secret"}}, nil); err != nil {
			t.Fatal(err)
		}
		sealed, err := engine.One(s.db.Reader(t.Context()), engine.Scalar[[]byte], `SELECT settings FROM setting_layers`)
		if err != nil || strings.Contains(string(sealed), "secret") || len(sealed) < 20 {
			t.Errorf("stored as %q, %v", sealed, err)
		}
	})
}

// A change of what all phones share is told once, not once for each phone.
func TestLayerOfManyPhonesIsOneChange(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		for i := range maxEffects + 10 {
			mustCreate(t, s, phone.Device{MAC: phone.MAC{0x80, 0x5e, 0xc0, 1, byte(i >> 8), byte(i)}, Vendor: phone.Yealink})
		}
		told := 0
		s.OnChange(func(Change) { told++ })
		if _, err := putLayer(t, s, phone.Layer{Scope: "global", Settings: map[string]string{"ntp": "x"}}, nil); err != nil || told != 1 {
			t.Errorf("told %d times, %v", told, err)
		}
		d, err := s.DeviceByMAC(t.Context(), phone.MAC{0x80, 0x5e, 0xc0, 1, 0, 0})
		if err != nil || d.Revision != 2 {
			t.Errorf("revision %d, %v", d.Revision, err)
		}
	})
}

func TestDirectory(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		for _, n := range []string{"100", "9", "101"} {
			if _, err := s.CreateExtension(t.Context(), phone.Extension{Number: n, Name: "N" + n}); err != nil {
				t.Fatal(err)
			}
		}
		first, err := s.Directory(t.Context(), "", 2)
		if err != nil || len(first) != 2 || first[0].Number != "9" || first[1].Name != "N100" || !first[0].Password.IsZero() {
			t.Errorf("%+v, %v", first, err)
		}
		if rest, err := s.Directory(t.Context(), "100", 2); err != nil || len(rest) != 1 || rest[0].Number != "101" {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}

func mustCreate(t *testing.T, s *Store, d phone.Device) phone.Device {
	t.Helper()
	d, err := s.CreateDevice(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func revisions(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	list, err := s.Devices(t.Context(), "", maxPage)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, d := range list {
		out[d.ID] = d.Revision
	}
	return out
}

func grown(before map[string]int64, ids []string) map[string]int64 {
	out := map[string]int64{}
	for id, r := range before {
		out[id] = r
	}
	for _, id := range ids {
		out[id]++
	}
	return out
}

// putLayer stores a layer as it is given.
func putLayer(t *testing.T, s *Store, l phone.Layer, affects phone.Affects) (phone.Layer, error) {
	t.Helper()
	return s.PutLayer(t.Context(), l.Scope, l.Name, func(stored *phone.Layer) error {
		stored.Settings = l.Settings
		return nil
	}, affects)
}

// TestLayersAreCheckedUnderTheLock: what a writer has not seen he does not overwrite,
// however many write at once.
func TestLayersAreCheckedUnderTheLock(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		l, err := putLayer(t, s, phone.Layer{Scope: "site", Name: "Berlin", Settings: map[string]string{"ntp": "one"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		late := errors.New("changed since")
		seen := func(stored phone.Layer) error {
			if stored.Revision != l.Revision {
				return late
			}
			return nil
		}
		const writers = 8
		results := make(chan error, writers)
		for i := range writers {
			go func() {
				_, err := s.PutLayer(t.Context(), "site", "Berlin", func(stored *phone.Layer) error {
					stored.Settings["ntp"] = "writer " + string(rune('a'+i))
					return seen(*stored)
				}, nil)
				results <- err
			}()
		}
		won := 0
		for range writers {
			switch err := <-results; {
			case err == nil:
				won++
			case !errors.Is(err, late):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d writers of %d won", won, writers)
		}
		if err := s.DeleteLayer(t.Context(), "site", "Berlin", seen, nil); !errors.Is(err, late) {
			t.Errorf("deleted what was changed: %v", err)
		}
		if _, err := s.Layer(t.Context(), "site", "Berlin"); err != nil {
			t.Errorf("the layer after a delete that was refused: %v", err)
		}
	})
}
