package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/resync"
)

// trialsEvery is how often the rollouts of templates are looked at, if there are any.
const trialsEvery = time.Second

// settleTemplates ends the rollouts of templates whose jobs this node runs: when
// every phone has its outcome the revision is active, when the job was halted or
// aborted the phones that were reached get the earlier one again.
func (a *App) settleTemplates(ctx context.Context) error {
	tick := time.NewTicker(trialsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, t := range a.library.Trials() {
			if err := a.settleTrial(ctx, t); err != nil && ctx.Err() == nil && !errors.Is(err, phone.ErrNotFound) {
				a.log.ErrorContext(ctx, "a rollout of a template could not be ended", slog.String("template", t.Template), slog.Any("error", err))
			}
		}
	}
}

// lostTrial is how long a rollout may have no job: it is stored a moment before it.
const lostTrial = time.Minute

func (a *App) settleTrial(ctx context.Context, t phone.TemplateTrial) error {
	job, running := a.jobs.Job(t.JobID)
	if !running {
		var err error
		if job, err = a.inventory.Job(ctx, t.JobID); errors.Is(err, phone.ErrNotFound) && time.Since(t.CreatedAt) > lostTrial {
			return a.library.EndTrial(ctx, t.JobID, false)
		} else if err != nil {
			return err
		}
	}
	switch {
	case job.Node != a.id.node:
		return nil
	case job.State == phone.JobDone:
		return a.library.EndTrial(ctx, t.JobID, true)
	case job.State == phone.JobHalted && t.Keep:
		return nil // somebody lets it go on, or aborts it
	case job.State == phone.JobHalted:
		reason := job.Reason + " The phones that were reached get the earlier revision again."
		if err := a.jobs.Abort(ctx, t.JobID, reason); err != nil {
			return err
		}
		return a.takeBack(ctx, t)
	case job.State == phone.JobAborted:
		return a.takeBack(ctx, t)
	}
	return nil
}

// takeBack gives the phones that were reached what is active, and tells them.
func (a *App) takeBack(ctx context.Context, t phone.TemplateTrial) error {
	ids := a.library.Reached(t.JobID)
	if err := a.library.EndTrial(ctx, t.JobID, false); err != nil || len(ids) == 0 {
		return err
	}
	job := phone.Job{Kind: resync.Resync, Args: map[string]string{"after": t.JobID}, Waves: phone.Waves{
		Jitter: 10 * time.Second, Patience: 5 * time.Minute, HaltPercent: 100,
	}}
	_, err := a.jobs.Start(ctx, job, ids)
	return err
}
