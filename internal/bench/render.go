package bench

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

var paris = sync.OnceValues(func() (templates.TimeZone, error) {
	zones, err := templates.NewZones()
	if err != nil {
		return templates.TimeZone{}, err
	}
	return zones.Lookup("Europe/Paris")
})

// T46S is a Yealink T46S with all that it can have: 16 accounts, 27 keys, six
// expansion modules. Its file has 46 kB, as FusionPBX's has for two accounts.
func T46S(i int) (templates.View, error) {
	v := templates.View{
		Vendor: "yealink", Model: "T46S", MAC: templates.NewMAC(phone.MAC{0x00, 0x15, 0x65, byte(i >> 16), byte(i >> 8), byte(i)}),
		NTP: "198.18.0.1", ProvisionURL: "http://198.18.0.1:8081/", AdminPassword: phone.NewSecret(adminPassword),
		TimeFormat: "24", Language: "de", LLDP: "1", Raw: map[string]string{},
	}
	var err error
	if v.TimeZone, err = paris(); err != nil {
		return v, err
	}
	server := templates.Server{Host: "sip.bench.test", Port: 5060, Transport: "udp", Domain: "bench.test", Expires: 120}
	for n := 1; n <= 16; n++ {
		number := fmt.Sprint(1001 + i + n)
		l := templates.Line{
			Number: n, User: number, AuthUser: number + "_a1b2c3", Password: phone.NewSecret(linePassword(number)),
			DisplayName: "User " + number, Label: number, Server: server, SRTP: "optional", DTMF: "rfc2833", MWI: "1", Voicemail: "*97",
		}
		for p, name := range []string{"g722", "pcma", "pcmu", "g729", "opus", "ilbc", "g726", "g723"} {
			l.Codecs = append(l.Codecs, templates.Codec{Name: name, Enabled: "1", Priority: p + 1})
		}
		v.Lines = append(v.Lines, l)
	}
	key := func(module, n int) templates.Key {
		to := fmt.Sprint(2000 + 100*module + n)
		return templates.Key{Module: module, Number: n, Type: "blf", Value: to, Label: "Colleague " + to, Line: 1, Pickup: "*8" + to}
	}
	for n := 1; n <= 27; n++ {
		v.Keys = append(v.Keys, key(0, n))
	}
	for m := 1; m <= 3; m++ {
		for n := 1; n <= 40; n++ {
			v.ModuleKeys = append(v.ModuleKeys, key(m, n))
		}
	}
	return v, nil
}

// RenderResult is what one measurement of rendering took.
type RenderResult struct {
	Bytes     int           // of the file
	Rendered  int           // files
	CPU       time.Duration // of the process, for all of them
	AllocsPer float64       // allocations for each file
	HeapStart int64         // bytes of the heap before, after a collection
	HeapHalf  int64         // bytes more than before when half of them are rendered, after a collection
	HeapGrown int64         // bytes more than before when all are rendered, after a collection
}

// CPUPerFile is the mean CPU time of one file.
func (r RenderResult) CPUPerFile() time.Duration { return r.CPU / time.Duration(max(r.Rendered, 1)) }

type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// Render renders the file of the T46S n times, each phone another one, none from a
// cache.
func Render(n int) (RenderResult, error) {
	views := make([]templates.View, 100)
	for i := range views {
		v, err := T46S(i)
		if err != nil {
			return RenderResult{}, err
		}
		views[i] = v
	}
	set := templates.Builtin()
	var size counter
	if err := set.Render(&size, "yealink/phone", views[0]); err != nil {
		return RenderResult{}, err
	}
	r := RenderResult{Bytes: int(size), Rendered: n}
	half := func(from, to int) (runtime.MemStats, error) {
		start := cpuSelf()
		for i := from; i < to; i++ {
			if err := set.Render(io.Discard, "yealink/phone", views[i%len(views)]); err != nil {
				return runtime.MemStats{}, err
			}
		}
		r.CPU += cpuSelf() - start
		return memory(), nil
	}
	before := memory()
	middle, err := half(0, n/2)
	if err != nil {
		return r, err
	}
	after, err := half(n/2, n)
	if err != nil {
		return r, err
	}
	r.AllocsPer = float64(after.Mallocs-before.Mallocs) / float64(max(n, 1))
	r.HeapStart = int64(before.HeapAlloc)
	r.HeapHalf, r.HeapGrown = int64(middle.HeapAlloc)-r.HeapStart, int64(after.HeapAlloc)-r.HeapStart
	runtime.KeepAlive(views)
	return r, nil
}

// memory reads the counters after a collection.
func memory() runtime.MemStats {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// cpuSelf is the CPU time of this process so far.
func cpuSelf() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime))
}
