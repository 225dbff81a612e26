package rollout

import (
	"context"
	"slices"
	"time"
)

// Others are the other nodes behind the same store.
type Others interface {
	// TakeJobs says that node lives and gives it the jobs of nodes that have not said
	// so for as long as silent; it returns how many.
	TakeJobs(ctx context.Context, node string, silent time.Duration) (taken int, err error)
}

// signs is how many signs of life have to fail in a row.
const signs = 6

// watchOthers says that this node lives, and goes on with the jobs of those that do
// not, until ctx ends.
func (e *Engine) watchOthers(ctx context.Context) {
	tick := time.NewTicker(e.o.SilentFor / signs)
	defer tick.Stop()
	for {
		taken, err := e.o.Others.TakeJobs(ctx, e.o.Node, e.o.SilentFor)
		if err == nil && taken > 0 {
			e.o.Logger.InfoContext(ctx, "jobs of a node that is silent are taken over", "jobs", taken)
			err = e.restore(ctx)
			e.poke()
		}
		if err != nil && ctx.Err() == nil {
			e.o.Logger.WarnContext(ctx, "jobs of other nodes not looked for", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// letGo forgets a job that another node has taken over.
func (e *Engine) letGo(ctx context.Context, r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.jobs, r.m.job.ID)
	for id, runs := range e.under {
		if e.under[id] = slices.DeleteFunc(runs, func(o *run) bool { return o == r }); len(e.under[id]) == 0 {
			delete(e.under, id)
		}
	}
	e.countLocked()
	e.o.Logger.WarnContext(ctx, "another node has taken the job over", "job", r.m.job.ID)
}
