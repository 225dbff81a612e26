package inventory

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func romOf(version, content string) phone.FirmwareImage {
	return phone.FirmwareImage{
		Vendor: phone.Yealink, Models: []string{"T46S", "T48S"}, Version: version, Requires: "66.80.0.1",
		Name: "T46S(T48S)-" + version + ".rom", Size: 7, SHA256: strings.Repeat(content, 64), UploadedBy: "admin",
	}
}

// An image is stored once, under one name and version, and never overwritten.
func TestFirmware(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var told []Change
		s.OnChange(func(c Change) { told = append(told, c) })
		first, created, err := s.CreateFirmware(ctx, romOf("66.86.0.15", "a"))
		if err != nil || !created || !strings.HasPrefix(first.ID, "fw_") || first.UploadedAt.IsZero() {
			t.Fatalf("%+v, %v, %v", first, created, err)
		}
		if again, created, err := s.CreateFirmware(ctx, romOf("66.86.0.15", "a")); err != nil || created || again.ID != first.ID {
			t.Errorf("again: %+v, %v, %v", again, created, err)
		}
		for name, i := range map[string]phone.FirmwareImage{
			"other content": romOf("66.86.0.15", "b"), "other version": romOf("66.86.0.16", "a"),
			"other case": func() phone.FirmwareImage {
				i := romOf("66.86.0.15", "c")
				i.Name = strings.ToUpper(i.Name)
				return i
			}(),
		} {
			if _, _, err := s.CreateFirmware(ctx, i); !errors.Is(err, phone.ErrConflict) || !strings.Contains(err.Error(), first.ID) {
				t.Errorf("%s: %v", name, err)
			}
		}
		bad := romOf("66.86.0.17\n", "d")
		_, _, err = s.CreateFirmware(ctx, bad)
		wantField(t, err, "version")
		// Grandstream phones ask for one name whatever the version.
		second := must[phone.FirmwareImage](t)(first2(s.CreateFirmware(ctx, romOf("66.86.0.20", "e"))))
		list, err := s.Firmware(ctx)
		want := []phone.FirmwareImage{first, second}
		slices.SortFunc(want, func(a, b phone.FirmwareImage) int { // both may be of the same millisecond
			if c := a.UploadedAt.Compare(b.UploadedAt); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		if diff := cmp.Diff(want, list); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if gone := must[phone.FirmwareImage](t)(s.DeleteFirmware(ctx, second.ID)); gone.SHA256 != second.SHA256 {
			t.Errorf("%+v", gone)
		}
		_, err = s.DeleteFirmware(ctx, second.ID)
		wantErr(t, err, phone.ErrNotFound)
		if diff := cmp.Diff([]Change{
			{Kind: ChangeFirmware, ID: first.ID}, {Kind: ChangeFirmware, ID: second.ID}, {Kind: ChangeFirmware, ID: second.ID, Deleted: true},
		}, told); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func first2[T any](v T, _ bool, err error) (T, error) { return v, err }

// A target names an image that is there, which then cannot be deleted.
func TestFirmwareTargets(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		old := must[phone.FirmwareImage](t)(first2(s.CreateFirmware(ctx, romOf("66.85.0.5", "a"))))
		young := must[phone.FirmwareImage](t)(first2(s.CreateFirmware(ctx, romOf("66.86.0.15", "b"))))
		target := phone.FirmwareTarget{Vendor: phone.Yealink, Model: "T46S", Key: "T46S", ImageID: "fw_none", UpdatedBy: "admin"}
		_, err := s.PutFirmwareTarget(ctx, target, nil)
		wantField(t, err, "firmwareId")
		target.ImageID = old.ID
		must[phone.FirmwareTarget](t)(s.PutFirmwareTarget(ctx, target, nil))
		target.ImageID, target.FallbackID, target.JobID, target.AllowDowngrade = young.ID, old.ID, "job_x", true
		target = must[phone.FirmwareTarget](t)(s.PutFirmwareTarget(ctx, target, nil))
		other := target
		other.Hardware, other.FallbackID = "V1.6B", ""
		other = must[phone.FirmwareTarget](t)(s.PutFirmwareTarget(ctx, other, nil))
		list, err := s.FirmwareTargets(ctx)
		if diff := cmp.Diff([]phone.FirmwareTarget{target, other}, list); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for _, id := range []string{old.ID, young.ID} { // the fallback as well
			if _, err := s.DeleteFirmware(ctx, id); !errors.Is(err, phone.ErrConflict) {
				t.Errorf("deleted a target: %v", err)
			}
		}
		if err := s.EndFirmwareRollout(ctx, "job_x"); err != nil {
			t.Fatal(err)
		}
		for _, open := range must[[]phone.FirmwareTarget](t)(s.FirmwareTargets(ctx)) {
			if open.JobID != "" || open.FallbackID != "" || open.ImageID != young.ID {
				t.Errorf("after the rollout: %+v", open)
			}
		}
		late := errors.New("changed since")
		seen := func(stored phone.FirmwareTarget) error {
			if !stored.UpdatedAt.Equal(target.UpdatedAt) {
				return late
			}
			return nil
		}
		changed := must[phone.FirmwareTarget](t)(s.PutFirmwareTarget(ctx, target, seen))
		if !changed.UpdatedAt.After(target.UpdatedAt) {
			t.Errorf("changed at %v, before at %v", changed.UpdatedAt, target.UpdatedAt)
		}
		_, err = s.PutFirmwareTarget(ctx, target, seen)
		wantErr(t, err, late)
		wantErr(t, s.DeleteFirmwareTarget(ctx, phone.Yealink, "T46S", "", seen), late)
		for _, hardware := range []string{"", "V1.6B"} {
			if err := s.DeleteFirmwareTarget(ctx, phone.Yealink, "T46S", hardware, nil); err != nil {
				t.Error(err)
			}
		}
		wantErr(t, s.DeleteFirmwareTarget(ctx, phone.Yealink, "T46S", "", nil), phone.ErrNotFound)
		must[phone.FirmwareImage](t)(s.DeleteFirmware(ctx, old.ID))
	})
}

// What is known of a phone's firmware survives a restart.
func TestFirmwareState(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		ctx := t.Context()
		s := d.open(t)
		m := mac(t, "001565aabb01")
		_, err := s.FirmwareState(ctx, m)
		wantErr(t, err, phone.ErrNotFound)
		want := phone.FirmwareState{MAC: m}
		for range 2 {
			_, err := s.UpdateFirmwareState(ctx, m, func(now time.Time, f *phone.FirmwareState) {
				f.Admitted, f.Fetched, f.Version, f.StoppedAt = "fw_a", "fw_b", "66.85.0.5", now
				f.Fetches = append(f.Fetches, now)
				want = *f
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = d.open(t)
		list, err := s.FirmwareStates(ctx)
		if diff := cmp.Diff([]phone.FirmwareState{want}, list); diff != "" || err != nil || len(want.Fetches) != 2 {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if one, err := s.FirmwareState(ctx, m); err != nil || !cmp.Equal(one, want) {
			t.Errorf("%+v, %v", one, err)
		}
	})
}
