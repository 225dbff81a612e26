package library

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/templates"
)

// TrialKind is the kind of the jobs that give phones a revision in waves.
const TrialKind = "template"

// The arguments of such a job.
const (
	ArgTemplate = "template"
	ArgRevision = "revision"
)

// TrialStore keeps trials and the jobs that run them.
type TrialStore interface {
	TemplateTrials(ctx context.Context) ([]phone.TemplateTrial, error)
	StartTemplateTrial(ctx context.Context, t phone.TemplateTrial) error
	HaltTemplateTrial(ctx context.Context, jobID string) error
	EndTemplateTrial(ctx context.Context, jobID string, activate bool) error
	// TrialReached reports whether a job has begun with a phone; phone.ErrNotFound:
	// the trial has ended.
	TrialReached(ctx context.Context, jobID, phoneID string) (bool, error)
}

// trial is a revision that some phones get before the others.
type trial struct {
	phone.TemplateTrial
	library *templates.Library // as in use, with the revision; nil: it cannot be used
}

const (
	// trialWait is how long a fetch waits to hear whether a trial has reached the phone.
	trialWait = 2 * time.Second
	// trialSpread is how long the other nodes may take to hear of a trial.
	trialSpread = 2 * time.Second
)

// LibraryOf returns the templates that a device gets a file from. While no trial of
// that file runs, that is one look at a pointer; else the store is asked, which knows
// of each phone before the phone is told to fetch, whichever node tells it. When the
// store does not answer, the phone gets what is active.
func (s *Service) LibraryOf(file, deviceID string) *templates.Library {
	t := s.trialOf(file)
	if t == nil || t.library == nil || deviceID == "" {
		return s.opts.Live.Library()
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialWait)
	defer cancel()
	reached, err := s.opts.Trials.TrialReached(ctx, t.JobID, deviceID)
	switch {
	case reached && err == nil:
		return t.library
	case errors.Is(err, phone.ErrNotFound): // another node has ended it, we have not heard yet
		err = s.forget(ctx, t)
	}
	if err != nil {
		s.log.ErrorContext(ctx, "not known whether a rollout has reached a phone: it gets what is active", "job", t.JobID, "phone", deviceID, "error", err)
	}
	return s.opts.Live.Library()
}

// trialOf is the trial of a file; nil: there is none.
func (s *Service) trialOf(file string) *trial {
	trials := s.trials.Load()
	if trials == nil {
		return nil
	}
	return (*trials)[file]
}

// forget reads again what is in use, once for all who found that t has ended.
func (s *Service) forget(ctx context.Context, t *trial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, now := range s.Trials() {
		if now.JobID == t.JobID {
			return s.reload(ctx)
		}
	}
	return nil
}

// Trials are those that have not ended.
func (s *Service) Trials() []phone.TemplateTrial {
	var out []phone.TemplateTrial
	if trials := s.trials.Load(); trials != nil {
		for _, t := range *trials {
			out = append(out, t.TemplateTrial)
		}
	}
	slices.SortFunc(out, func(a, b phone.TemplateTrial) int { return strings.Compare(a.Template, b.Template) })
	return out
}

// TrialOf is the trial of a template.
func (s *Service) TrialOf(name string) (phone.TemplateTrial, bool) {
	for _, t := range s.Trials() {
		if t.Template == name {
			return t, true
		}
	}
	return phone.TemplateTrial{}, false
}

// loadTrials reads the trials again; all is what is active. s.mu is held.
func (s *Service) loadTrials(ctx context.Context, active []templates.Variant) error {
	if s.opts.Trials == nil {
		return nil
	}
	list, err := s.opts.Trials.TemplateTrials(ctx)
	if err != nil {
		return err
	}
	trials := make(map[string]*trial, len(list))
	for _, stored := range list {
		t, err := s.opts.Reader.Template(ctx, stored.Template)
		if err != nil {
			return err
		}
		r, err := s.opts.Reader.TemplateRevision(ctx, stored.Template, stored.Revision)
		if err != nil {
			return err
		}
		if stored.Ended {
			trials[fileOf(t)] = &trial{TemplateTrial: stored}
			continue
		}
		one := &trial{TemplateTrial: stored}
		variants := append([]templates.Variant{variantOf(t, r)}, slices.DeleteFunc(slices.Clone(active), func(v templates.Variant) bool { return v.Name == t.Name })...)
		lib, errs := templates.NewLibrary(templates.Builtin(), variants...)
		var fault *templates.VariantError
		for _, err := range errs {
			if errors.As(err, &fault) && fault.Name == t.Name {
				lib = nil
				s.log.ErrorContext(ctx, "the revision of a rollout cannot be used", "error", err)
			}
		}
		one.library = lib
		trials[fileOf(t)] = one
	}
	if len(trials) == 0 {
		s.trials.Store(nil)
	} else {
		s.trials.Store(&trials)
	}
	return nil
}

// Ready returns as soon as a phone of a job's trial may be told to fetch: all nodes
// have heard of the trial. phone.ErrNotFound: it has ended.
func (s *Service) Ready(ctx context.Context, jobID string) error {
	for _, t := range s.Trials() {
		if t.JobID != jobID || t.Ended {
			continue
		}
		left := trialSpread - time.Since(t.CreatedAt)
		if !s.opts.Shared || left <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(left, trialSpread)):
			return nil
		}
	}
	return fmt.Errorf("the rollout has ended: %w", phone.ErrNotFound)
}

// PrepareTrial checks a revision and stores that it is to be rolled out by the job
// that is returned, which the caller starts, and the phones that it concerns. A
// template that does not belong to one phone each is phone.ErrInvalid, one whose file
// has a trial already phone.ErrConflict.
func (s *Service) PrepareTrial(ctx context.Context, name string, number int64, keep bool) (phone.Job, []string, error) {
	t, err := s.opts.Reader.Template(ctx, name)
	if err != nil {
		return phone.Job{}, nil, err
	}
	if !templates.Own(fileOf(t)) {
		return phone.Job{}, nil, phone.Invalid("waves", "are for templates of files that belong to one phone; all phones share this one")
	}
	r, err := s.opts.Reader.TemplateRevision(ctx, name, number)
	if errors.Is(err, phone.ErrNotFound) {
		return phone.Job{}, nil, phone.Invalid("revision", fmt.Sprintf("there is no revision %d of %s", number, name))
	}
	if err != nil {
		return phone.Job{}, nil, err
	}
	if number == t.Active {
		return phone.Job{}, nil, fmt.Errorf("revision %d is active already: %w", number, phone.ErrConflict)
	}
	if _, err := s.Check(t, r.TemplateContent); err != nil {
		return phone.Job{}, nil, err
	}
	ids, err := s.concerned(ctx, t, r.TemplateContent)
	if err != nil {
		return phone.Job{}, nil, err
	}
	job := phone.Job{
		ID: "job_" + strings.ToLower(rand.Text()[:20]), Kind: TrialKind,
		Args: map[string]string{ArgTemplate: name, ArgRevision: fmt.Sprint(number)},
	}
	err = s.opts.Trials.StartTemplateTrial(ctx, phone.TemplateTrial{Template: name, Revision: number, JobID: job.ID, Keep: keep, CreatedAt: time.Now()})
	if err != nil {
		return job, nil, err
	}
	return job, ids, s.Reload(ctx)
}

// concerned are the devices whose file comes, now or then, from a template.
func (s *Service) concerned(ctx context.Context, t phone.Template, c phone.TemplateContent) ([]string, error) {
	next, err := s.with(ctx, t, c)
	if err != nil {
		return nil, err
	}
	now, file := s.opts.Live.Library(), fileOf(t)
	var ids []string
	for after := ""; ; {
		page, err := s.opts.Devices.Devices(ctx, after, devicePage)
		if err != nil {
			return nil, fmt.Errorf("list the phones: %w", err)
		}
		for _, d := range page {
			firmware := s.opts.FirmwareOf(d)
			if d.Vendor == t.Vendor && (now.Pick(file, d.Model, firmware).Template == t.Name || next.Pick(file, d.Model, firmware).Template == t.Name) {
				ids = append(ids, d.ID)
			}
		}
		if len(page) < devicePage {
			return ids, nil
		}
		after = page[len(page)-1].ID
	}
}

// HaltTrial gives all phones what is active; EndTrial comes when those that the trial
// has reached were told.
func (s *Service) HaltTrial(ctx context.Context, jobID string) error {
	if err := s.opts.Trials.HaltTemplateTrial(ctx, jobID); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// EndTrial ends the trial of a job: with activate every phone gets the revision,
// without it all get what is active.
func (s *Service) EndTrial(ctx context.Context, jobID string, activate bool) error {
	if err := s.opts.Trials.EndTemplateTrial(ctx, jobID, activate); err != nil {
		return err
	}
	return s.Reload(ctx)
}
