package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
)

// FirmwareTargets say which image the phones of a model are to run, and how each
// phone gets on. Errors as for Devices.
type FirmwareTargets interface {
	Targets(ctx context.Context) ([]phone.FirmwareTarget, error)
	PutTarget(ctx context.Context, t phone.FirmwareTarget, check phone.Check[phone.FirmwareTarget]) (phone.FirmwareTarget, error)
	DeleteTarget(ctx context.Context, v phone.Vendor, key, hardware string, check phone.Check[phone.FirmwareTarget]) error
	State(mac phone.MAC) phone.FirmwareState
	Retry(ctx context.Context, mac phone.MAC) error
}

type targetAnswer struct {
	Vendor         string    `json:"vendor"`
	Model          string    `json:"model"`
	Hardware       string    `json:"hardware,omitempty"`
	FirmwareID     string    `json:"firmwareId"`
	Version        string    `json:"version,omitempty"`
	FallbackID     string    `json:"fallbackFirmwareId,omitempty"`
	JobID          string    `json:"jobId,omitempty"`
	AllowDowngrade bool      `json:"allowDowngrade"`
	UpdatedAt      time.Time `json:"updatedAt"`
	UpdatedBy      string    `json:"updatedBy,omitempty"`
	Warnings       []string  `json:"warnings,omitempty"`
}

func (s *server) targetOf(t phone.FirmwareTarget) targetAnswer {
	i, _ := s.Firmware.Image(t.ImageID)
	return targetAnswer{
		Vendor: string(t.Vendor), Model: t.Model, Hardware: t.Hardware, FirmwareID: t.ImageID, Version: i.Version,
		FallbackID: t.FallbackID, JobID: t.JobID, AllowDowngrade: t.AllowDowngrade, UpdatedAt: stamp(t.UpdatedAt), UpdatedBy: t.UpdatedBy,
		Warnings: firmwareWarnings(i, t.Model),
	}
}

// listTargets answers GET /v1/pbx/firmware/targets. There is one for a model.
func (s *server) listTargets(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	targets, err := s.FirmwareTargets.Targets(r.Context())
	if err != nil {
		return err
	}
	answer := struct {
		Targets []targetAnswer `json:"targets"`
	}{make([]targetAnswer, 0, len(targets))}
	for _, t := range targets {
		answer.Targets = append(answer.Targets, s.targetOf(t))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// model is the vendor and the model of the path.
func modelOfPath(r *http.Request) (phone.Vendor, string, error) {
	v, model := catalog.CanonicalVendor(mux.Vars(r)["vendor"]), mux.Vars(r)["model"]
	if !slices.Contains(phone.Vendors(), v) {
		return v, model, phone.Invalid("vendor", "must be polycom, yealink or grandstream")
	}
	if catalog.ModelKey(string(v), model) == "" {
		return v, model, phone.Invalid("model", "has neither letters nor digits")
	}
	if m, ok := catalog.Lookup(string(v), model); ok {
		model = m.Name
	}
	return v, model, nil
}

// find returns the target of a model and hardware revision.
func (s *server) findTarget(ctx context.Context, v phone.Vendor, model, hardware string) (phone.FirmwareTarget, error) {
	targets, err := s.FirmwareTargets.Targets(ctx)
	if err != nil {
		return phone.FirmwareTarget{}, err
	}
	key := catalog.ModelKey(string(v), model)
	for _, t := range targets {
		if t.Vendor == v && t.Key == key && t.Hardware == hardware {
			return t, nil
		}
	}
	return phone.FirmwareTarget{}, missing("target")
}

// targetOfRequest reads which target the path and the query name.
func targetOfRequest(r *http.Request) (v phone.Vendor, model, hardware string, err error) {
	q, err := newQuery(r)
	if err != nil {
		return v, "", "", err
	}
	hardware = q.text("hardware")
	if err := q.err(); err != nil {
		return v, "", "", err
	}
	v, model, err = modelOfPath(r)
	return v, model, hardware, err
}

// getTarget answers GET /v1/pbx/firmware/targets/{vendor}/{model}.
func (s *server) getTarget(w http.ResponseWriter, r *http.Request) error {
	v, model, hardware, err := targetOfRequest(r)
	if err != nil {
		return err
	}
	t, err := s.findTarget(r.Context(), v, model, hardware)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", targetTag(t))
	return writeJSON(w, http.StatusOK, s.targetOf(t))
}

type targetInput struct {
	FirmwareID     string      `json:"firmwareId"`
	Hardware       string      `json:"hardware"`
	AllowDowngrade bool        `json:"allowDowngrade"`
	Waves          *wavesInput `json:"waves"`
}

// checkTarget says what makes an image no target for a model.
func (s *server) checkTarget(v phone.Vendor, model string, in targetInput) error {
	if in.FirmwareID == "" {
		return phone.Invalid("firmwareId", "is missing")
	}
	i, ok := s.Firmware.Image(in.FirmwareID)
	forModel := len(i.Models) == 0 || slices.ContainsFunc(i.Models, func(m string) bool { return catalog.SameModel(string(v), m, model) })
	switch {
	case !ok:
		return phone.Invalid("firmwareId", "there is no such firmware")
	case i.Vendor != v:
		return phone.Invalid("firmwareId", "is firmware of "+i.Vendor.DisplayName())
	case !forModel:
		return phone.Invalid("firmwareId", "is not for this model")
	case i.Version == "":
		return phone.Invalid("firmwareId", "has no version: nobody could tell whether a phone has it")
	case in.Hardware != "" && len(i.Hardware) > 0 && !slices.Contains(i.Hardware, in.Hardware):
		return phone.Invalid("hardware", "is not one of those that the image is for")
	}
	return nil
}

// deleteTarget answers DELETE /v1/pbx/firmware/targets/{vendor}/{model}.
func (s *server) deleteTarget(w http.ResponseWriter, r *http.Request) error {
	v, model, hardware, err := targetOfRequest(r)
	if err != nil {
		return err
	}
	if err := s.FirmwareTargets.DeleteTarget(r.Context(), v, catalog.ModelKey(string(v), model), hardware, targetUnchanged(r)); err != nil {
		return absent("target", err)
	}
	return noContent(w)
}

// phoneFirmwareAnswer is how a phone stands: what it reports, what it is offered and
// why not more.
type phoneFirmwareAnswer struct {
	FirmwareVersion string      `json:"firmwareVersion,omitempty"`
	TargetID        string      `json:"targetFirmwareId,omitempty"`
	OfferedID       string      `json:"offeredFirmwareId,omitempty"`
	OfferedVersion  string      `json:"offeredVersion,omitempty"`
	Reason          string      `json:"reason,omitempty"`
	FetchedID       string      `json:"fetchedFirmwareId,omitempty"`
	Fetches         []time.Time `json:"fetches,omitempty"`
	StoppedAt       time.Time   `json:"stoppedAt,omitzero"`
}

// phoneFirmware answers GET /v1/pbx/phones/{id}/firmware.
func (s *server) phoneFirmware(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	p, d, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	a := phoneFirmwareAnswer{FirmwareVersion: p.Firmware}
	if d == nil {
		a.Reason = "the phone is not provisioned"
		return writeJSON(w, http.StatusOK, a)
	}
	var o firmware.Offer
	if s.FirmwareOffer != nil {
		o = s.FirmwareOffer(*d)
	}
	state := s.FirmwareTargets.State(d.MAC)
	a.TargetID, a.OfferedID, a.OfferedVersion, a.Reason = o.Target.ImageID, o.Image.ID, o.Image.Version, o.Reason
	a.FetchedID, a.StoppedAt = state.Fetched, stamp(state.StoppedAt)
	for _, at := range state.Fetches {
		a.Fetches = append(a.Fetches, stamp(at))
	}
	return writeJSON(w, http.StatusOK, a)
}

// retryFirmware answers POST /v1/pbx/phones/{id}/firmware/retry: an image is offered
// again to a phone that has fetched it in vain.
func (s *server) retryFirmware(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	_, d, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	if d == nil {
		return missing("phone")
	}
	if err := s.FirmwareTargets.Retry(r.Context(), d.MAC); err != nil {
		return err
	}
	return noContent(w)
}
