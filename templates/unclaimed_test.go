package templates

import (
	"path/filepath"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// The file of a phone that nobody provisioned shows its claim code, asks again and
// holds nothing that is worth having, whatever the view has.
func TestUnclaimed(t *testing.T) {
	t.Parallel()
	names := map[phone.Vendor]string{phone.Polycom: "0004f2abcdef-dialtone.cfg", phone.Yealink: "805ec0aabbcc.cfg", phone.Grandstream: "cfg000b82123456.xml"}
	for vendor, file := range names {
		v := everything(t, vendor)
		v.Name = "Code 123456"
		text := render(t, string(vendor)+"/unclaimed", v)
		golden(t, filepath.Join(string(vendor), "unclaimed", file), text)
		for _, l := range v.Lines {
			if strings.Contains(text, l.AuthUser) || strings.Contains(text, l.Password.Reveal()) {
				t.Errorf("%s has an account:\n%s", vendor, text)
			}
		}
		if strings.Count(text, "Code 123456") != 2 {
			t.Errorf("%s does not show the code:\n%s", vendor, text)
		}
	}
}
