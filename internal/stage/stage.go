// Package stage gives a revision of a template to phones in waves. Task is what the job
// "template" does to one phone: tell it to fetch its configuration, and see whether it
// comes back, registered. Settler ends what such a job began: everybody gets the
// revision, or everybody gets what is active. Package library knows the templates,
// package rollout runs the jobs.
package stage

import (
	"context"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
)

// Task is a rollout.Task.
type Task struct {
	// Ready returns when the phones of a job may be told to fetch, and fails when its
	// trial has ended; library.Service.Ready.
	Ready func(ctx context.Context, jobID string) error
	// Told is the task "resync": what proves that a template is good is that the phone
	// fetched its files and registered after that.
	Told rollout.Task
}

var _ rollout.Task = (*Task)(nil)

// Begin implements rollout.Task. The phone has the revision already: that the job has
// begun with it is stored.
func (t *Task) Begin(ctx context.Context, job phone.Job, id string) error {
	if err := t.Ready(ctx, job.ID); err != nil {
		return err
	}
	return t.Told.Begin(ctx, job, id)
}

// Look implements rollout.Task.
func (t *Task) Look(ctx context.Context, job phone.Job, p phone.JobPhone) rollout.Verdict {
	return t.Told.Look(ctx, job, p)
}
