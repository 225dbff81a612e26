package wire

import (
	"slices"
	"testing"
)

func TestControls(t *testing.T) {
	t.Parallel()
	plain := []byte("Via: SIP/2.0/UDP \xc3\xa9 \x80\xff ~ a;b")
	if controls(plain) {
		t.Errorf("%q has control bytes", plain)
	}
	for i := range plain {
		for c := range 256 {
			b := slices.Clone(plain)
			b[i] = byte(c)
			if got, want := controls(b), c < 0x20 || c == 0x7f; got != want {
				t.Fatalf("byte %#x at %d: %v", c, i, got)
			}
		}
	}
}
