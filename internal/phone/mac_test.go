package phone

import (
	"errors"
	"testing"
)

func TestParseMAC(t *testing.T) {
	t.Parallel()
	want := MAC{0x00, 0x04, 0xf2, 0xab, 0x0d, 0xef}
	for _, s := range []string{
		"00:04:F2:AB:0D:EF", "0004f2ab0def", "00-04-f2-ab-0d-ef", "0004.f2ab.0def", "00 04 f2 ab 0d ef", "00_04_F2_ab_0d_ef",
		"00%3A04%3af2%3Aab%3A0d%3Aef", "0:4:f2:ab:d:ef", "0-4-f2-ab-d-ef", " 00:04:f2:ab:0d:ef ", "0004f2-ab0def",
	} {
		if m, err := ParseMAC(s); err != nil || m != want {
			t.Errorf("ParseMAC(%q) = %v, %v, want %v", s, m, err, want)
		}
	}
	for _, s := range []string{
		"", "00:04:f2:ab:0d", "00:04:f2:ab:0d:ef:01", "00:04:f2:ab:0d:", ":04:f2:ab:0d:ef", "004:4:f2:ab:d:ef", "+0:4:f2:ab:d:ef",
		"0.4.f2.ab.d.ef", "0:4-f2:ab:d:ef", "0x:4:f2:ab:d:ef", "0004f2ab0de", "0004f2ab0def0", "0004f2ab0deg",
	} {
		if m, err := ParseMAC(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseMAC(%q) = %v, %v, want ErrInvalid", s, m, err)
		}
	}
}
