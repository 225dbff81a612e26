package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/upgrade"
	"pbx.dev/dialtone/internal/useragent"
)

// firmwarePatience is how long a phone may take from the NOTIFY to its registration
// with the new version, unless asked otherwise: it fetches an image and restarts.
const firmwarePatience = 20 * time.Minute

// putTarget answers PUT /v1/pbx/firmware/targets/{vendor}/{model}. Without waves
// every phone is offered the image when it next fetches its configuration. With
// waves a job takes them a few at a time, and the others keep what they have.
func (s *server) putTarget(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	v, model, err := modelOfPath(r)
	if err != nil {
		return err
	}
	in, err := readNew[targetInput](w, r)
	if err != nil {
		return err
	}
	if err := s.checkTarget(v, model, in); err != nil {
		return err
	}
	t := phone.FirmwareTarget{
		Vendor: v, Model: model, Key: catalog.ModelKey(string(v), model), Hardware: in.Hardware, ImageID: in.FirmwareID,
		AllowDowngrade: in.AllowDowngrade, UpdatedBy: infoOf(r).key.Name,
	}
	before, err := s.findTarget(r.Context(), v, model, in.Hardware)
	if err != nil && !errors.Is(err, phone.ErrNotFound) {
		return err
	}
	check := targetUnchanged(r)
	if err := check(before); err != nil { // before the rollout is ended
		return err
	}
	if err := s.endRollout(r.Context(), before); err != nil {
		return err
	}
	if in.Waves != nil {
		t, err = s.startRollout(r.Context(), t, before, *in.Waves, check)
	} else {
		t, err = s.FirmwareTargets.PutTarget(r.Context(), t, check)
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", targetTag(t))
	return writeJSON(w, http.StatusOK, s.targetOf(t))
}

// endRollout ends the rollout of a target that is about to be another one.
func (s *server) endRollout(ctx context.Context, before phone.FirmwareTarget) error {
	if before.JobID == "" || s.JobRunner == nil {
		return nil
	}
	err := s.JobRunner.Abort(ctx, before.JobID, "The target was changed.")
	if errors.Is(err, phone.ErrNotFound) || errors.Is(err, phone.ErrConflict) {
		return nil // it has ended
	}
	return err
}

// startRollout stores the target, then starts the job that lets phones have it. The
// target goes first: a phone that is told to fetch must find it.
func (s *server) startRollout(
	ctx context.Context, t, before phone.FirmwareTarget, in wavesInput, check phone.Check[phone.FirmwareTarget],
) (phone.FirmwareTarget, error) {
	if s.JobRunner == nil {
		return t, phone.Invalid("waves", "are not to be had here")
	}
	waves, err := in.waves(upgrade.Kind)
	if err != nil {
		return t, err
	}
	ids, err := s.behind(t)
	if err != nil {
		return t, err
	}
	t.FallbackID, t.JobID = before.ImageID, "job_"+strings.ToLower(rand.Text()[:20])
	if before.JobID != "" { // it was under way itself
		t.FallbackID = before.FallbackID
	}
	stored, err := s.FirmwareTargets.PutTarget(ctx, t, check)
	if err != nil {
		return t, err
	}
	_, err = s.JobRunner.Start(ctx, phone.Job{
		ID: t.JobID, Kind: upgrade.Kind, Waves: waves, Args: map[string]string{upgrade.ArgImage: t.ImageID},
	}, ids)
	if err == nil {
		return stored, nil
	}
	return t, errors.Join(err, s.restoreTarget(context.WithoutCancel(ctx), t, before))
}

func (s *server) restoreTarget(ctx context.Context, t, before phone.FirmwareTarget) error {
	if before.ImageID == "" {
		return s.FirmwareTargets.DeleteTarget(ctx, t.Vendor, t.Key, t.Hardware, nil)
	}
	_, err := s.FirmwareTargets.PutTarget(ctx, before, nil)
	return err
}

// behind are the provisioned phones of a target that do not report its version.
func (s *server) behind(t phone.FirmwareTarget) ([]string, error) {
	image, _ := s.Firmware.Image(t.ImageID)
	var ids []string
	for cursor := ""; ; {
		page, next, err := s.Roster.List(roster.Filter{Manufacturer: t.Vendor.DisplayName()}, cursor, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			revision := t.Hardware == "" || useragent.Revision(p.UserAgent) == t.Hardware
			if p.Provisioned && revision && catalog.SameModel(string(t.Vendor), p.Model, t.Model) && !firmware.Same(p.Firmware, image.Version) {
				ids = append(ids, p.ID)
			}
		}
		if cursor = next; next == "" {
			return ids, nil
		}
	}
}
