package rollout

import (
	"fmt"
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// machine is the pure state of one job: which phone is begun when, and when the
// job halts or ends. It knows neither clocks nor stores: times come in, and
// what changed goes out with changes. Its cost for an event does not grow with
// the number of phones that wait.
type machine struct {
	job    phone.Job
	phones []phone.JobPhone // by wave, and in a wave by DueAt
	index  map[string]int
	ends   []int // where each wave ends in phones
	random func() float64

	next    int              // phones[next:] wait
	working map[int]struct{} // indexes
	failed  int              // in the wave under way
	changed map[int]struct{}
	touched bool // the job itself changed
}

// schedule gives the phones of the wave under way that wait their moments, from
// from on.
func (m *machine) schedule(from time.Time) {
	wave := m.phones[m.next:max(m.next, m.ends[m.job.Wave])]
	moments := make([]time.Duration, len(wave))
	for i := range moments {
		moments[i] = time.Duration(m.random() * float64(m.job.Waves.Jitter))
	}
	slices.Sort(moments)
	for i := range wave {
		wave[i].DueAt = from.Add(moments[i])
		m.changed[m.next+i] = struct{}{}
	}
}

// begin returns the phones whose turn it is; they are working from now on.
func (m *machine) begin(now time.Time) []string {
	var ids []string
	for m.due(now) {
		p := &m.phones[m.next]
		m.set(m.next, phone.PhoneWorking)
		p.StartedAt = now
		ids = append(ids, p.PhoneID)
		m.next++
	}
	return ids
}

func (m *machine) due(now time.Time) bool {
	return m.mayBegin() && !m.phones[m.next].DueAt.After(now)
}

// mayBegin reports whether another phone of this wave is begun as soon as its
// moment comes.
func (m *machine) mayBegin() bool {
	return m.job.State == phone.JobRunning && m.next < m.ends[m.job.Wave] && len(m.working) < m.job.Waves.Parallel
}

// overdue returns the phones whose patience has ended.
func (m *machine) overdue(now time.Time) []string {
	var ids []string
	for i := range m.working {
		if p := m.phones[i]; !m.deadline(p).After(now) {
			ids = append(ids, p.PhoneID)
		}
	}
	return ids
}

func (m *machine) deadline(p phone.JobPhone) time.Time { return p.StartedAt.Add(m.job.Waves.Patience) }

// wake is when something is due next, apart from the ends of phones that skip
// names; zero: nothing is, until a phone finishes.
func (m *machine) wake(skip func(id string) bool) time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for i := range m.working {
		if p := m.phones[i]; !skip(p.PhoneID) {
			sooner(m.deadline(p))
		}
	}
	if m.mayBegin() {
		sooner(m.phones[m.next].DueAt)
	}
	return at
}

// at returns a phone that is under way.
func (m *machine) at(id string) (phone.JobPhone, bool) {
	i, ok := m.index[id]
	if !ok || m.phones[i].State != phone.PhoneWorking {
		return phone.JobPhone{}, false
	}
	return m.phones[i], true
}

// note keeps how a phone under way would end now.
func (m *machine) note(id string, v Verdict) {
	if _, ok := m.at(id); ok {
		i := m.index[id]
		p := &m.phones[i]
		if p.Outcome != v.Outcome || p.Reason != v.Reason {
			p.Outcome, p.Reason = v.Outcome, v.Reason
			m.changed[i] = struct{}{}
		}
	}
}

// finish ends the part of a phone; another than one under way is ignored.
func (m *machine) finish(now time.Time, id string, v Verdict) {
	if _, ok := m.at(id); !ok {
		return
	}
	m.note(id, v)
	i := m.index[id]
	m.phones[i].EndedAt = now
	if v.OK {
		m.set(i, phone.PhoneSucceeded)
	} else {
		m.set(i, phone.PhoneFailed)
		if m.phones[i].Wave == m.job.Wave {
			m.failed++
			m.halt()
		}
	}
	m.advance(now)
}

// halt stops the job when too many phones of the wave have failed.
func (m *machine) halt() {
	start := 0
	if m.job.Wave > 0 {
		start = m.ends[m.job.Wave-1]
	}
	size := m.ends[m.job.Wave] - start
	bad := m.failed - m.job.Forgiven
	if m.job.State != phone.JobRunning || bad*100 <= m.job.Waves.HaltPercent*size {
		return
	}
	m.job.State, m.touched = phone.JobHalted, true
	m.job.Reason = fmt.Sprintf("%d of the %d phones of wave %d failed.", bad, size, m.job.Wave+1)
}

// advance begins the next wave when this one is over, or ends the job.
func (m *machine) advance(now time.Time) {
	over := m.next >= m.ends[m.job.Wave] && len(m.working) == 0
	switch {
	case m.job.State == phone.JobAborted && len(m.working) == 0 && m.job.EndedAt.IsZero():
		m.job.EndedAt, m.touched = now, true
	case m.job.State.Ended() || !over:
	case m.next == len(m.phones) && m.job.State == phone.JobHalted && m.job.Waves.Hold:
	case m.next == len(m.phones) && m.job.State != phone.JobPaused: // halted with nothing left is done as well
		m.job.State, m.job.EndedAt, m.touched = phone.JobDone, now, true
	case m.job.State == phone.JobRunning:
		m.job.Wave++
		m.job.WaveAt, m.job.Forgiven, m.touched = now.Add(m.job.Waves.Soak), 0, true
		m.failed = 0
		m.schedule(m.job.WaveAt)
	}
}

// set moves a phone to a state.
func (m *machine) set(i int, s phone.JobPhoneState) {
	p := &m.phones[i]
	*count(&m.job.Counts, p.State)--
	*count(&m.job.Counts, s)++
	p.State = s
	if delete(m.working, i); s == phone.PhoneWorking {
		m.working[i] = struct{}{}
	}
	m.changed[i] = struct{}{}
	m.touched = true
}

func count(c *phone.JobCounts, s phone.JobPhoneState) *int {
	switch s {
	case phone.PhoneWorking:
		return &c.Working
	case phone.PhoneSucceeded:
		return &c.Succeeded
	case phone.PhoneFailed:
		return &c.Failed
	case phone.PhoneSkipped:
		return &c.Skipped
	}
	return &c.Waiting
}

// changes returns what is different since it was last called; ok is false when
// nothing is.
func (m *machine) changes() (job phone.Job, phones []phone.JobPhone, ok bool) {
	if !m.touched && len(m.changed) == 0 {
		return m.job, nil, false
	}
	for i := range m.changed {
		phones = append(phones, m.phones[i])
	}
	clear(m.changed)
	m.touched = false
	return m.job, phones, true
}

// undo marks as different again what could not be stored.
func (m *machine) undo(phones []phone.JobPhone) {
	m.touched = true
	for _, p := range phones {
		m.changed[m.index[p.PhoneID]] = struct{}{}
	}
}

// over reports whether nothing will happen to the job any more.
func (m *machine) over() bool { return !m.job.EndedAt.IsZero() }
