package app

import "testing"

// TestPercentFor: a small heap may have 128 MiB of garbage, within four times and
// once its size.
func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 10 << 20: 400, 32 << 20: 400, 64 << 20: 200, 100 << 20: 120, 128 << 20: 100, 4 << 30: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("percentFor(%d MiB) = %d, want %d", live>>20, got, want)
		}
	}
}
