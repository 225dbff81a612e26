package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

const (
	keepJobs   = 1000                // newest jobs kept
	keepJobFor = 90 * 24 * time.Hour // and no longer than this after their end
)

// CreateJob stores a job and its phones, and forgets jobs that ended long ago.
func (s *Store) CreateJob(ctx context.Context, job phone.Job, phones []phone.JobPhone) error {
	return s.write(ctx, func(u *unit) error {
		texts, err := jobTexts(job)
		if err == nil {
			err = u.exec(`INSERT INTO jobs (id, kind, args, waves, counts, node, state, reason, wave, wave_at,
				forgiven, created_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
				job.ID, job.Kind, texts[0], texts[1], texts[2], job.Node, string(job.State), clip(job.Reason, maxWire),
				job.Wave, toMillis(job.WaveAt), job.Forgiven, toMillis(job.CreatedAt), toMillis(job.EndedAt))
		}
		if err == nil {
			err = u.saveJobPhones(phones)
		}
		if err == nil {
			err = u.pruneJobs()
		}
		if err != nil {
			return fmt.Errorf("store job %s: %w", job.ID, err)
		}
		return nil
	})
}

// SaveJob stores over a job and those of its phones that changed, together.
// phone.ErrConflict when another node has taken it over; then nothing is stored.
func (s *Store) SaveJob(ctx context.Context, job phone.Job, changed []phone.JobPhone) error {
	return s.write(ctx, func(u *unit) error {
		texts, err := jobTexts(job)
		var n int64
		if err == nil {
			n, err = u.Exec(`UPDATE jobs SET waves = $2, counts = $3, state = $4, reason = $5, wave = $6, wave_at = $7,
				forgiven = $8, ended_at = $9 WHERE id = $1 AND node = $10`, job.ID, texts[1], texts[2], string(job.State),
				clip(job.Reason, maxWire), job.Wave, toMillis(job.WaveAt), job.Forgiven, toMillis(job.EndedAt), job.Node)
		}
		if err == nil && n == 0 {
			err = phone.ErrConflict
		}
		if err == nil {
			err = u.saveJobPhones(changed)
		}
		if err != nil {
			return fmt.Errorf("store job %s: %w", job.ID, err)
		}
		return nil
	})
}

// jobTexts are args, waves and counts as they are stored.
func jobTexts(job phone.Job) (texts [3]string, err error) {
	for i, v := range []any{job.Args, job.Waves, job.Counts} {
		b, err := json.Marshal(v)
		if err != nil {
			return texts, err
		}
		texts[i] = string(b)
	}
	return texts, nil
}

// jobPhoneBatch is how many phones one statement stores: on a server each is a
// round trip.
const jobPhoneBatch = 50

func (u *unit) saveJobPhones(phones []phone.JobPhone) error {
	for len(phones) > 0 {
		n := 1
		if len(phones) >= jobPhoneBatch {
			n = jobPhoneBatch
		}
		var args []any
		for _, p := range phones[:n] {
			args = append(args, p.JobID, p.PhoneID, p.Wave, string(p.State), toMillis(p.DueAt), toMillis(p.StartedAt),
				toMillis(p.EndedAt), clip(p.Outcome, maxText), clip(p.Reason, maxWire))
		}
		if err := u.exec(upsertJobPhones(n), args...); err != nil {
			return err
		}
		phones = phones[n:]
	}
	return nil
}

func upsertJobPhones(n int) string {
	const width = 9
	rows := make([]string, n)
	for i := range rows {
		cols := make([]string, width)
		for c := range cols {
			cols[c] = fmt.Sprintf("$%d", i*width+c+1)
		}
		rows[i] = "(" + strings.Join(cols, ", ") + ")"
	}
	return `INSERT INTO job_phones (job_id, phone_id, wave, state, due_at, started_at, ended_at, outcome, reason)
		VALUES ` + strings.Join(rows, ", ") + ` ON CONFLICT (job_id, phone_id) DO UPDATE SET wave = excluded.wave,
		state = excluded.state, due_at = excluded.due_at, started_at = excluded.started_at,
		ended_at = excluded.ended_at, outcome = excluded.outcome, reason = excluded.reason`
}

// pruneJobs forgets jobs that ended; those that have not are kept.
func (u *unit) pruneJobs() error {
	return u.exec(`DELETE FROM jobs WHERE ended_at > 0 AND (ended_at < $1 OR id NOT IN
		(SELECT id FROM jobs ORDER BY created_at DESC, id DESC LIMIT $2))`, toMillis(u.Now.Add(-keepJobFor)), keepJobs)
}

const jobColumns = `SELECT id, kind, args, waves, counts, node, state, reason, wave, wave_at, forgiven,
	created_at, ended_at FROM jobs `

func scanJob(row engine.Row) (phone.Job, error) {
	var (
		j                    phone.Job
		args, waves, counts  string
		waveAt, created, end int64
	)
	err := row.Scan(&j.ID, &j.Kind, &args, &waves, &counts, &j.Node, (*string)(&j.State), &j.Reason, &j.Wave, &waveAt,
		&j.Forgiven, &created, &end)
	if err != nil {
		return j, err
	}
	j.WaveAt, j.CreatedAt, j.EndedAt = fromMillis(waveAt), fromMillis(created), fromMillis(end)
	return j, errors.Join(json.Unmarshal([]byte(args), &j.Args), json.Unmarshal([]byte(waves), &j.Waves),
		json.Unmarshal([]byte(counts), &j.Counts))
}

// Job returns one job.
func (s *Store) Job(ctx context.Context, id string) (phone.Job, error) {
	j, err := engine.One(s.db.Reader(ctx), scanJob, jobColumns+`WHERE id = $1`, clip(id, maxText))
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		err = fmt.Errorf("read job %s: %w", id, err)
	}
	return j, err
}

// Jobs returns up to limit jobs, newest first, those before the job "before", or
// from the newest with "". A job that is not there is phone.ErrNotFound.
func (s *Store) Jobs(ctx context.Context, before string, limit int) ([]phone.Job, error) {
	q := s.db.Reader(ctx)
	var (
		list []phone.Job
		err  error
	)
	if before == "" {
		list, err = engine.All(q, scanJob, jobColumns+`ORDER BY created_at DESC, id DESC LIMIT $1`, within(limit))
	} else {
		var last phone.Job
		if last, err = s.Job(ctx, before); err != nil {
			return nil, err
		}
		list, err = engine.All(q, scanJob, jobColumns+`WHERE (created_at, id) < ($1, $2)
			ORDER BY created_at DESC, id DESC LIMIT $3`, toMillis(last.CreatedAt), last.ID, within(limit))
	}
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return list, nil
}

// UnfinishedJobs returns the jobs of a node that have not ended.
func (s *Store) UnfinishedJobs(ctx context.Context, node string) ([]phone.Job, error) {
	list, err := engine.All(s.db.Reader(ctx), scanJob, jobColumns+`WHERE node = $1 AND ended_at = 0 ORDER BY created_at, id`, node)
	if err != nil {
		return nil, fmt.Errorf("list unfinished jobs: %w", err)
	}
	return list, nil
}

// JobPhones returns up to limit (at most 10,000) phones of a job after the phone
// "after", ascending by PhoneID.
func (s *Store) JobPhones(ctx context.Context, jobID, after string, limit int) ([]phone.JobPhone, error) {
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (phone.JobPhone, error) {
		var (
			p               phone.JobPhone
			due, start, end int64
		)
		err := row.Scan(&p.JobID, &p.PhoneID, &p.Wave, (*string)(&p.State), &due, &start, &end, &p.Outcome, &p.Reason)
		p.DueAt, p.StartedAt, p.EndedAt = fromMillis(due), fromMillis(start), fromMillis(end)
		return p, err
	}, `SELECT job_id, phone_id, wave, state, due_at, started_at, ended_at, outcome, reason FROM job_phones
		WHERE job_id = $1 AND phone_id > $2 ORDER BY phone_id LIMIT $3`, clip(jobID, maxText), clip(after, maxText), within(limit))
	if err != nil {
		return nil, fmt.Errorf("list the phones of job %s: %w", jobID, err)
	}
	return list, nil
}
