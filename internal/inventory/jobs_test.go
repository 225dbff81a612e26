package inventory

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func sampleJob(id string, at time.Time) phone.Job {
	return phone.Job{
		ID: id, Kind: "resync", Args: map[string]string{"firmware": "fw_1"}, Node: "n1", State: phone.JobRunning,
		Waves: phone.Waves{Canary: 2, Percents: []int{10, 100}, Jitter: time.Minute, Parallel: 5, HaltPercent: 10},
		Wave:  1, WaveAt: at.Add(time.Minute), Forgiven: 1, CreatedAt: at, Counts: phone.JobCounts{Total: 120, Waiting: 120},
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
		job := sampleJob(newID("job_"), now)
		var phones []phone.JobPhone
		for i := range 120 {
			phones = append(phones, phone.JobPhone{
				JobID: job.ID, PhoneID: fmt.Sprintf("phone_%03d", i), Wave: i / 50, State: phone.PhoneWaiting, DueAt: now,
			})
		}
		if err := s.CreateJob(ctx, job, phones); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(job, must[phone.Job](t)(s.Job(ctx, job.ID))); diff != "" {
			t.Error(diff)
		}
		job.State, job.Reason, job.EndedAt, job.Counts = phone.JobDone, "Because.", now.Add(time.Hour), phone.JobCounts{Total: 120, Failed: 1}
		phones[7].State, phones[7].StartedAt, phones[7].EndedAt = phone.PhoneFailed, now, now.Add(time.Second)
		phones[7].Outcome, phones[7].Reason = "no-answer", "It is not registered."
		if got := must[[]phone.Job](t)(s.UnfinishedJobs(ctx, "n1")); len(got) != 1 {
			t.Errorf("%d unfinished", len(got))
		}
		if err := s.SaveJob(ctx, job, phones[7:8]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(job, must[phone.Job](t)(s.Job(ctx, job.ID))); diff != "" {
			t.Error(diff)
		}
		var got []phone.JobPhone
		for after := ""; ; {
			page := must[[]phone.JobPhone](t)(s.JobPhones(ctx, job.ID, after, 50))
			if got = append(got, page...); len(page) < 50 {
				break
			}
			after = page[len(page)-1].PhoneID
		}
		if diff := cmp.Diff(phones, got); diff != "" {
			t.Error(diff)
		}
		for _, node := range []string{"n1", "n2"} {
			if got := must[[]phone.Job](t)(s.UnfinishedJobs(ctx, node)); len(got) != 0 {
				t.Errorf("%d unfinished on %s", len(got), node)
			}
		}
		if _, err := s.Job(ctx, "job_none"); !errors.Is(err, phone.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestJobsList: newest first, in pages, and those that ended long ago are gone.
func TestJobsList(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
		var want []string
		for i := range 5 {
			job := sampleJob(newID("job_"), now.Add(time.Duration(i/2)*time.Second)) // pairs of the same age
			if err := s.CreateJob(ctx, job, nil); err != nil {
				t.Fatal(err)
			}
			want = append(want, job.ID)
		}
		var got []string
		for before := ""; ; {
			page := must[[]phone.Job](t)(s.Jobs(ctx, before, 2))
			for _, j := range page {
				got = append(got, j.ID)
			}
			if len(page) < 2 {
				break
			}
			before = got[len(got)-1]
		}
		if len(got) != 5 || got[0] != want[4] {
			t.Errorf("%v, want %v backwards", got, want)
		}
		old := sampleJob(newID("job_"), now)
		old.EndedAt = now.Add(-100 * 24 * time.Hour)
		phones := []phone.JobPhone{{JobID: old.ID, PhoneID: "phone_1", State: phone.PhoneSkipped}}
		if err := s.CreateJob(ctx, old, phones); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Job(ctx, old.ID); !errors.Is(err, phone.ErrNotFound) {
			t.Errorf("a job that ended long ago: %v", err)
		}
		if got := must[[]phone.JobPhone](t)(s.JobPhones(ctx, old.ID, "", 10)); len(got) != 0 {
			t.Error("its phones are still there")
		}
		if _, err := s.Jobs(ctx, "job_none", 2); !errors.Is(err, phone.ErrNotFound) {
			t.Error(err)
		}
	})
}
