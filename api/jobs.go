package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// Jobs are the stored jobs. Errors are phone.ErrNotFound.
type Jobs interface {
	Job(ctx context.Context, id string) (phone.Job, error)
	// Jobs returns up to limit jobs, newest first, those before the job "before".
	Jobs(ctx context.Context, before string, limit int) ([]phone.Job, error)
	// JobPhones returns up to limit phones of a job after one of them, by id.
	JobPhones(ctx context.Context, jobID, after string, limit int) ([]phone.JobPhone, error)
}

// JobRunner runs jobs; *rollout.Engine is one. Pause, Resume and Abort answer
// phone.ErrNotFound for a job that has ended or that another node runs.
type JobRunner interface {
	Start(ctx context.Context, job phone.Job, ids []string) (phone.Job, error)
	// Under names the job of a kind that has the phone waiting or under way.
	Under(kind, phoneID string) (jobID string, ok bool)
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Abort(ctx context.Context, id, why string) error
}

// jobRoutes are the calls about jobs.
func (s *server) jobRoutes() []route {
	if s.Jobs == nil || s.JobRunner == nil {
		return nil
	}
	return []route{
		{"POST", base + "/phones/resync", phonesWrite, s.startMany("resync")},
		{"POST", base + "/phones/reboot", phonesWrite, s.startMany("reboot")},
		{"POST", base + "/phones/{id}/resync", phonesWrite, s.startOne("resync")},
		{"POST", base + "/phones/{id}/reboot", phonesWrite, s.startOne("reboot")},
		{"GET", base + "/jobs", phonesRead, s.listJobs},
		{"GET", base + "/jobs/{id}", phonesRead, s.getJob},
		{"GET", base + "/jobs/{id}/phones", phonesRead, s.listJobPhones},
		{"POST", base + "/jobs/{id}/pause", phonesWrite, s.orderJob(s.JobRunner.Pause)},
		{"POST", base + "/jobs/{id}/resume", phonesWrite, s.orderJob(s.JobRunner.Resume)},
		{"POST", base + "/jobs/{id}/abort", phonesWrite, s.orderJob(func(ctx context.Context, id string) error {
			return s.JobRunner.Abort(ctx, id, "An administrator aborted it.")
		})},
	}
}

// jobAnswer is a job. The state of a job of one phone is that phone's outcome once
// it has ended.
type jobAnswer struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	State     string            `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	PhoneID   string            `json:"phoneId,omitempty"`
	Args      map[string]string `json:"args,omitempty"`
	Counts    jobCounts         `json:"counts"`
	Wave      int               `json:"wave"` // from 1
	Waves     wavesInput        `json:"waves"`
	Node      string            `json:"node,omitempty"`
	CreatedAt time.Time         `json:"createdAt,omitzero"`
	EndedAt   time.Time         `json:"endedAt,omitzero"`
}

type jobCounts struct {
	Total     int `json:"total"`
	Waiting   int `json:"waiting"`
	Working   int `json:"working"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
}

type jobPhoneAnswer struct {
	PhoneID   string    `json:"phoneId"`
	Wave      int       `json:"wave"` // from 1
	State     string    `json:"state"`
	Outcome   string    `json:"outcome,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	DueAt     time.Time `json:"dueAt,omitzero"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
}

// onlyPhone is the argument of a job that was asked for one phone.
const onlyPhone = "phone"

// jobOf makes the answer about a job.
func (s *server) jobOf(ctx context.Context, j phone.Job) (jobAnswer, error) {
	a := jobAnswer{
		ID: j.ID, Kind: j.Kind, State: string(j.State), Reason: j.Reason, Counts: jobCounts(j.Counts), Wave: j.Wave + 1,
		Waves: wavesOf(j.Waves), Node: j.Node, CreatedAt: stamp(j.CreatedAt), EndedAt: stamp(j.EndedAt), PhoneID: j.Args[onlyPhone],
	}
	for name, value := range j.Args {
		if name == onlyPhone {
			continue
		}
		if a.Args == nil {
			a.Args = map[string]string{}
		}
		a.Args[name] = value
	}
	if a.PhoneID == "" {
		return a, nil
	}
	phones, err := s.Jobs.JobPhones(ctx, j.ID, "", 1)
	if err != nil || len(phones) == 0 {
		return a, err
	}
	if p := phones[0]; !j.EndedAt.IsZero() && p.Outcome != "" {
		a.State, a.Reason = p.Outcome, p.Reason
	}
	return a, nil
}

// accepted answers 202 with where to see how it goes.
func (s *server) accepted(w http.ResponseWriter, r *http.Request, j phone.Job) error {
	a, err := s.jobOf(r.Context(), j)
	if err != nil {
		return err
	}
	note(r, "job", j.ID)
	w.Header().Set("Location", base+"/jobs/"+url.PathEscape(j.ID))
	return writeJSON(w, http.StatusAccepted, a)
}

// getJob answers GET /v1/pbx/jobs/{id}.
func (s *server) getJob(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	j, err := s.Jobs.Job(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return absent("job", err)
	}
	a, err := s.jobOf(r.Context(), j)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a)
}

// listJobs answers GET /v1/pbx/jobs, the newest first.
func (s *server) listJobs(w http.ResponseWriter, r *http.Request) error {
	limit, before, err := onlyPage(r)
	if err != nil {
		return err
	}
	jobs, err := s.Jobs.Jobs(r.Context(), before, limit+1)
	if errors.Is(err, phone.ErrNotFound) {
		return phone.Invalid("cursor", "is of a job that is not kept any more")
	}
	if err != nil {
		return err
	}
	page, next := cut(jobs, limit, func(j phone.Job) string { return j.ID })
	answer := struct {
		Jobs []jobAnswer `json:"jobs"`
		Next string      `json:"next,omitempty"`
	}{make([]jobAnswer, 0, len(page)), next}
	for _, j := range page {
		a, err := s.jobOf(r.Context(), j)
		if err != nil {
			return err
		}
		answer.Jobs = append(answer.Jobs, a)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// listJobPhones answers GET /v1/pbx/jobs/{id}/phones.
func (s *server) listJobPhones(w http.ResponseWriter, r *http.Request) error {
	limit, after, err := onlyPage(r)
	if err != nil {
		return err
	}
	j, err := s.Jobs.Job(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return absent("job", err)
	}
	phones, err := s.Jobs.JobPhones(r.Context(), j.ID, after, limit+1)
	if err != nil {
		return err
	}
	page, next := cut(phones, limit, func(p phone.JobPhone) string { return p.PhoneID })
	answer := struct {
		Phones []jobPhoneAnswer `json:"phones"`
		Next   string           `json:"next,omitempty"`
	}{make([]jobPhoneAnswer, 0, len(page)), next}
	for _, p := range page {
		answer.Phones = append(answer.Phones, jobPhoneAnswer{
			PhoneID: p.PhoneID, Wave: p.Wave + 1, State: string(p.State), Outcome: p.Outcome, Reason: p.Reason,
			DueAt: stamp(p.DueAt), StartedAt: stamp(p.StartedAt), EndedAt: stamp(p.EndedAt),
		})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// orderJob answers the calls that stop a job or let it go on.
func (s *server) orderJob(order func(context.Context, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noQuery(r); err != nil {
			return err
		}
		id := mux.Vars(r)["id"]
		err := order(r.Context(), id)
		if err != nil && !errors.Is(err, phone.ErrNotFound) {
			return err
		}
		j, stored := s.Jobs.Job(r.Context(), id)
		switch {
		case stored != nil:
			return absent("job", stored)
		case err != nil && j.EndedAt.IsZero():
			return fmt.Errorf("the node %s runs this job; ask there: %w", j.Node, phone.ErrConflict)
		case err != nil:
			return fmt.Errorf("the job has ended: %w", phone.ErrConflict)
		}
		a, err := s.jobOf(r.Context(), j)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, a)
	}
}
