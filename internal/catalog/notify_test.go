package catalog

import (
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	for v, want := range map[phone.Vendor][2]string{
		phone.Polycom:     {"check-sync", "check-sync"},
		phone.Yealink:     {"check-sync;reboot=false", "check-sync;reboot=true"},
		phone.Grandstream: {"check-sync", "check-sync;reboot=true"},
		"cisco":           {"resync", "reboot"},
		"snom":            {"check-sync;reboot=false", "check-sync;reboot=true"},
		"":                {"check-sync", "check-sync;reboot=true"},
	} {
		if got := [2]string{Event(v, false), Event(v, true)}; got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
}
