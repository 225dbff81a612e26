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
	EndTemplateTrial(ctx context.Context, jobID string, activate bool) error
	NoteTemplateTrial(ctx context.Context, template string) error
	JobPhones(ctx context.Context, jobID, after string, limit int) ([]phone.JobPhone, error)
}

// trial is a revision that some phones get before the others.
type trial struct {
	phone.TemplateTrial
	library *templates.Library // as in use, with the revision; nil: it cannot be used
	reached map[string]bool    // devices, guarded by Service.reach
}

// LibraryOf returns the templates that a device gets a file from. While no trial
// runs, that is one look at a pointer.
func (s *Service) LibraryOf(file, deviceID string) *templates.Library {
	trials := s.trials.Load()
	if trials == nil || deviceID == "" {
		return s.opts.Live.Library()
	}
	t := (*trials)[file]
	if t == nil || t.library == nil {
		return s.opts.Live.Library()
	}
	s.reach.RLock()
	defer s.reach.RUnlock()
	if t.reached[deviceID] {
		return t.library
	}
	return s.opts.Live.Library()
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

// Reached lists the devices that the trial of a job has reached.
func (s *Service) Reached(jobID string) []string {
	var out []string
	if trials := s.trials.Load(); trials != nil {
		s.reach.RLock()
		defer s.reach.RUnlock()
		for _, t := range *trials {
			for id := range t.reached {
				if t.JobID == jobID {
					out = append(out, id)
				}
			}
		}
	}
	slices.Sort(out)
	return out
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
		one := &trial{TemplateTrial: stored}
		if one.reached, err = s.reachedBy(ctx, stored.JobID); err != nil {
			return err
		}
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

// reachedBy are the phones that a job has begun with, whatever came of it.
func (s *Service) reachedBy(ctx context.Context, jobID string) (map[string]bool, error) {
	const page = 5000
	out := map[string]bool{}
	for after := ""; ; {
		list, err := s.opts.Trials.JobPhones(ctx, jobID, after, page)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			if p.State != phone.PhoneWaiting && p.State != phone.PhoneSkipped {
				out[p.PhoneID] = true
			}
		}
		if len(list) < page {
			return out, nil
		}
		after = list[len(list)-1].PhoneID
	}
}

// Reach gives a phone the revision of a job's trial. The store has it already: the
// job is stored before a phone of it is begun.
func (s *Service) Reach(ctx context.Context, jobID, deviceID string) error {
	s.mu.Lock() // no Reload is under way that would not know of it
	defer s.mu.Unlock()
	trials := s.trials.Load()
	if trials == nil {
		return fmt.Errorf("the rollout has ended: %w", phone.ErrNotFound)
	}
	for _, t := range *trials {
		if t.JobID != jobID {
			continue
		}
		s.reach.Lock()
		t.reached[deviceID] = true
		s.reach.Unlock()
		if s.opts.Shared {
			return s.opts.Trials.NoteTemplateTrial(ctx, t.Template)
		}
		return nil
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
	if trials := s.trials.Load(); trials != nil && (*trials)[fileOf(t)] != nil {
		return phone.Job{}, nil, fmt.Errorf("a rollout of a template of this file is under way, job %s: %w", (*trials)[fileOf(t)].JobID, phone.ErrConflict)
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

// EndTrial ends the trial of a job: with activate every phone gets the revision,
// without it all get what is active.
func (s *Service) EndTrial(ctx context.Context, jobID string, activate bool) error {
	if err := s.opts.Trials.EndTemplateTrial(ctx, jobID, activate); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// free refuses what would change what phones get while a trial runs.
func (s *Service) free(name string) error {
	for _, t := range s.Trials() {
		if t.Template == name {
			return fmt.Errorf("revision %d of %s is being rolled out by job %s; abort that first: %w", t.Revision, name, t.JobID, phone.ErrConflict)
		}
	}
	return nil
}
