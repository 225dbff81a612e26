package inventory

import (
	"context"
	"errors"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// StartTemplateTrial stores a trial. phone.ErrConflict: its template, or another of
// the same vendor and file, has one; phone.ErrNotFound: there is no such revision.
func (s *Store) StartTemplateTrial(ctx context.Context, t phone.TemplateTrial) error {
	err := s.write(ctx, func(u *unit) error {
		own, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`, clip(t.Template, maxText))
		if err != nil {
			return err
		}
		// Locked in one order, so that two nodes do not start two at once.
		if _, err := engine.All(u, scanTemplate, templateColumns+`WHERE vendor = $1 AND file = $2 ORDER BY name`+u.ForUpdate(), string(own.Vendor), own.File); err != nil {
			return err
		}
		if _, err := engine.One(u, scanRevision, revisionColumns+`WHERE template = $1 AND number = $2`, own.Name, t.Revision); err != nil {
			return err
		}
		other, err := engine.One(u, scanTrial, trialColumns+`WHERE template IN (SELECT name FROM templates WHERE vendor = $1 AND file = $2)`, string(own.Vendor), own.File)
		if err == nil {
			return underWay(other)
		}
		if !errors.Is(err, phone.ErrNotFound) {
			return err
		}
		u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: own.Name}})
		return u.exec(`INSERT INTO template_trials (template, revision, job_id, keep, created_at, ended) VALUES ($1, $2, $3, $4, $5, 0)`,
			own.Name, t.Revision, t.JobID, flag(t.Keep), toMillis(u.Now))
	})
	if err != nil {
		return fmt.Errorf("start a rollout of a template: %w", err)
	}
	return nil
}

// HaltTemplateTrial gives all phones what is active, and leaves the trial to be ended
// when those that it reached have been told. phone.ErrNotFound: it has ended.
func (s *Store) HaltTemplateTrial(ctx context.Context, jobID string) error {
	return s.changeTrial(ctx, jobID, func(u *unit, t phone.TemplateTrial) error {
		u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: t.Template}})
		return u.exec(`UPDATE template_trials SET ended = 1 WHERE job_id = $1`, jobID)
	})
}

// EndTemplateTrial ends the trial of a job. With activate its revision is active from
// the same transaction on. phone.ErrNotFound: it has ended.
func (s *Store) EndTemplateTrial(ctx context.Context, jobID string, activate bool) error {
	return s.changeTrial(ctx, jobID, func(u *unit, trial phone.TemplateTrial) error {
		if err := u.exec(`DELETE FROM template_trials WHERE job_id = $1`, jobID); err != nil {
			return err
		}
		t, err := engine.One(u, scanTemplate, templateColumns+`WHERE name = $1`+u.ForUpdate(), trial.Template)
		if err != nil {
			return err
		}
		if activate {
			t.Active = trial.Revision
		}
		return u.saveTemplate(&t)
	})
}

func (s *Store) changeTrial(ctx context.Context, jobID string, change func(*unit, phone.TemplateTrial) error) error {
	err := s.write(ctx, func(u *unit) error {
		t, err := engine.One(u, scanTrial, trialColumns+`WHERE job_id = $1`+u.ForUpdate(), jobID)
		if err != nil {
			return err
		}
		return change(u, t)
	})
	if err != nil {
		return fmt.Errorf("end a rollout of a template: %w", err)
	}
	return nil
}

// TrialReached reports whether the trial of a job has reached a phone: the job stores
// that before it tells the phone anything. phone.ErrNotFound: the trial has ended.
func (s *Store) TrialReached(ctx context.Context, jobID, phoneID string) (bool, error) {
	reached, err := engine.One(s.db.Reader(ctx), func(row engine.Row) (bool, error) {
		var ended int64
		var state phone.JobPhoneState
		err := row.Scan(&ended, (*string)(&state))
		return ended == 0 && state != phone.PhoneWaiting && state != phone.PhoneSkipped, err
	}, `SELECT t.ended, COALESCE(p.state, $3) FROM template_trials t
		LEFT JOIN job_phones p ON p.job_id = t.job_id AND p.phone_id = $2 WHERE t.job_id = $1`,
		jobID, phoneID, string(phone.PhoneWaiting))
	if err != nil {
		return false, fmt.Errorf("read a rollout of a template: %w", err)
	}
	return reached, nil
}

// TrialPhones are the phones that the trial of a job has reached, by id.
func (s *Store) TrialPhones(ctx context.Context, jobID string) ([]string, error) {
	list, err := engine.All(s.db.Reader(ctx), func(row engine.Row) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	}, `SELECT phone_id FROM job_phones WHERE job_id = $1 AND state NOT IN ($2, $3) ORDER BY phone_id`,
		jobID, string(phone.PhoneWaiting), string(phone.PhoneSkipped))
	if err != nil {
		return nil, fmt.Errorf("list the phones of a rollout: %w", err)
	}
	return list, nil
}

// TemplateTrials returns the trials that have not ended, by template.
func (s *Store) TemplateTrials(ctx context.Context) ([]phone.TemplateTrial, error) {
	list, err := engine.All(s.db.Reader(ctx), scanTrial, trialColumns+`ORDER BY template`)
	if err != nil {
		return nil, fmt.Errorf("list rollouts of templates: %w", err)
	}
	return list, nil
}

// notOnTrial refuses to change what phones get of a template that is being rolled
// out. The row of the template is locked, or new.
func (u *unit) notOnTrial(template string) error {
	t, err := engine.One(u, scanTrial, trialColumns+`WHERE template = $1`, template)
	switch {
	case errors.Is(err, phone.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return underWay(t)
}

func underWay(t phone.TemplateTrial) error {
	return fmt.Errorf("revision %d of %s is being rolled out by job %s; abort that first: %w", t.Revision, t.Template, t.JobID, phone.ErrConflict)
}

const trialColumns = `SELECT template, revision, job_id, keep, created_at, ended FROM template_trials `

func scanTrial(row engine.Row) (t phone.TemplateTrial, err error) {
	var keep, created, ended int64
	err = row.Scan(&t.Template, &t.Revision, &t.JobID, &keep, &created, &ended)
	t.Keep, t.Ended, t.CreatedAt = keep != 0, ended != 0, fromMillis(created)
	return t, err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
