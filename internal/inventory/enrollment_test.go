package inventory

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// The window lets in as many phones as it says, each once, until it closes.
func TestEnrollmentWindow(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		if _, err := s.Enrollment(t.Context()); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("a window nobody opened: %v", err)
		}
		if err := s.CloseEnrollment(t.Context()); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("closing it: %v", err)
		}
		want := phone.Enrollment{Phones: 3, Auto: true, Subnet: netip.MustParsePrefix("192.0.2.0/24"), ClosesAt: s.now().Add(time.Hour)}
		opened, err := s.OpenEnrollment(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Enrollment(t.Context())
		if diff := cmp.Diff(opened, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" || !got.Auto {
			t.Errorf("%v (-opened +read):\n%s", err, diff)
		}
		if _, err := s.OpenEnrollment(t.Context(), want); !errors.Is(err, phone.ErrConflict) {
			t.Errorf("a second window: %v", err)
		}
		var in atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ok, err := s.AdmitPhone(t.Context(), opened.ID, phone.MAC{0, 4, 0xf2, 0, 0, byte(i % 10)})
				if err != nil {
					t.Error(err)
				}
				if ok {
					in.Add(1)
				}
			})
		}
		wg.Wait()
		if got, err := s.Enrollment(t.Context()); err != nil || got.Taken != 3 || in.Load() < 3 {
			t.Errorf("%d let in, %+v, %v", in.Load(), got, err)
		}
		// A full one makes way.
		opened, err = s.OpenEnrollment(t.Context(), phone.Enrollment{Phones: 1, ClosesAt: s.now().Add(-time.Second)})
		if err != nil || opened.Taken != 0 {
			t.Fatalf("%+v, %v", opened, err)
		}
		if ok, err := s.AdmitPhone(t.Context(), opened.ID, phone.MAC{0, 4, 0xf2, 0, 0, 1}); ok || err != nil {
			t.Errorf("let in after its time: %t, %v", ok, err)
		}
		if opened, err = s.OpenEnrollment(t.Context(), phone.Enrollment{Phones: 1, ClosesAt: s.now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.AdmitPhone(t.Context(), "enroll_another", phone.MAC{0, 4, 0xf2, 0, 0, 1}); ok || err != nil {
			t.Errorf("let into another window: %t, %v", ok, err)
		}
		if err := s.CloseEnrollment(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Enrollment(t.Context()); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("after closing: %v", err)
		}
	})
}
