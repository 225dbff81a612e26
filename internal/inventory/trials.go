package inventory

import (
	"context"
	"fmt"

	"pbx.dev/dialtone/internal/inventory/engine"
	"pbx.dev/dialtone/internal/phone"
)

// StartTemplateTrial stores a trial. A template that has one is phone.ErrConflict, a
// revision that is not there phone.ErrNotFound.
func (s *Store) StartTemplateTrial(ctx context.Context, t phone.TemplateTrial) error {
	err := s.write(ctx, func(u *unit) error {
		if _, err := engine.One(u, scanRevision, revisionColumns+`WHERE template = $1 AND number = $2`, clip(t.Template, maxText), t.Revision); err != nil {
			return err
		}
		n, err := u.Exec(`INSERT INTO template_trials (template, revision, job_id, keep, created_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (template) DO NOTHING`, t.Template, t.Revision, t.JobID, flag(t.Keep), toMillis(u.Now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("a rollout of the template %s is under way: %w", t.Template, phone.ErrConflict)
		}
		u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: t.Template}})
		return nil
	})
	if err != nil {
		return fmt.Errorf("start a rollout of a template: %w", err)
	}
	return nil
}

// EndTemplateTrial ends the trial of a job. With activate its revision is active from
// the same transaction on. phone.ErrNotFound: it has ended.
func (s *Store) EndTemplateTrial(ctx context.Context, jobID string, activate bool) error {
	err := s.write(ctx, func(u *unit) error {
		trial, err := engine.One(u, scanTrial, trialColumns+`WHERE job_id = $1`+u.ForUpdate(), jobID)
		if err != nil {
			return err
		}
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
	if err != nil {
		return fmt.Errorf("end a rollout of a template: %w", err)
	}
	return nil
}

// NoteTemplateTrial tells the other nodes that a trial has reached more phones.
func (s *Store) NoteTemplateTrial(ctx context.Context, template string) error {
	return s.write(ctx, func(u *unit) error {
		u.changed(effect{Change: Change{Kind: ChangeTemplate, ID: template}})
		return u.exec(`UPDATE template_trials SET created_at = created_at WHERE template = $1`, template)
	})
}

// TemplateTrials returns the trials that have not ended, by template.
func (s *Store) TemplateTrials(ctx context.Context) ([]phone.TemplateTrial, error) {
	list, err := engine.All(s.db.Reader(ctx), scanTrial, trialColumns+`ORDER BY template`)
	if err != nil {
		return nil, fmt.Errorf("list rollouts of templates: %w", err)
	}
	return list, nil
}

const trialColumns = `SELECT template, revision, job_id, keep, created_at FROM template_trials `

func scanTrial(row engine.Row) (t phone.TemplateTrial, err error) {
	var keep, created int64
	err = row.Scan(&t.Template, &t.Revision, &t.JobID, &keep, &created)
	t.Keep, t.CreatedAt = keep != 0, fromMillis(created)
	return t, err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
