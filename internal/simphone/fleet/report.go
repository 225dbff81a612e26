package fleet

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Stage is how far a phone has come.
type Stage int

// The stages of a boot, in order.
const (
	Waiting    Stage = iota // not plugged in yet
	Discover                // asks for an address
	Leased                  // has an address and fetches its files
	Booted                  // has its files and registers
	Registered              // got the 200
	Failed                  // gave up
	stages
)

// Report is how a fleet fared. It is safe for concurrent use while the fleet runs.
type Report struct {
	mu      sync.Mutex
	count   [stages]int
	took    [stages][]time.Duration // from being plugged in to reaching the stage
	reasons map[string]int          // of failures
}

func newReport(size int) *Report {
	r := &Report{reasons: map[string]int{}}
	r.count[Waiting] = size
	return r
}

// reached says that a phone has come from one stage to the next, after a time.
func (r *Report) reached(from, to Stage, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[from]--
	r.count[to]++
	r.took[to] = append(r.took[to], after)
}

func (r *Report) failed(from Stage, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[from]--
	r.count[Failed]++
	r.reasons[why.Error()]++
}

// Count returns how many phones are in the stage now.
func (r *Report) Count(s Stage) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[s]
}

// Percentile returns the time within which the share p, 0 < p <= 1, of the phones
// that reached the stage did so; 0 when none did.
func (r *Report) Percentile(s Stage, p float64) time.Duration {
	r.mu.Lock()
	took := slices.Clone(r.took[s])
	r.mu.Unlock()
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(int(p*float64(len(took))), len(took)-1)]
}

// maxReasons is how many kinds of failure a report names.
const maxReasons = 5

// Print writes the report as a table.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "registered %d, failed %d\n", r.Count(Registered), r.Count(Failed))
	fmt.Fprintf(w, "%-24s %9s %9s %9s %9s\n", "from plugged in to", "p50 s", "p90 s", "p99 s", "max s")
	for _, row := range []struct {
		name  string
		stage Stage
	}{{"lease", Leased}, {"files", Booted}, {"200 to REGISTER", Registered}} {
		fmt.Fprintf(w, "%-24s", row.name)
		for _, p := range []float64{0.5, 0.9, 0.99, 1} {
			fmt.Fprintf(w, " %9.3f", r.Percentile(row.stage, p).Seconds())
		}
		fmt.Fprintln(w)
	}
	for i, f := range r.failures() {
		if i == maxReasons {
			break
		}
		fmt.Fprintf(w, "failed %d times: %s\n", f.times, f.why)
	}
}

type failure struct {
	why   string
	times int
}

// failures are the reasons, the most frequent first.
func (r *Report) failures() []failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []failure
	for why, times := range r.reasons {
		out = append(out, failure{why, times})
	}
	slices.SortFunc(out, func(a, b failure) int { return cmp.Or(b.times-a.times, cmp.Compare(a.why, b.why)) })
	return out
}
