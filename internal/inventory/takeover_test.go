package inventory

import (
	"sync/atomic"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func TestTakeJobs(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		var later atomic.Int64
		o := d.options()
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		s := openWith(t, o)
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
		take := func(node string, want int) {
			t.Helper()
			if got := must[int](t)(s.TakeJobs(ctx, node, time.Minute)); got != want {
				t.Errorf("%s takes %d jobs, want %d", node, got, want)
			}
		}
		job := sampleJob("job_1", now) // of the node n1
		ended := sampleJob("job_2", now)
		ended.State, ended.EndedAt = phone.JobDone, now
		for _, j := range []phone.Job{job, ended} {
			if err := s.CreateJob(ctx, j, nil); err != nil {
				t.Fatal(err)
			}
		}
		take("n2", 0) // n1 has never said that it lives
		take("n1", 0)
		later.Store(int64(30 * time.Second))
		take("n2", 0)
		later.Store(int64(2 * time.Minute))
		take("n2", 1)
		take("n3", 0)
		if got := must[[]phone.Job](t)(s.UnfinishedJobs(ctx, "n2")); len(got) != 1 || got[0].ID != "job_1" {
			t.Errorf("n2 has %+v", got)
		}
		// The node that had it comes to itself: it may not store it any more.
		wantErr(t, s.SaveJob(ctx, job, nil), phone.ErrConflict)
		if got := must[phone.Job](t)(s.Job(ctx, "job_2")); got.Node != "n1" {
			t.Errorf("a job that has ended went to %s", got.Node)
		}
		later.Store(int64(forgetNode + time.Hour))
		take("n4", 1)
	})
}
