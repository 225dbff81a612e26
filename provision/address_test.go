package provision

import (
	"errors"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// TestReservedAddress: the address that DHCP keeps for a phone is checked, and in no
// vendor's file.
func TestReservedAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, v := range phone.Vendors() {
		if _, err := b.CheckPhone(phone.Device{Vendor: v, Settings: map[string]string{SettingAddress: "192.0.2.50"}}); err != nil {
			t.Errorf("%s: %v", v, err)
		}
		for _, bad := range []string{"", "192.0.2", "2001:db8::1", "0.0.0.0", "224.0.1.75", "phone.site"} {
			var field *phone.FieldError
			if _, err := b.CheckPhone(phone.Device{Vendor: v, Settings: map[string]string{SettingAddress: bad}}); !errors.As(err, &field) || field.Field != "settings.dhcp.ip" {
				t.Errorf("%s: %q gives %v", v, bad, err)
			}
		}
	}
	d := device(phone.Yealink, yeaMAC)
	d.Settings = map[string]string{SettingAddress: "192.0.2.50"}
	if v, err := b.view(d, b.facts); err != nil || len(v.Raw) != 0 {
		t.Errorf("raw %v, %v", v.Raw, err)
	}
}
