package provision

import (
	"slices"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// unsaidValues are values with the warning that they get, of a phone and of the layer
// of its model.
var unsaidValues = []struct {
	vendor             phone.Vendor
	model, name, value string
	want               string
}{
	{phone.Yealink, "T46S", "language", "NL", "settings.language: phones of Yealink have no nl; they stay at their own"},
	{phone.Yealink, "T46S", "language", "de", ""},
	{phone.Polycom, "VVX 450", "language", "nl", ""},
	{phone.Polycom, "VVX 450", "codecs", "g722,g726", "settings.codecs: phones of Polycom have no g726; it is left out"},
	{phone.Polycom, "VVX 450", "codecs+", "g723", "settings.codecs+: phones of Polycom have no g723; it is left out"},
	{phone.Polycom, "VVX 450", "codecs", "opus", ""},
	{phone.Polycom, "VVX 450", "lines.2.dtmf", "info", "settings.lines.2.dtmf: phones of Polycom have one dtmf for all lines; that of line 1 counts"},
	{phone.Polycom, "VVX 450", "lines.1.dtmf", "info", ""},
	{phone.Polycom, "VVX 450", "keys.2.type", "dtmf", "settings.keys.2.type: phones of Polycom have no dtmf; the key does nothing"},
	{phone.Polycom, "VVX 450", "volume.ring", "3", "settings.volume.ring: phones of Polycom have no parameter for it"},
	{phone.Grandstream, "GXP2170", "provisioning.daily", "03:30", "settings.provisioning.daily: phones of Grandstream know the hour alone; it is 03:00"},
	{phone.Grandstream, "HT802", "ring", "2", "settings.ring: phones of Grandstream have no parameter for it on the HT802; it is left out"},
	{phone.Grandstream, "HT802", "lines.2.codecs", "pcmu,pcma,g722,g729,opus,ilbc,g726", "settings.lines.2.codecs: phones of Grandstream have 6 places for codecs; g726 is left out"},
	{phone.Grandstream, "HT802", "lines.1.codecs", "pcmu,pcma,g722,g729,opus,ilbc,g726", ""},
	{phone.Grandstream, "GXV3350", "lines.7.ring", "2", "settings.lines.7.ring: phones of Grandstream have no parameters for line 7; it is left out"},
	{phone.Grandstream, "GXP1630", "keys.1.type", "park", "settings.keys.1.type: no parameter is known that makes this key of the GXP1630 a park; it is left out"},
}

// A value that the phones cannot take is warned of, of a phone and of a layer.
func TestValuesThatCannotBeSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range unsaidValues {
		set := map[string]string{tt.name: tt.value}
		warnings, err := b.CheckPhone(phone.Device{Vendor: tt.vendor, Model: tt.model, Settings: set})
		if got := strings.Join(warnings, "|"); err != nil || got != tt.want {
			t.Errorf("%s %s=%s: %v, %q", tt.model, tt.name, tt.value, err, got)
		}
		warnings, err = b.CheckLayer("model", strings.ReplaceAll(tt.model, " ", ""), set)
		if got := strings.Join(warnings, "|"); err != nil || got != tt.want {
			t.Errorf("layer of %s %s=%s: %v, %q", tt.model, tt.name, tt.value, err, got)
		}
	}
	warnings, err := b.CheckLayer("global", "", map[string]string{"language": "nl", "volume.keep": "1", "keys.1.type": "line"})
	want := []string{
		"settings.keys.1.type: no parameter is known that makes this key of the",
		"settings.language: phones of Yealink have no nl; they stay at their own",
		"settings.volume.keep: phones of Grandstream have no parameter for it",
		"settings.volume.keep: phones of Yealink have no parameter for it",
	}
	slices.Sort(warnings)
	if err != nil || !slices.EqualFunc(warnings, want, strings.HasPrefix) {
		t.Errorf("for all: %v, %q", err, warnings)
	}
}
