package provision

import (
	"io"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// Credentials that are a phone's own count as a token, for that phone's files only,
// and stand in its file.
func TestCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.Secrets = AssureToken
		o.Credentials = func(m phone.MAC) (string, phone.Secret) { return m.Hex(), phone.NewSecret("provision-secret") }
	})
	other := phone.MAC{1, 2, 3, 4, 5, 6}
	for _, tt := range []struct {
		auth phone.MAC
		ok   bool
	}{{yeaMAC, true}, {other, false}, {phone.MAC{}, false}} {
		f, err := b.Get(t.Context(), Request{Path: yeaMAC.Hex() + ".cfg", AuthMAC: tt.auth})
		if (err == nil) != tt.ok {
			t.Errorf("credentials of %v give %v", tt.auth, err)
		}
		if err != nil {
			continue
		}
		text, err := io.ReadAll(f.Body)
		if err != nil || !strings.Contains(string(text), "static.auto_provision.server.password = provision-secret\n") {
			t.Errorf("%v, file is %s", err, text)
		}
	}
}
