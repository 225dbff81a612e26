package inventory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// Changes are told after the commit, in order, before the write returns.
func TestOnChange(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var got []Change
		s.OnChange(func(c Change) {
			if c.Kind == ChangeDevice {
				_, err := s.Device(ctx, c.ID) // reads are allowed and see the commit
				if (err == nil) == c.Deleted {
					t.Errorf("%+v: reads %v", c, err)
				}
			}
			got = append(got, c)
		})
		s.OnChange(func(Change) { panic("a hearer must not harm the store") })
		addExtension(t, s, "101", "")
		d := addDevice(t, s, "0004f2000001", "101")
		_, err := s.CreateDevice(ctx, phone.Device{MAC: d.MAC}) // refused: no change
		wantErr(t, err, phone.ErrConflict)
		must[phone.Extension](t)(s.UpdateExtension(ctx, "101", func(e *phone.Extension) error { e.Name = "x"; return nil }))
		if err := s.DeleteDevice(ctx, d.ID, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteExtension(ctx, "101", nil); err != nil {
			t.Fatal(err)
		}
		k, _, err := s.CreateKey(ctx, "key", []string{ScopePhonesRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeKey(ctx, k.ID); err != nil {
			t.Fatal(err)
		}
		want := []Change{
			{Kind: ChangeExtension, ID: "101"},
			{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC},
			{Kind: ChangeExtension, ID: "101"},
			{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC},
			{Kind: ChangeDevice, ID: d.ID, MAC: d.MAC, Deleted: true, Freed: []string{"101"}},
			{Kind: ChangeExtension, ID: "101", Deleted: true},
			{Kind: ChangeKey, ID: k.ID},
			{Kind: ChangeKey, ID: k.ID, Deleted: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// A write of one process reaches the caches and the hearers of another.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		ctx := t.Context()
		a, b := d.open(t), d.open(t)
		e := addExtension(t, a, "101", "")
		heard := make(chan Change, 100)
		b.OnChange(func(c Change) { heard <- c })
		// until does what b does when told of a change, until it sees what a wrote.
		until := func(what string, seen func() bool) {
			t.Helper()
			deadline := time.After(20 * time.Second)
			for !seen() {
				select {
				case <-heard:
				case <-deadline:
					t.Fatalf("not heard: %s", what)
				}
			}
		}
		until("the new extension", func() bool {
			_, err := b.Credential(ctx, e.SIPUsername)
			return err == nil
		})
		rotated := must[phone.Extension](t)(a.RotateCredentials(ctx, "101", true))
		until("the new password", func() bool {
			c, err := b.Credential(ctx, e.SIPUsername)
			return err == nil && c.Secret == rotated.Password
		})
		_, err := b.DeviceByMAC(ctx, mac(t, "0004f2000001"))
		wantErr(t, err, phone.ErrNotFound)
		dev := addDevice(t, a, "0004f2000001", "101")
		until("the new phone", func() bool {
			got, err := b.DeviceByMAC(ctx, dev.MAC)
			return err == nil && got.ID == dev.ID
		})
		k, text, err := a.CreateKey(ctx, "key", []string{ScopePhonesRead}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.KeyByText(ctx, text.Reveal()); err != nil {
			t.Fatal(err)
		}
		if err := a.RevokeKey(ctx, k.ID); err != nil {
			t.Fatal(err)
		}
		until("the revoked key", func() bool {
			_, err := b.KeyByText(ctx, text.Reveal())
			return err != nil
		})
	})
}

// While a writer changes a password over and over, a read that begins after a
// write has returned never gives an older one, whatever races with it.
func TestNoStaleCredential(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		e := addExtension(t, s, "101", "")
		var (
			written atomic.Int64
			stop    atomic.Bool
			wg      sync.WaitGroup
		)
		for range 2 {
			wg.Go(func() {
				for !stop.Load() {
					atLeast := written.Load()
					c, err := s.Credential(context.Background(), e.SIPUsername)
					if err != nil {
						t.Error(err)
						return
					}
					var n int64
					if _, err := fmt.Sscanf(c.Secret.Reveal(), "password %d", &n); err == nil && n < atLeast {
						t.Errorf("read password %d after %d was written", n, atLeast)
						return
					}
				}
			})
		}
		for n := range int64(100) {
			must[phone.Extension](t)(s.UpdateExtension(t.Context(), "101", func(e *phone.Extension) error {
				e.Password = phone.NewSecret(fmt.Sprintf("password %d", n))
				return nil
			}))
			written.Store(n)
		}
		stop.Store(true)
		wg.Wait()
	})
}
