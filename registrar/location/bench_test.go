package location_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pbx.dev/dialtone/registrar/location"
)

// benchApply refreshes 10,000 AORs with 64 senders per processor, as a storm
// does.
func benchApply(b *testing.B, s location.Store, senders int) {
	const aors = 10000
	names := make([]location.AOR, aors)
	for i := range names {
		names[i] = aorN(i)
	}
	var n atomic.Uint32
	b.SetParallelism(senders)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		u := register("", "d41d8cd98f00b204", 0, time.Hour)
		for pb.Next() {
			u.CSeq = n.Add(1)
			u.AOR = names[u.CSeq%aors]
			if _, err := s.Apply(b.Context(), u); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMemoryApply(b *testing.B) {
	for name, opts := range map[string]location.MemoryOptions{
		"NoDir": {}, "NoSync": {Dir: b.TempDir(), NoSync: true}, "Sync": {Dir: b.TempDir()},
	} {
		b.Run(name, func(b *testing.B) {
			if opts.Dir != "" {
				opts.Dir = b.TempDir()
			}
			benchApply(b, newMemory(b, opts), 64)
		})
	}
}

func BenchmarkMemoryLookup(b *testing.B) {
	s := newMemory(b, location.MemoryOptions{})
	apply(b, s, register("1@pbx.dev", "a", 1, time.Hour))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if bs, err := s.Lookup(b.Context(), "1@pbx.dev"); err != nil || len(bs) != 1 {
				b.Fatal(len(bs), err)
			}
		}
	})
}

func BenchmarkMemoryWarmStart(b *testing.B) {
	const n = 100000
	opts := location.MemoryOptions{Dir: b.TempDir(), NoSync: true}
	s := newMemory(b, opts)
	for i := range n {
		apply(b, s, register(aorN(i), "a", 1, time.Hour))
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := location.NewMemory(opts)
		if err != nil || count(b, s, aorN(n-1)) != 1 {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkRedisApply(b *testing.B) {
	for _, senders := range []int{1, 64, 128} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			server := startRedis(b, "--appendonly", "no")
			client := server.client()
			s := newRedis(b, location.RedisOptions{Client: client})
			before := serverCPU(b, client)
			benchApply(b, s, senders)
			b.ReportMetric((serverCPU(b, client)-before)/float64(b.N)*1e6, "redis-us/op")
		})
	}
}

// serverCPU is the time Redis has worked, in seconds.
func serverCPU(b *testing.B, client redis.UniversalClient) float64 {
	b.Helper()
	info, err := client.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	total := 0.0
	for _, field := range []string{"used_cpu_sys:", "used_cpu_user:"} {
		_, rest, _ := strings.Cut(info, field)
		v := 0.0
		_, _ = fmt.Sscanf(rest, "%g", &v)
		total += v
	}
	return total
}

func BenchmarkRedisLookup(b *testing.B) {
	s := newRedis(b, location.RedisOptions{Client: startRedis(b).client()})
	apply(b, s, register("1@pbx.dev", "a", 1, time.Hour))
	b.SetParallelism(64)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if bs, err := s.Lookup(b.Context(), "1@pbx.dev"); err != nil || len(bs) != 1 {
				b.Fatal(len(bs), err)
			}
		}
	})
}

// BenchmarkMirrorLoad fills a mirror with 100,000 bindings of Redis.
func BenchmarkMirrorLoad(b *testing.B) {
	const n = 100000
	client := startRedis(b, "--appendonly", "no").client()
	s := newRedis(b, location.RedisOptions{Client: client})
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				if _, err := s.Apply(b.Context(), register(aorN(i), "d41d8cd98f00b204", 1, time.Hour)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		m := location.NewMirror(s, location.MirrorOptions{})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = m.Run(ctx)
		}()
		<-m.Loaded()
		if m.Len() != n {
			b.Fatalf("%d bindings, want %d", m.Len(), n)
		}
		b.StopTimer()
		cancel()
		<-done
		b.StartTimer()
	}
	b.ReportMetric(float64(usedMemory(b, client))/n, "redis-B/binding")
}

func usedMemory(b *testing.B, client redis.UniversalClient) (n int) {
	b.Helper()
	info, err := client.Info(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	_, _ = fmt.Sscanf(rest, "%d", &n)
	return n
}
