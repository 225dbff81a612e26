package roster

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

const many = 100_000

// people are what a carrier has: the devices of three quarters of the phones,
// and the contacts of all, the rest being software of all sorts.
func people() (devices []phone.Device, bindings []location.Binding) {
	models := []string{"VVX 450", "T46S", "GXP2135"}
	texts := []string{vvx450, t46s, "Grandstream GXP2135 1.0.9.108"}
	soft := []string{"MicroSIP/3.21.4", jssip, "LinphoneiOS/4.3.0 (a phone) LinphoneSDK/4.4.0", "Z 5.6.1 v2.10.19.9"}
	for i := range many {
		number := fmt.Sprint(100000 + i)
		if i%4 == 3 {
			bindings = append(bindings, contactOf(number, fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255), ua(soft[i/4%4]), instance(fmt.Sprintf("urn:uuid:7c6d4c1e-9f0b-4f4e-8a3a-%012x", i))))
			continue
		}
		d := sample(i, phone.Vendors()[i%4%3], models[i%4%3], number)
		d.ID = fmt.Sprintf("phone_%020d", i*7919%many) // in no order
		d.Name, d.Site = fmt.Sprintf("Desk %d", i), fmt.Sprintf("Site %d", i%200)
		devices = append(devices, d)
		bindings = append(bindings, contactOf(number, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), as(fmt.Sprintf("l%d_1", i)), ua(texts[i%4%3])))
	}
	return devices, bindings
}

// city is a roster of them.
func city(t testing.TB, devices []phone.Device, bindings []location.Binding) *Roster {
	t.Helper()
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		r.ExtensionChanged(phone.Extension{Number: fmt.Sprint(100000 + i), Name: fmt.Sprintf("Person Number %d", i)})
	}
	r.change(func(s *state) {
		for _, d := range devices {
			s.putDevice(d)
		}
	})
	for _, b := range bindings {
		r.Binding(location.Change{Kind: location.Added, Binding: b})
	}
	return r
}

// heap is the live heap in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// percentile of durations measured by calling fn n times.
func percentile(n int, p float64, fn func(i int)) time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		start := time.Now()
		fn(i)
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[int(float64(n-1)*p)]
}

// BenchmarkCity reports what 100 000 phones cost. The strings of the bindings
// are not counted: they are shared with the mirror of the location service.
func BenchmarkCity(b *testing.B) {
	devices, bindings := people()
	before := heap()
	start := time.Now()
	r := city(b, devices, bindings)
	b.Logf("%d phones in %v, %d bytes each", r.Stats().Total, time.Since(start).Round(time.Millisecond), (heap()-before)/many)
	runtime.KeepAlive(devices)
	yes, no := true, false
	mac := sample(77776, phone.Polycom, "").MAC
	_, middle, _ := r.List(Filter{Q: "number 50000"}, "", 1)
	list := func(f Filter, limit int) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				page, _, err := r.List(f, middle, limit)
				if err != nil {
					b.Fatal(err)
				}
				n = len(page)
			}
			p99 := percentile(200, 0.99, func(int) { _, _, _ = r.List(f, middle, limit) })
			b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(n), "phones")
		}
	}
	b.Run("list", list(Filter{}, 50))
	b.Run("list500", list(Filter{}, 500))
	b.Run("registered", list(Filter{Registered: &yes}, 50))
	b.Run("unregistered-none", list(Filter{Registered: &no}, 50))
	b.Run("model", list(Filter{Model: "VVX 450", DeviceType: "hardware"}, 50))
	b.Run("model-none", list(Filter{Model: "VVX 9999"}, 50))
	b.Run("mac", list(Filter{MAC: &mac}, 50))
	b.Run("extension", list(Filter{Extension: "177776"}, 50))
	b.Run("search-one", list(Filter{Q: "number 77776"}, 50))
	b.Run("search-none", list(Filter{Q: "nobody has this"}, 50))
	b.Run("stats", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Stats()
		}
	})
	b.Run("refresh", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c := bindings[i%many]
			c.RefreshedAt = t0.Add(time.Duration(i))
			r.Binding(location.Change{Kind: location.Refreshed, Binding: c})
		}
	})
	b.Run("expire-and-register", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c := bindings[i*7919%many]
			r.Binding(location.Change{Kind: location.Expired, Binding: c})
			r.Binding(location.Change{Kind: location.Added, Binding: c})
		}
	})
}
