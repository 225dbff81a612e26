package inventory

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func BenchmarkCredentialHit(b *testing.B) {
	eachEngineBench(b, func(b *testing.B, s *Store) {
		user := addExtension(b, s, "101", "Front Desk").SIPUsername
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Credential(b.Context(), user); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkCredentialMiss(b *testing.B) {
	eachEngineBench(b, func(b *testing.B, s *Store) {
		user := addExtension(b, s, "101", "Front Desk").SIPUsername
		for b.Loop() {
			s.credentials.drop(user)
			if _, err := s.Credential(b.Context(), user); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDeviceByMACHit(b *testing.B) {
	eachEngineBench(b, func(b *testing.B, s *Store) {
		addExtension(b, s, "101", "Front Desk")
		d := addDevice(b, s, "0004f2000001", "101", "101")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.DeviceByMAC(b.Context(), d.MAC); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Group commit: many callers, each of which waits for its own lease.
func BenchmarkSaveLease(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			eachEngineBench(b, func(b *testing.B, s *Store) {
				var serial atomic.Uint32
				expires := time.Now().Add(time.Hour)
				b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, 2 where this was measured
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						n := serial.Add(1) % 50000
						l := phone.Lease{IP: fmt.Sprintf("10.0.%d.%d", n/250, n%250), ExpiresAt: expires}
						l.MAC = phone.MAC{0, 4, 0xf2, byte(n >> 16), byte(n >> 8), byte(n)}
						if err := s.SaveLease(b.Context(), l); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		})
	}
}

// A CSV import: 10,000 extensions, then 10,000 devices with a line each.
func BenchmarkImport(b *testing.B) {
	const rows = 10000
	eachEngineBench(b, func(b *testing.B, s *Store) {
		batch := 0
		for b.Loop() {
			batch++
			extensions, devices := make([]phone.Extension, rows), make([]phone.Device, rows)
			for i := range rows {
				extensions[i].Number = fmt.Sprintf("%d%05d", batch, i)
				devices[i].MAC = phone.MAC{0, 4, 0xf2, byte(batch), byte(i >> 8), byte(i)}
				devices[i].Lines = []phone.Line{{Extension: extensions[i].Number}}
			}
			if _, bad, err := s.CreateExtensions(b.Context(), extensions, false); err != nil || len(bad) > 0 {
				b.Fatal(bad, err)
			}
			if _, bad, err := s.CreateDevices(b.Context(), devices, false); err != nil || len(bad) > 0 {
				b.Fatal(bad, err)
			}
		}
	})
}
