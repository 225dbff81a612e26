package phone

import "testing"

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"10.1.0.5", "9.9.9.9", 1},
		{"66.86.0.15", "66.86.0.15", 0},
		{"66.85.0.5", "66.86.0.1", -1},
		{"5.9.7", "5.9.7.4477", -1},
		{"6.4.1.2280", "6.4.1", 1},
		{"1.0", "1", 0},
		{"6.3.1-rts46", "6.3.1", 1},
		{"1.0.7.97", "1.0.11.3", -1},
		{"", "0.0", 0},
		{"", "1", -1},
		{"99999999999999999999", "1", 1},
		{" 1.2 ", "1.2", 0},
	} {
		if got := CompareVersions(tt.a, tt.b); got != tt.want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := CompareVersions(tt.b, tt.a); got != -tt.want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", tt.b, tt.a, got, -tt.want)
		}
	}
}
