package inventory

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func TestLeases(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		o := d.options()
		o.Now = func() time.Time { return now }
		s := openWith(t, o)
		ctx := t.Context()
		a := phone.Lease{MAC: mac(t, "0004f2000001"), IP: "10.0.0.5", ClientID: "010004f2000001", Vendor: "Polycom-VVX", ExpiresAt: now.Add(time.Hour)}
		b := phone.Lease{MAC: mac(t, "0004f2000002"), IP: "10.0.0.6", Vendor: "bad\xff\x00bytes", ExpiresAt: now.Add(-time.Hour)}
		for _, l := range []phone.Lease{b, a} {
			if err := s.SaveLease(ctx, l); err != nil {
				t.Fatal(err)
			}
		}
		b.Vendor = "bad??bytes"
		if diff := cmp.Diff([]phone.Lease{a, b}, must[[]phone.Lease](t)(s.Leases(ctx))); diff != "" {
			t.Errorf("leases (-want +got):\n%s", diff)
		}
		// A live address is nobody else's, an expired one is free.
		c := phone.Lease{MAC: mac(t, "0004f2000003"), IP: a.IP, ExpiresAt: now.Add(time.Hour)}
		wantErr(t, s.SaveLease(ctx, c), phone.ErrConflict)
		c.IP = b.IP
		if err := s.SaveLease(ctx, c); err != nil {
			t.Fatal(err)
		}
		a.IP = "10.0.0.9"
		if err := s.SaveLease(ctx, a); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]phone.Lease{a, c}, must[[]phone.Lease](t)(s.Leases(ctx))); diff != "" {
			t.Errorf("leases (-want +got):\n%s", diff)
		}
		for range 2 { // the second time there is none
			if err := s.DeleteLease(ctx, a.MAC); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]phone.Lease{c}, must[[]phone.Lease](t)(s.Leases(ctx))); diff != "" {
			t.Errorf("leases (-want +got):\n%s", diff)
		}
	})
}

// Conflicts among concurrent leases fail alone and disturb no other.
func TestConcurrentLeases(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		const n = 100
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				errs[i] = s.SaveLease(t.Context(), phone.Lease{
					MAC: mac(t, fmt.Sprintf("0004f20000%02x", i)), IP: fmt.Sprintf("10.0.0.%d", i/2),
					ExpiresAt: time.Now().Add(time.Hour),
				})
			})
		}
		wg.Wait()
		for i := 0; i < n; i += 2 {
			if (errs[i] == nil) == (errs[i+1] == nil) {
				t.Errorf("address %d: %v and %v", i/2, errs[i], errs[i+1])
			}
		}
		if got := must[[]phone.Lease](t)(s.Leases(t.Context())); len(got) != n/2 {
			t.Errorf("%d leases", len(got))
		}
	})
}

func TestSeen(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		p := phone.Seen{
			ID: "phone_a", Key: "instance:<urn:uuid:1>", Extension: "101", UserAgent: "Zoiper", IPAddress: "192.0.2.1",
			Contact: "sip:101@192.0.2.1", Transport: "udp", LastRegistered: at, CreatedAt: at,
		}
		q := phone.Seen{ID: "phone_b", Key: "k2", UserAgent: strings.Repeat("x", 600), CreatedAt: at}
		for _, v := range []phone.Seen{q, p} {
			if err := s.SaveSeen(ctx, v); err != nil {
				t.Fatal(err)
			}
		}
		p.LastRegistered = at.Add(time.Hour)
		if err := s.SaveSeen(ctx, p); err != nil {
			t.Fatal(err)
		}
		wantErr(t, s.SaveSeen(ctx, phone.Seen{ID: "phone_c", Key: "k2"}), phone.ErrConflict)
		q.UserAgent = q.UserAgent[:maxWire]
		if diff := cmp.Diff([]phone.Seen{p, q}, must[[]phone.Seen](t)(s.AllSeen(ctx))); diff != "" {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
		if err := s.DeleteSeen(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, s.DeleteSeen(ctx, p.ID), phone.ErrNotFound)
	})
}

func TestDeviceStates(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		d := addDevice(t, s, "0004f2000001")
		st := phone.DeviceState{
			DeviceID: d.ID, LastRegistered: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC), UserAgent: "PolycomVVX",
			IPAddress: "192.0.2.1", Contact: "sip:x", Transport: "tls", ProvisionedRevision: 4,
		}
		for range 2 {
			if err := s.SaveDeviceState(ctx, st); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]phone.DeviceState{st}, must[[]phone.DeviceState](t)(s.DeviceStates(ctx))); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			st.LastProvisioned = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
		}
		// Another node that has not heard of the last file tells what it has seen.
		behind := st
		behind.LastProvisioned, behind.ProvisionedRevision, behind.IPAddress = time.Time{}, 1, "192.0.2.2"
		st.IPAddress = behind.IPAddress
		if err := s.SaveDeviceState(ctx, behind); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]phone.DeviceState{st}, must[[]phone.DeviceState](t)(s.DeviceStates(ctx))); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		wantErr(t, s.SaveDeviceState(ctx, phone.DeviceState{DeviceID: "phone_gone"}), phone.ErrNotFound)
		if err := s.DeleteDevice(ctx, d.ID, nil); err != nil {
			t.Fatal(err)
		}
		if got := must[[]phone.DeviceState](t)(s.DeviceStates(ctx)); len(got) != 0 {
			t.Errorf("a deleted phone left %+v", got)
		}
	})
}
