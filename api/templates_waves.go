package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/library"
	"pbx.dev/dialtone/internal/phone"
)

// activation is the body of a call that gives phones a revision.
type activation struct {
	Revision *int        `json:"revision"`
	Waves    *wavesInput `json:"waves"`
	OnHalt   string      `json:"onHalt"`
}

// activateTemplate answers POST /v1/pbx/templates/{name}/activate. Without waves all
// phones get the revision with their next file.
func (s *server) activateTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[activation](w, r)
	if err != nil {
		return err
	}
	if in.Revision == nil || *in.Revision < 0 {
		return phone.Invalid("revision", "must be the number of a revision")
	}
	if in.OnHalt != "" && in.OnHalt != "rollback" && in.OnHalt != "keep" {
		return phone.Invalid("onHalt", "must be rollback or keep")
	}
	name := mux.Vars(r)["name"]
	if in.Waves != nil {
		return s.stageTemplate(w, r, name, in)
	}
	e, report, err := s.Templates.Activate(r.Context(), name, int64(*in.Revision), templateUnchanged(r))
	if err != nil {
		return absent("uploaded template", err)
	}
	return writeTemplate(w, e, report)
}

// stageTemplate starts the job that gives a revision to registered phones in waves;
// those that are off get it when it is active.
func (s *server) stageTemplate(w http.ResponseWriter, r *http.Request, name string, in activation) error {
	if s.JobRunner == nil {
		return phone.Invalid("waves", "are not to be had here")
	}
	if in.Waves.Canary == 0 {
		in.Waves.Canary = 1
	}
	waves, err := in.Waves.waves(library.TrialKind)
	if err != nil {
		return err
	}
	e, err := s.Templates.Get(r.Context(), name)
	if err == nil {
		err = unchanged(r, templateTag(e.Template))
	}
	if err != nil {
		return absent("uploaded template", err)
	}
	job, all, err := s.Templates.PrepareTrial(r.Context(), name, int64(*in.Revision), in.OnHalt == "keep")
	if err != nil {
		return absent("uploaded template", err)
	}
	var ids []string
	for _, id := range all {
		if p, ok := s.Roster.Phone(id); ok && p.Registered {
			ids = append(ids, id)
		}
	}
	job.Waves = waves
	job.Waves.Hold = true // done means that everybody gets it
	started, err := s.JobRunner.Start(r.Context(), job, ids)
	if err != nil {
		return errors.Join(err, s.Templates.EndTrial(context.WithoutCancel(r.Context()), job.ID, false))
	}
	return s.accepted(w, r, started)
}
