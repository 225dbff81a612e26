package rollout

import (
	"cmp"
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// newMachine divides the phones into waves, in the order given. The first wave is
// due at once. random returns numbers in [0,1).
func newMachine(job phone.Job, ids []string, now time.Time, random func() float64) *machine {
	m := bare(job, random)
	m.job.Waves = completed(job.Waves)
	m.job.State, m.job.CreatedAt, m.job.WaveAt = phone.JobRunning, now, now
	m.ends = ends(len(ids), m.job.Waves)
	wave := 0
	for i, id := range ids {
		for i >= m.ends[wave] {
			wave++
		}
		m.phones = append(m.phones, phone.JobPhone{JobID: job.ID, PhoneID: id, Wave: wave, State: phone.PhoneWaiting})
		m.index[id] = i
		m.changed[i] = struct{}{} // all are stored at once: a restart needs those of later waves, too
	}
	m.job.Counts = phone.JobCounts{Total: len(ids), Waiting: len(ids)}
	m.schedule(now)
	m.advance(now)
	return m
}

// restored continues a stored job.
func restored(job phone.Job, phones []phone.JobPhone, random func() float64) *machine {
	m := bare(job, random)
	m.phones = phones
	begun := func(p phone.JobPhone) int {
		if p.State == phone.PhoneWaiting {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(m.phones, func(a, b phone.JobPhone) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(begun(a), begun(b)), a.DueAt.Compare(b.DueAt))
	})
	m.next = len(phones)
	counts := phone.JobCounts{Total: len(phones)}
	for i := range m.phones {
		p := &m.phones[i]
		m.index[p.PhoneID] = i
		*count(&counts, p.State)++
		switch {
		case p.State == phone.PhoneWaiting:
			m.next = min(m.next, i)
		case p.State == phone.PhoneWorking:
			m.working[i] = struct{}{}
		case p.State == phone.PhoneFailed && p.Wave == job.Wave:
			m.failed++
		}
		if i > 0 && p.Wave != m.phones[i-1].Wave {
			m.ends = append(m.ends, i)
		}
	}
	m.ends = append(m.ends, len(phones))
	m.job.Counts = counts
	return m
}

func bare(job phone.Job, random func() float64) *machine {
	return &machine{
		job: job, index: map[string]int{}, random: random,
		working: map[int]struct{}{}, changed: map[int]struct{}{}, touched: true,
	}
}

// completed fills in what is left out.
func completed(w phone.Waves) phone.Waves {
	if w.Parallel <= 0 {
		w.Parallel = 50
	}
	if w.Patience <= 0 {
		w.Patience = 2 * time.Minute
	}
	if len(w.Percents) == 0 || w.Percents[len(w.Percents)-1] < 100 {
		w.Percents = append(slices.Clone(w.Percents), 100)
	}
	return w
}

// ends are where the waves of n phones end. Waves that would be empty are left
// out; there is at least one.
func ends(n int, w phone.Waves) []int {
	var at []int
	add := func(end int) {
		if end = min(end, n); end > 0 && (len(at) == 0 || end > at[len(at)-1]) {
			at = append(at, end)
		}
	}
	add(w.Canary)
	for _, p := range w.Percents {
		add((n*p + 99) / 100)
	}
	if len(at) == 0 {
		at = []int{0}
	}
	return at
}
