package location_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// BenchmarkEventLog is what an event costs that nodes tell each other, in CPU time of all
// nodes (they are in this process) and of Redis. With two nodes one tells and both hear.
func BenchmarkEventLog(b *testing.B) {
	for _, nodes := range []int{1, 2} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			server := startRedis(b)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var heard atomic.Int64
			logs, done := make([]*location.EventLog, nodes), make(chan error, nodes)
			for i := range logs {
				logs[i] = location.NewEventLog(location.EventLogOptions{
					Client: openClient(b, server.url()+patiently), Node: fmt.Sprint(i), Heard: func(location.LogEntry) { heard.Add(1) },
				})
				if _, err := logs[i].Begin(ctx); err != nil {
					b.Fatal(err)
				}
				go func() { done <- logs[i].Run(ctx) }()
			}
			const text = `{"e":{"at":"2026-11-25T19:32:35.783Z","kind":"file","macAddress":"00:15:65:AA:BB:01","phoneId":"phone_yiepeoytnzi5iqngr4gi","protocol":"http","path":"001565aabb01.cfg","outcome":"ok","status":200,"bytes":1409,"revision":1,"userAgent":"Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:01","source":"127.0.0.1:34742"}}`
			own, redis := processCPU(b), server.cpu()
			b.ResetTimer()
			for i := range b.N {
				logs[0].Tell(text)
				for i%1000 == 999 && int64(i)-heard.Load()/int64(nodes) > 2000 {
					<-time.After(time.Millisecond)
				}
			}
			for heard.Load() < int64(b.N*nodes) {
				<-time.After(time.Millisecond)
			}
			b.StopTimer()
			per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
			b.ReportMetric(per(processCPU(b)-own), "own-us/op")
			b.ReportMetric(per(server.cpu()-redis), "redis-us/op")
			cancel()
			for range logs {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
		})
	}
}

// cpu is the CPU time that the server has used.
func (s *server) cpu() time.Duration {
	s.t.Helper()
	text, err := s.client().Info(context.Background(), "cpu").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	total := 0.0
	for line := range strings.Lines(text) {
		for _, name := range []string{"used_cpu_sys:", "used_cpu_user:"} {
			if v, ok := strings.CutPrefix(line, name); ok {
				seconds, _ := strconv.ParseFloat(strings.TrimSpace(v), 64)
				total += seconds
			}
		}
	}
	return time.Duration(total * float64(time.Second))
}

func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
