package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage may lie about before it is collected. Go's own rule, as much as
// there is live memory, makes a server with 40 MB collect ten times a second under
// load and read the same memory each time; with gigabytes it is right.
const (
	garbage        = 128 << 20 // bytes, where that is within the following
	garbagePercent = 100       // of the live memory, at least
	garbageMost    = 400       // percent, at most
)

// PaceGC lets a small heap be collected less often, from now on until the process
// ends. GOGC, when it is set, has its say instead.
func PaceGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	p := &pacer{percent: garbagePercent, sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	p.arm()
}

// pacer sets the percentage anew after each collection.
type pacer struct {
	percent int
	sample  []metrics.Sample
}

// arm has pace called when the next collection finds that nobody has its marker.
func (p *pacer) arm() {
	marker := new([16]byte)
	runtime.SetFinalizer(marker, func(*[16]byte) { p.pace() })
}

func (p *pacer) pace() {
	metrics.Read(p.sample)
	if p.sample[0].Value.Kind() == metrics.KindUint64 {
		if percent := percentFor(p.sample[0].Value.Uint64()); percent != p.percent {
			p.percent = percent
			debug.SetGCPercent(percent)
		}
	}
	p.arm()
}

// percentFor is the percentage for that much live memory, in steps of 20 so that it
// is not changed all the time: to change it stops the world.
func percentFor(live uint64) int {
	const step = 20
	percent := int(garbage * 100 / max(live, 1))
	return min(max(percent/step*step, garbagePercent), garbageMost)
}
