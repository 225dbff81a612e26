package rollout

import (
	"errors"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func TestWavesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(10*time.Second), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Canary: 2, Percents: []int{10, 50}, Soak: time.Minute}, phones(100))
		l.want(phone.JobRunning, "98 waiting, 2 working, 0 ok, 0 failed, 0 skipped")
		l.after(11 * time.Second) // the canaries are well; the next wave soaks
		l.want(phone.JobRunning, "98 waiting, 0 working, 2 ok, 0 failed, 0 skipped")
		l.after(time.Minute)
		l.want(phone.JobRunning, "90 waiting, 8 working, 2 ok, 0 failed, 0 skipped")
		l.after(72 * time.Second)
		l.want(phone.JobRunning, "50 waiting, 40 working, 10 ok, 0 failed, 0 skipped")
		l.after(72 * time.Second)
		l.want(phone.JobRunning, "0 waiting, 50 working, 50 ok, 0 failed, 0 skipped")
		l.after(12 * time.Second)
		l.want(phone.JobDone, "0 waiting, 0 working, 100 ok, 0 failed, 0 skipped")
		if _, ok := l.Job("job_1"); ok {
			t.Error("a job that is over is still held")
		}
		if l.Phones() != 0 {
			t.Errorf("%d phones under way", l.Phones())
		}
		if p := l.shelf.phone("job_1", "phone_042"); p.Outcome != "applied" || p.State != phone.PhoneSucceeded || p.EndedAt.IsZero() {
			t.Errorf("%+v", p)
		}
	})
}

// TestPace: never more than Parallel at once, and spread over Jitter.
func TestPace(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(5*time.Second), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Parallel: 7, Jitter: 10 * time.Second}, phones(100))
		l.after(5 * time.Second)
		if n := l.ward.count(); n > 14 {
			t.Errorf("%d phones begun in 5 s", n)
		}
		l.after(3 * time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 100 ok, 0 failed, 0 skipped")
		if l.ward.most > 7 {
			t.Errorf("%d at once", l.ward.most)
		}
	})
	inLab(t, newWard(time.Second), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Parallel: 100, Jitter: 100 * time.Second}, phones(100))
		l.after(10 * time.Second)
		if n := l.ward.count(); n < 5 || n > 20 {
			t.Errorf("%d of 100 phones begun after a tenth of the time", n)
		}
	})
}

func TestCanaryHalts(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(4*time.Second, "phone_001"), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Canary: 2, Patience: time.Minute, HaltPercent: 10}, phones(50))
		l.after(30 * time.Second)
		l.want(phone.JobRunning, "48 waiting, 1 working, 1 ok, 0 failed, 0 skipped")
		if p := l.shelf.phone("job_1", "phone_001"); p.Outcome != "fetched-not-registered" {
			t.Errorf("meanwhile %+v", p)
		}
		l.after(31 * time.Second)
		l.want(phone.JobHalted, "48 waiting, 0 working, 1 ok, 1 failed, 0 skipped")
		if j := l.shelf.job("job_1"); j.Reason != "1 of the 2 phones of wave 1 failed." || !j.EndedAt.IsZero() {
			t.Errorf("%+v", j)
		}
		l.after(time.Hour)
		if n := l.ward.count(); n != 2 {
			t.Errorf("%d begun although it is halted", n)
		}
		if err := l.Resume(t.Context(), "job_1"); err != nil {
			t.Fatal(err)
		}
		l.after(10 * time.Second)
		l.want(phone.JobDone, "0 waiting, 0 working, 49 ok, 1 failed, 0 skipped")
	})
}

// TestHaltsWhenTooMany: the bound is of the wave and is met while it runs.
func TestHaltsWhenTooMany(t *testing.T) {
	t.Parallel()
	bad := []string{"phone_000", "phone_001", "phone_002"}
	inLab(t, newWard(3*time.Second, bad...), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{HaltPercent: 10, Parallel: 5, Patience: 10500 * time.Millisecond}, phones(20))
		l.after(time.Minute)
		// The third failure halts; a place that the first two left may be taken by then.
		if j := l.shelf.job("job_1"); j.State != phone.JobHalted || j.Counts.Failed != 3 || j.Counts.Waiting < 7 || j.Counts.Working != 0 {
			t.Errorf("%s: %+v", j.State, j.Counts)
		}
	})
	inLab(t, newWard(3*time.Second, bad...), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{HaltPercent: 100, Patience: 10 * time.Second}, phones(20))
		l.after(time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 17 ok, 3 failed, 0 skipped")
	})
	inLab(t, newWard(time.Second, bad...), func(t *testing.T, l *lab) { // the last phones fail: nothing is left to hold back
		l.begin(phone.Waves{Patience: 10 * time.Second}, bad)
		l.after(time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 0 ok, 3 failed, 0 skipped")
	})
}

func TestPauseResumeAbort(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(10*time.Second), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Parallel: 2, Jitter: time.Second}, phones(6))
		l.after(2 * time.Second)
		l.want(phone.JobRunning, "4 waiting, 2 working, 0 ok, 0 failed, 0 skipped")
		if err := l.Pause(t.Context(), "job_1"); err != nil {
			t.Fatal(err)
		}
		if err := l.Pause(t.Context(), "job_1"); !errors.Is(err, phone.ErrConflict) {
			t.Errorf("paused twice: %v", err)
		}
		l.after(time.Hour) // what was under way goes on
		l.want(phone.JobPaused, "4 waiting, 0 working, 2 ok, 0 failed, 0 skipped")
		if err := l.Resume(t.Context(), "job_1"); err != nil {
			t.Fatal(err)
		}
		l.after(2 * time.Second)
		l.want(phone.JobRunning, "2 waiting, 2 working, 2 ok, 0 failed, 0 skipped")
		if err := l.Abort(t.Context(), "job_1", "Enough."); err != nil {
			t.Fatal(err)
		}
		l.want(phone.JobAborted, "0 waiting, 2 working, 2 ok, 0 failed, 2 skipped")
		if j := l.shelf.job("job_1"); !j.EndedAt.IsZero() || j.Reason != "Enough." {
			t.Errorf("%+v", j)
		}
		l.after(20 * time.Second)
		l.want(phone.JobAborted, "0 waiting, 0 working, 4 ok, 0 failed, 2 skipped")
		if l.shelf.job("job_1").EndedAt.IsZero() {
			t.Error("aborted and never ended")
		}
		for _, err := range []error{
			l.Pause(t.Context(), "job_1"), l.Resume(t.Context(), "job_1"), l.Abort(t.Context(), "job_2", ""),
		} {
			if !errors.Is(err, phone.ErrNotFound) {
				t.Errorf("a job that is over: %v", err)
			}
		}
	})
}

// TestBeginFails: an error of Begin is the end of a phone at once, a panic too.
func TestBeginFails(t *testing.T) {
	t.Parallel()
	w := newWard(time.Second)
	w.refuse["phone_000"] = &Failure{Outcome: "no-answer", Reason: "It is not registered."}
	w.refuse["phone_001"] = errors.New("disk full")
	w.begun["phone_002"] = time.Time{} // the ward panics
	inLab(t, w, func(t *testing.T, l *lab) {
		l.begin(phone.Waves{HaltPercent: 100}, phones(4))
		l.after(2 * time.Second)
		l.want(phone.JobDone, "0 waiting, 0 working, 1 ok, 3 failed, 0 skipped")
		for id, want := range map[string]string{
			"phone_000": "no-answer It is not registered.", "phone_001": "error disk full", "phone_002": "error internal error",
		} {
			if p := l.shelf.phone("job_1", id); p.Outcome+" "+p.Reason != want {
				t.Errorf("%s: %q %q, want %q", id, p.Outcome, p.Reason, want)
			}
		}
	})
}

// TestRestart: a job goes on where it was; nobody is begun twice, and who was
// under way has its old deadline.
func TestRestart(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(10*time.Second, "phone_001"), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Parallel: 2, Patience: time.Minute, HaltPercent: 100}, phones(5))
		l.after(5 * time.Second)
		l.want(phone.JobRunning, "3 waiting, 2 working, 0 ok, 0 failed, 0 skipped")
		l.stop()
		l.after(20 * time.Second)
		l.want(phone.JobRunning, "3 waiting, 2 working, 0 ok, 0 failed, 0 skipped")
		l.start()
		l.after(time.Second)
		l.want(phone.JobRunning, "2 waiting, 2 working, 1 ok, 0 failed, 0 skipped")
		l.after(36 * time.Second) // 62 s after its beginning
		if p := l.shelf.phone("job_1", "phone_001"); p.State != phone.PhoneFailed || p.EndedAt.Sub(p.StartedAt) != time.Minute {
			t.Errorf("%+v", p)
		}
		l.after(time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 4 ok, 1 failed, 0 skipped")
		l.stop()
		l.start() // nothing is left
		l.after(time.Second)
		if l.Phones() != 0 {
			t.Error("phones are under way")
		}
	})
}

// TestStoreFails: nothing is begun that is not stored, and it goes on later.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(time.Second), func(t *testing.T, l *lab) {
		l.shelf.breakIt(true)
		if _, err := l.Start(t.Context(), phone.Job{ID: "job_0", Kind: "resync"}, phones(1)); err == nil {
			t.Error("a job was acknowledged that is not stored")
		}
		l.shelf.breakIt(false)
		l.begin(phone.Waves{Soak: time.Minute, Canary: 1}, phones(2))
		l.after(10 * time.Second)
		l.shelf.breakIt(true)
		l.after(time.Minute)
		if n := l.ward.count(); n != 1 {
			t.Errorf("%d phones begun", n)
		}
		l.shelf.breakIt(false)
		l.after(10 * time.Second)
		l.want(phone.JobDone, "0 waiting, 0 working, 2 ok, 0 failed, 0 skipped")
	})
}

// TestObserve: without Recheck only what happens to a phone is a reason to look.
func TestObserve(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(10*time.Second), func(t *testing.T, l *lab) {
		l.stop()
		l.every = 0
		l.start()
		l.begin(phone.Waves{}, phones(1))
		if id, ok := l.Under("resync", "phone_000"); !ok || id != "job_1" {
			t.Errorf("under %q %v", id, ok)
		}
		l.after(10 * time.Second)
		for range 1000 {
			l.Observe("phone_000")
			l.Observe("phone_999")
			l.Observe("")
		}
		l.after(0)
		l.want(phone.JobDone, "0 waiting, 0 working, 1 ok, 0 failed, 0 skipped")
		if _, ok := l.Under("resync", "phone_000"); ok {
			t.Error("still under way")
		}
	})
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(time.Second), func(t *testing.T, l *lab) {
		for _, job := range []phone.Job{
			{ID: "job_1", Kind: "dance"},
			{ID: "job_1", Kind: "resync", Waves: phone.Waves{Percents: []int{50, 20}}},
			{ID: "job_1", Kind: "resync", Waves: phone.Waves{Percents: []int{101}}},
			{ID: "job_1", Kind: "resync", Waves: phone.Waves{Canary: -1}},
			{ID: "job_1", Kind: "resync", Waves: phone.Waves{HaltPercent: 101}},
			{ID: "job_1", Kind: "resync", Waves: phone.Waves{Soak: -1}},
		} {
			if _, err := l.Start(t.Context(), job, phones(1)); !errors.Is(err, phone.ErrInvalid) {
				t.Errorf("%+v: %v", job, err)
			}
		}
		l.begin(phone.Waves{}, nil)
		l.want(phone.JobDone, "0 waiting, 0 working, 0 ok, 0 failed, 0 skipped")
	})
}

// A job whose end means something waits for somebody when its last wave failed.
func TestHoldWhenTheLastWaveFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hold  bool
		order func(l *lab) error
		want  phone.JobState
	}{
		"not held":          {false, nil, phone.JobDone},
		"held":              {true, nil, phone.JobHalted},
		"held, then let be": {true, func(l *lab) error { return l.Resume(l.t.Context(), "job_1") }, phone.JobDone},
		"held, then not":    {true, func(l *lab) error { return l.Abort(l.t.Context(), "job_1", "No.") }, phone.JobAborted},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, newWard(time.Second, "phone_000"), func(t *testing.T, l *lab) {
				l.begin(phone.Waves{Canary: 1, Patience: time.Minute, Hold: tt.hold}, phones(1))
				l.after(2 * time.Minute)
				if tt.order != nil {
					if err := tt.order(l); err != nil {
						t.Fatal(err)
					}
				}
				l.want(tt.want, "0 waiting, 0 working, 0 ok, 1 failed, 0 skipped")
				if ended := !l.shelf.job("job_1").EndedAt.IsZero(); ended == (tt.want == phone.JobHalted) {
					t.Errorf("ended: %v", ended)
				}
			})
		})
	}
}

// All phones of a job are stored from its beginning: after a restart the waves that
// were to come do come.
func TestLaterWavesAreStored(t *testing.T) {
	t.Parallel()
	inLab(t, newWard(time.Second), func(t *testing.T, l *lab) {
		l.begin(phone.Waves{Canary: 1, Percents: []int{50}, Soak: time.Minute}, phones(10))
		l.stop()
		if stored, err := l.shelf.JobPhones(t.Context(), "job_1", "", 100); err != nil || len(stored) != 10 {
			t.Errorf("%d of 10 phones are stored, %v", len(stored), err)
		}
		l.start()
		l.after(10 * time.Minute)
		l.want(phone.JobDone, "0 waiting, 0 working, 10 ok, 0 failed, 0 skipped")
	})
}
