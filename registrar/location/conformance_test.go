package location_test

import (
	"testing"

	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/location/locationtest"
)

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	locationtest.Run(t, func(t *testing.T) location.Store {
		return newMemory(t, location.MemoryOptions{Dir: t.TempDir()})
	})
}

func TestMemoryWithoutDirectoryConforms(t *testing.T) {
	t.Parallel()
	locationtest.Run(t, func(t *testing.T) location.Store { return newMemory(t, location.MemoryOptions{}) })
}

func newMemory(t testing.TB, opts location.MemoryOptions) *location.Memory {
	t.Helper()
	s, err := location.NewMemory(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
