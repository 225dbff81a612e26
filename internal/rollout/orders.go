package rollout

import (
	"fmt"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// pause begins no more phones until resume.
func (m *machine) pause() error {
	if m.job.State != phone.JobRunning {
		return m.cannot("paused")
	}
	m.job.State, m.touched = phone.JobPaused, true
	return nil
}

// resume lets a paused or halted job go on; the failures that halted it are
// forgiven. The phones of the wave that wait get new moments, or all that were due
// meanwhile would begin at once.
func (m *machine) resume(now time.Time) error {
	switch m.job.State {
	case phone.JobPaused:
	case phone.JobHalted:
		m.job.Forgiven = m.failed
	default:
		return m.cannot("resumed")
	}
	m.job.State, m.job.Reason, m.touched = phone.JobRunning, "", true
	if m.next < m.ends[m.job.Wave] {
		from := now
		if m.job.WaveAt.After(now) {
			from = m.job.WaveAt
		}
		m.schedule(from)
	}
	m.advance(now)
	return nil
}

// abort ends the job: phones that wait are skipped, those under way go on.
func (m *machine) abort(now time.Time, why string) error {
	if m.job.State.Ended() {
		return m.cannot("aborted")
	}
	m.job.State, m.job.Reason, m.touched = phone.JobAborted, why, true
	for ; m.next < len(m.phones); m.next++ {
		m.set(m.next, phone.PhoneSkipped)
	}
	m.advance(now)
	return nil
}

func (m *machine) cannot(what string) error {
	return fmt.Errorf("a job that is %s cannot be %s: %w", m.job.State, what, phone.ErrConflict)
}
