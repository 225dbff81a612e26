package inventory

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

// twoRevisions are a template with its first revision active and a second one.
func twoRevisions(t *testing.T, s *Store, name string) {
	t.Helper()
	first, second := draft("one"), draft("two")
	first.Activate = true
	if _, _, err := s.CreateTemplate(t.Context(), phone.Template{Name: name, Vendor: phone.Yealink, File: "phone"}, first); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.UpdateTemplate(t.Context(), name, second); err != nil {
		t.Fatal(err)
	}
}

func trialOf(template, job string) phone.TemplateTrial {
	return phone.TemplateTrial{Template: template, Revision: 2, JobID: job}
}

// While a revision is rolled out nothing else may decide what phones get, whichever
// node is asked.
func TestTrialKeepsOthersOut(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d database) {
		here := d.open(t)
		there := here
		if d.url != "" {
			there = d.open(t)
		}
		ctx := t.Context()
		twoRevisions(t, here, "reception")
		twoRevisions(t, here, "lobby")
		active := draft("three")
		active.Activate = true
		changes := map[string]func() error{
			"another rollout":            func() error { return there.StartTemplateTrial(ctx, trialOf("reception", "job_x")) },
			"a rollout of the same file": func() error { return there.StartTemplateTrial(ctx, trialOf("lobby", "job_x")) },
			"an active revision":         func() error { _, _, err := there.UpdateTemplate(ctx, "reception", active); return err },
			"a pack": func() error {
				return there.StoreTemplates(ctx, []phone.Template{{Name: "reception", Vendor: phone.Yealink, File: "phone"}}, []phone.TemplateDraft{active})
			},
			"the other revision":            func() error { _, err := there.ActivateTemplate(ctx, "reception", 2, nil); return err },
			"the built-in template":         func() error { _, err := there.ActivateTemplate(ctx, "reception", 0, nil); return err },
			"the end of the whole template": func() error { return there.DeleteTemplate(ctx, "reception", nil) },
		}
		if err := here.StartTemplateTrial(ctx, trialOf("reception", "job_1")); err != nil {
			t.Fatal(err)
		}
		for name, change := range changes {
			if err := change(); !errors.Is(err, phone.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		if _, _, err := there.UpdateTemplate(ctx, "reception", draft("four")); err != nil {
			t.Errorf("a revision that is only stored: %v", err)
		}
		if got := must[phone.Template](t)(here.Template(ctx, "reception")); got.Active != 1 || got.Latest != 3 {
			t.Errorf("the template is %+v", got)
		}
		if err := there.EndTemplateTrial(ctx, "job_1", true); err != nil {
			t.Fatal(err)
		}
		if got := must[phone.Template](t)(here.Template(ctx, "reception")); got.Active != 2 {
			t.Errorf("afterwards %+v", got)
		}
		wantErr(t, here.EndTemplateTrial(ctx, "job_1", true), phone.ErrNotFound)
		wantErr(t, here.HaltTemplateTrial(ctx, "job_1"), phone.ErrNotFound)
		if err := changes["a rollout of the same file"](); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestTrialThatCannotBe(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		twoRevisions(t, s, "reception")
		bad := trialOf("reception", "job_1")
		bad.Revision = 3
		wantErr(t, s.StartTemplateTrial(t.Context(), bad), phone.ErrNotFound)
		wantErr(t, s.StartTemplateTrial(t.Context(), trialOf("nothing", "job_1")), phone.ErrNotFound)
		if list := must[[]phone.TemplateTrial](t)(s.TemplateTrials(t.Context())); len(list) != 0 {
			t.Errorf("stored %+v", list)
		}
	})
}

// A trial has reached the phones that its job has begun with, until it is over.
func TestTrialReached(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Millisecond)
		twoRevisions(t, s, "reception")
		states := map[string]phone.JobPhoneState{
			"phone_1": phone.PhoneWaiting, "phone_2": phone.PhoneWorking, "phone_3": phone.PhoneSucceeded, "phone_4": phone.PhoneFailed, "phone_5": phone.PhoneSkipped,
		}
		var phones []phone.JobPhone
		for id, state := range states {
			phones = append(phones, phone.JobPhone{JobID: "job_1", PhoneID: id, State: state})
		}
		if err := s.CreateJob(ctx, sampleJob("job_1", now), phones); err != nil {
			t.Fatal(err)
		}
		reached := func() (out []string) {
			for _, id := range []string{"phone_1", "phone_2", "phone_3", "phone_4", "phone_5", "phone_6"} {
				if must[bool](t)(s.TrialReached(ctx, "job_1", id)) {
					out = append(out, id)
				}
			}
			return out
		}
		_, err := s.TrialReached(ctx, "job_1", "phone_2")
		wantErr(t, err, phone.ErrNotFound) // the job alone is no trial
		trial := trialOf("reception", "job_1")
		trial.Keep = true
		if err := s.StartTemplateTrial(ctx, trial); err != nil {
			t.Fatal(err)
		}
		want := []string{"phone_2", "phone_3", "phone_4"}
		if diff := cmp.Diff(want, reached()); diff != "" {
			t.Error(diff)
		}
		if err := s.HaltTemplateTrial(ctx, "job_1"); err != nil {
			t.Fatal(err)
		}
		if got := reached(); got != nil {
			t.Errorf("halted, it still gives %v the revision", got)
		}
		list := must[[]phone.TemplateTrial](t)(s.TemplateTrials(ctx))
		if len(list) != 1 || !list[0].Ended || !list[0].Keep || list[0].Revision != 2 || list[0].CreatedAt.IsZero() {
			t.Errorf("halted, it is %+v", list)
		}
		if diff := cmp.Diff(want, must[[]string](t)(s.TrialPhones(ctx, "job_1"))); diff != "" {
			t.Errorf("who is to be told: %s", diff)
		}
		if err := s.EndTemplateTrial(ctx, "job_1", false); err != nil {
			t.Fatal(err)
		}
		_, err = s.TrialReached(ctx, "job_1", "phone_2")
		wantErr(t, err, phone.ErrNotFound)
		if got := must[phone.Template](t)(s.Template(ctx, "reception")); got.Active != 1 {
			t.Errorf("not activated, it is %+v", got)
		}
	})
}
