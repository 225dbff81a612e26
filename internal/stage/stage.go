// Package stage is what a job "template" does to one phone: let it have the revision
// of a template, tell it to fetch its configuration, and see whether it comes back,
// registered. Package library knows the templates, package rollout runs it.
package stage

import (
	"context"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/rollout"
)

// Task is a rollout.Task.
type Task struct {
	// Reach lets a device have the revision of a job; library.Service.Reach.
	Reach func(ctx context.Context, jobID, deviceID string) error
	// Told is the task "resync": what proves that a template is good is that the phone
	// fetched its files and registered after that.
	Told rollout.Task
}

var _ rollout.Task = (*Task)(nil)

// Begin implements rollout.Task.
func (t *Task) Begin(ctx context.Context, job phone.Job, id string) error {
	if err := t.Reach(ctx, job.ID, id); err != nil {
		return err
	}
	return t.Told.Begin(ctx, job, id)
}

// Look implements rollout.Task.
func (t *Task) Look(ctx context.Context, job phone.Job, p phone.JobPhone) rollout.Verdict {
	return t.Told.Look(ctx, job, p)
}
