package stage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Library has the revisions that are given in waves; *library.Service is one.
type Library interface {
	Trials() []phone.TemplateTrial
	// HaltTrial gives all phones what is active; EndTrial ends the trial, with activate
	// all phones get its revision. phone.ErrNotFound: somebody has ended it.
	HaltTrial(ctx context.Context, jobID string) error
	EndTrial(ctx context.Context, jobID string, activate bool) error
}

// Store is what is stored of jobs; *inventory.Store is one.
type Store interface {
	Job(ctx context.Context, id string) (phone.Job, error)
	// TrialPhones are the phones that a job has reached.
	TrialPhones(ctx context.Context, jobID string) ([]string, error)
}

// Jobs runs jobs; *rollout.Engine is one.
type Jobs interface {
	Job(id string) (phone.Job, bool)
	Start(ctx context.Context, job phone.Job, ids []string) (phone.Job, error)
	Abort(ctx context.Context, id, why string) error
}

const (
	settleEvery = time.Second
	// grace is how long a trial may have no job, since it is stored a moment before it,
	// and how long the end of a job of another node is left to that node.
	grace = time.Minute
)

// Settler ends trials whose jobs have ended. All fields but Now and Logger are required.
type Settler struct {
	Library Library
	Store   Store
	Jobs    Jobs
	Node    string // of this process
	// Back is the kind of the jobs that tell phones to fetch what is active again.
	Back   string
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard
}

// Run looks at the trials once a second until ctx ends.
func (s *Settler) Run(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.Settle(ctx); err != nil && ctx.Err() == nil && s.Logger != nil {
			s.Logger.ErrorContext(ctx, "a rollout of a template could not be ended", slog.Any("error", err))
		}
	}
}

// Settle ends what can be ended now. Whatever stops it half-way, the next call goes on:
// of each step is stored that it was done.
func (s *Settler) Settle(ctx context.Context) error {
	var all []error
	for _, t := range s.Library.Trials() {
		if err := s.settle(ctx, t); err != nil && !errors.Is(err, phone.ErrNotFound) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func (s *Settler) settle(ctx context.Context, t phone.TemplateTrial) error {
	job, running := s.Jobs.Job(t.JobID)
	if !running {
		var err error
		if job, err = s.Store.Job(ctx, t.JobID); errors.Is(err, phone.ErrNotFound) && s.since(t.CreatedAt) > grace {
			return s.Library.EndTrial(ctx, t.JobID, false)
		} else if err != nil {
			return err
		}
	}
	if job.Node != s.Node && (job.EndedAt.IsZero() || s.since(job.EndedAt) <= grace) {
		return nil // its node does it, or whoever takes the job over
	}
	switch job.State {
	case phone.JobDone:
		return s.Library.EndTrial(ctx, t.JobID, true)
	case phone.JobAborted:
		return s.takeBack(ctx, t)
	case phone.JobHalted:
		if t.Keep {
			return nil // somebody lets it go on, or aborts it
		}
		return s.Jobs.Abort(ctx, t.JobID, job.Reason+" The phones that were reached get the earlier revision again.")
	}
	return nil
}

// takeBack gives the phones that were reached what is active, and tells them.
func (s *Settler) takeBack(ctx context.Context, t phone.TemplateTrial) error {
	ids, err := s.Store.TrialPhones(ctx, t.JobID)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return s.Library.EndTrial(ctx, t.JobID, false)
	}
	if !t.Ended {
		if err := s.Library.HaltTrial(ctx, t.JobID); err != nil {
			return err
		}
	}
	if err := s.tell(ctx, t, ids); err != nil {
		return err
	}
	return s.Library.EndTrial(ctx, t.JobID, false)
}

// tell starts the job that tells phones to fetch. Its name follows from the trial, so
// that it is there once, whoever begins it how often.
func (s *Settler) tell(ctx context.Context, t phone.TemplateTrial, ids []string) error {
	job := phone.Job{ID: t.JobID + "back", Kind: s.Back, Args: map[string]string{"after": t.JobID}, Waves: phone.Waves{
		Jitter: 10 * time.Second, Patience: 5 * time.Minute, HaltPercent: 100,
	}}
	_, err := s.Store.Job(ctx, job.ID)
	if errors.Is(err, phone.ErrNotFound) {
		_, err = s.Jobs.Start(ctx, job, ids)
	}
	return err
}

func (s *Settler) since(t time.Time) time.Duration {
	if s.Now != nil {
		return s.Now().Sub(t)
	}
	return time.Since(t)
}
