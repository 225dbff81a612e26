package roster

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// crowd fills a house with a mixed crowd of phones.
func crowd(t testing.TB) *house {
	h := build(t, newStore())
	models := map[phone.Vendor]string{phone.Polycom: "VVX 450", phone.Yealink: "T46S", phone.Grandstream: "GXP2135"}
	for i := range 30 {
		v := phone.Vendors()[i%3]
		d := sample(i, v, models[v], fmt.Sprint(100+i))
		d.Name, d.Site = fmt.Sprintf("Desk %02d", i), "Berlin"
		h.ExtensionChanged(phone.Extension{Number: fmt.Sprint(100 + i), Name: fmt.Sprintf("Üser Nr%02d", i)})
		h.DeviceChanged(d)
		if i%2 == 0 {
			h.register(contactOf(fmt.Sprint(100+i), fmt.Sprintf("10.0.1.%d", i), as(fmt.Sprintf("l%d_1", i))))
		}
	}
	for i := range 10 {
		h.register(contactOf("101", fmt.Sprintf("192.0.2.%d", i+1), ua(jssip)))
	}
	return h
}

func TestFilters(t *testing.T) {
	t.Parallel()
	h := crowd(t)
	yes, no := true, false
	mac := sample(7, phone.Yealink, "").MAC
	none := phone.MAC{1, 2, 3, 4, 5, 6}
	tests := []struct {
		name string
		f    Filter
		want int
	}{
		{"all", Filter{}, 40},
		{"registered", Filter{Registered: &yes}, 25},
		{"not registered", Filter{Registered: &no}, 15},
		{"type", Filter{DeviceType: "webrtc"}, 10},
		{"no such type", Filter{DeviceType: "fax"}, 0},
		{"manufacturer", Filter{Manufacturer: "Polycom"}, 10},
		{"manufacturer in any case", Filter{Manufacturer: "polycom"}, 10},
		{"no such manufacturer", Filter{Manufacturer: "Acme"}, 0},
		{"model", Filter{Model: "VVX 450"}, 10},
		{"model spelled otherwise", Filter{Model: "vvx450"}, 10},
		{"part of a model", Filter{Model: "VVX"}, 0},
		{"extension", Filter{Extension: "101"}, 11},
		{"extension and registered", Filter{Extension: "101", Registered: &no}, 1},
		{"no such extension", Filter{Extension: "1"}, 0},
		{"mac", Filter{MAC: &mac}, 1},
		{"mac and extension", Filter{MAC: &mac, Extension: "107"}, 1},
		{"mac and another extension", Filter{MAC: &mac, Extension: "108"}, 0},
		{"no such mac", Filter{MAC: &none}, 0},
		{"state", Filter{State: StateExpected}, 15},
		{"no such state", Filter{State: "broken"}, 0},
		{"without drift", Filter{Drift: &no}, 40},
		{"search name", Filter{Q: "desk 07"}, 1},
		{"search extension name, any case", Filter{Q: "üSER nr07"}, 1},
		{"search mac with dashes", Filter{Q: "80-5E-C0-00-00-07"}, 1},
		{"search mac, part with colons", Filter{Q: "c0:00:00:07"}, 1},
		{"search mac, all of it", Filter{Q: "80:5E:C0:00:00:07"}, 1},
		{"search mac with dots", Filter{Q: "805e.c000.0007"}, 1},
		{"search a short word", Filter{Q: "07 t4"}, 1},
		{"search address", Filter{Q: "192.0.2."}, 10},
		{"search model", Filter{Q: "vvx"}, 10},
		{"search user agent", Filter{Q: "jssip 3.10"}, 10},
		{"search site and model", Filter{Q: "berlin t46s"}, 10},
		{"search nothing", Filter{Q: "zzz"}, 0},
		{"search blanks", Filter{Q: "  "}, 40},
		{"combined", Filter{Registered: &yes, Manufacturer: "Yealink", Q: "desk"}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := h.all(tt.f)
			if len(list) != tt.want {
				t.Errorf("%d phones, want %d", len(list), tt.want)
			}
			if !slices.IsSortedFunc(list, func(a, b Phone) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) }) {
				t.Error("not in the order of ids")
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := crowd(t)
	for _, limit := range []int{1, 7, 39, 40, 41, 500, 100000} {
		seen := map[string]bool{}
		pages := 0
		for cursor := ""; ; pages++ {
			page, next, err := h.List(Filter{}, cursor, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page {
				if seen[p.ID] {
					t.Fatalf("limit %d: %s comes twice", limit, p.ID)
				}
				seen[p.ID] = true
			}
			if cursor = next; next == "" {
				break
			}
		}
		if len(seen) != 40 || pages != (40-1)/min(limit, 40) {
			t.Errorf("limit %d: %d phones on %d pages", limit, len(seen), pages+1)
		}
	}
	page, next, err := h.List(Filter{}, "", 0)
	if err != nil || len(page) != 40 || next != "" {
		t.Errorf("default limit: %d phones, next %q, %v", len(page), next, err)
	}
}

// A phone that the cursor names may be gone when the next page is asked for.
func TestCursorOfAPhoneThatIsGone(t *testing.T) {
	t.Parallel()
	h := crowd(t)
	page, next, err := h.List(Filter{Manufacturer: "Polycom"}, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	h.DeviceDeleted(page[3].ID)
	rest, _, err := h.List(Filter{Manufacturer: "Polycom"}, next, 100)
	if err != nil || len(rest) != 6 || rest[0].ID <= page[3].ID {
		t.Errorf("%d phones follow, %v", len(rest), err)
	}
}

func TestBadCursor(t *testing.T) {
	t.Parallel()
	h := crowd(t)
	enc := base64.RawURLEncoding.EncodeToString
	for _, cursor := range []string{"x", "%%%", enc([]byte("phone_1")), enc([]byte("2phone_1")), enc([]byte("1device_1")), enc(append([]byte("1phone_"), make([]byte, 500)...))} {
		_, _, err := h.List(Filter{}, cursor, 10)
		var field *phone.FieldError
		if !errors.As(err, &field) || field.Field != "cursor" {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}
