package firmware

import "testing"

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"9.0.0.1", "10.0.0.1", -1},
		{"66.85.0.5", "66.85.0.15", -1},
		{"66.86.0.15", "66.85.0.150", 1},
		{"1.0.11.85", "1.0.9.132", 1},
		{"1.0.3.25-android", "1.0.3.27-android", -1},
		{"1.0.3.25-android", "1.0.3.25", 1},
		{"5.9.7", "5.9.7.4477", -1},
		{"V1.2", "v1.2", 0},
		{"01.002", "1.2", 0},
		{"99999999999999999999.1", "100000000000000000000.1", -1},
		{"1.0.beta", "1.0.3", -1},
		{"", "1", -1},
		{"", "", 0},
		{"108.86.0.90", "108.86.0.90", 0},
	} {
		if got := Compare(tt.a, tt.b); got != tt.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := Compare(tt.b, tt.a); got != -tt.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", tt.b, tt.a, got, -tt.want)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"6.4.5", "6.4.5.2373", true},
		{"6.4.5", "6.4.50", false},
		{"66.86.0.15", "66.86.0.15", true},
		{"66.86.0.15", "66.86.0.16", false},
		{"", "1", false},
		{"", "", false},
	} {
		if got := Same(tt.a, tt.b); got != tt.want {
			t.Errorf("Same(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
