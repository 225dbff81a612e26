package inventory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// BenchmarkCost is what one thing that a phone does costs each engine, in CPU time of our
// process and of PostgreSQL's: docs/OPERATIONS.md sizes installations with it. Many
// callers share commits, as they do when many phones boot.
func BenchmarkCost(b *testing.B) {
	const phones, callers = 10_000, 64
	macOf := func(n uint32) phone.MAC { return phone.MAC{0, 4, 0xf2, 1, byte(n >> 8), byte(n)} }
	for _, what := range []struct {
		name string
		do   func(s *Store, n uint32, devices []phone.Device) error
	}{
		{"event", func(s *Store, n uint32, _ []phone.Device) error {
			for len(s.events.queue) > eventQueue/2 { // as fast as it is stored, and no faster
				if err := s.Flush(b.Context()); err != nil {
					return err
				}
			}
			s.Record(phone.Event{
				Kind: phone.EventFile, MAC: macOf(n % phones), Proto: "http", Path: fmt.Sprintf("0004f201%04x.cfg", n%phones), Outcome: "ok",
				Status: 200, Bytes: 8000, Millis: 2, Revision: 1, UserAgent: "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:01", Source: fmt.Sprintf("10.0.0.1:%d", n%50000),
			})
			return nil
		}},
		{"lease", func(s *Store, n uint32, _ []phone.Device) error {
			n %= phones
			return s.SaveLease(b.Context(), phone.Lease{MAC: macOf(n), IP: fmt.Sprintf("10.0.%d.%d", n/250, n%250), ExpiresAt: time.Now().Add(time.Hour)})
		}},
		{"credential-miss", func(s *Store, n uint32, devices []phone.Device) error {
			user := devices[n%phones].Lines[0].AuthUser
			s.credentials.drop(user)
			_, err := s.Credential(b.Context(), user)
			return err
		}},
		{"device-miss", func(s *Store, n uint32, devices []phone.Device) error {
			s.devices.drop(devices[n%phones].MAC)
			_, err := s.DeviceByMAC(b.Context(), devices[n%phones].MAC)
			return err
		}},
		{"state", func(s *Store, n uint32, devices []phone.Device) error {
			return s.SaveDeviceState(b.Context(), phone.DeviceState{
				DeviceID: devices[n%phones].ID, LastRegistered: time.Now(), UserAgent: "Yealink SIP-T46S 66.86.0.15", IPAddress: "10.0.0.1",
				Contact: "sip:101@10.0.0.1:5060", Transport: "udp", LastProvisioned: time.Now(), ProvisionedRevision: 1,
			})
		}},
	} {
		b.Run(what.name, func(b *testing.B) {
			eachEngineBench(b, func(b *testing.B, s *Store) {
				devices := officeOf(b, s, phones, macOf)
				var serial atomic.Uint32
				var wg sync.WaitGroup
				own, server := ownCPU(b), postgres.CPU()
				b.ResetTimer()
				for range callers {
					wg.Go(func() {
						for n := serial.Add(1); int(n) <= b.N; n = serial.Add(1) {
							if err := what.do(s, n, devices); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				if err := s.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
				b.ReportMetric(per(ownCPU(b)-own), "own-us/op")
				b.ReportMetric(per(postgres.CPU()-server), "server-us/op")
			})
		})
	}
}

// officeOf imports phones with a line each.
func officeOf(b *testing.B, s *Store, n int, macOf func(uint32) phone.MAC) []phone.Device {
	b.Helper()
	extensions, devices := make([]phone.Extension, n), make([]phone.Device, n)
	for i := range n {
		extensions[i].Number = fmt.Sprintf("1%05d", i)
		devices[i] = phone.Device{MAC: macOf(uint32(i)), Lines: []phone.Line{{Extension: extensions[i].Number}}}
	}
	if _, bad, err := s.CreateExtensions(b.Context(), extensions, false); err != nil || len(bad) > 0 {
		b.Fatal(bad, err)
	}
	made, bad, err := s.CreateDevices(b.Context(), devices, false)
	if err != nil || len(bad) > 0 {
		b.Fatal(bad, err)
	}
	return made
}

// ownCPU is the CPU time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
