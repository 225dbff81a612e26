package bench

import (
	"fmt"
	"slices"
	"time"
)

// Result is what one measurement found.
type Result struct {
	System, Job string
	Ops         int
	Errors      int
	Bytes       int64 // of files; 0 where they are not counted
	Elapsed     time.Duration
	CPU         time.Duration // of the server's processes
	Latency     []time.Duration
}

// Rate is operations per second.
func (r Result) Rate() float64 { return float64(r.Ops) / r.Elapsed.Seconds() }

// MBps is megabytes of files per second.
func (r Result) MBps() float64 { return float64(r.Bytes) / 1e6 / r.Elapsed.Seconds() }

// CPUPer1000 is milliseconds of server CPU per 1000 operations.
func (r Result) CPUPer1000() float64 {
	if r.Ops == 0 {
		return 0
	}
	return float64(r.CPU.Microseconds()) / float64(r.Ops)
}

// Percentile returns the latency that q (0 to 1) of the operations did not exceed.
func (r Result) Percentile(q float64) time.Duration {
	if len(r.Latency) == 0 {
		return 0
	}
	slices.Sort(r.Latency)
	return r.Latency[min(int(q*float64(len(r.Latency))), len(r.Latency)-1)]
}

// Header is the heading of String's columns.
const Header = "job                                 system          ops/s   p50 ms   p99 ms   cpu ms/1000   errors   ratio"

// Line is one row; base is the peer's result that the ratio compares CPU with.
func (r Result) Line(base *Result) string {
	ratio := ""
	if base != nil && base.CPUPer1000() > 0 {
		ratio = fmt.Sprintf("%.2f", r.CPUPer1000()/base.CPUPer1000())
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("%-36s%-12s %8.0f %8.2f %8.2f %13.1f %8d   %s",
		r.Job, r.System, r.Rate(), ms(r.Percentile(0.5)), ms(r.Percentile(0.99)), r.CPUPer1000(), r.Errors, ratio)
}
