package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/settings"
)

// phoneAnswer is a phone as CONTRACT.md "REST" names its fields; what is not
// known is absent.
type phoneAnswer struct {
	ID              string            `json:"id"`
	ExtensionNumber string            `json:"extensionNumber,omitempty"`
	ExtensionName   string            `json:"extensionName,omitempty"`
	DeviceType      string            `json:"deviceType,omitempty"`
	Manufacturer    string            `json:"manufacturer,omitempty"`
	Model           string            `json:"model,omitempty"`
	MACAddress      phone.MAC         `json:"macAddress,omitzero"`
	IPAddress       string            `json:"ipAddress,omitempty"`
	Registered      bool              `json:"registered"`
	LastRegistered  time.Time         `json:"lastRegistered,omitzero"`
	UserAgent       string            `json:"userAgent,omitempty"`
	FirmwareVersion string            `json:"firmwareVersion,omitempty"`
	State           string            `json:"state,omitempty"`
	Lines           []lineAnswer      `json:"lines,omitempty"`
	MatchedBy       string            `json:"matchedBy,omitempty"`
	Drift           []string          `json:"drift,omitempty"`
	LastProvisioned time.Time         `json:"lastProvisioned,omitzero"`
	Name            string            `json:"name,omitempty"`     // of one provisioned phone only,
	Site            string            `json:"site,omitempty"`     // as are site
	Settings        map[string]string `json:"settings,omitempty"` // and settings
	Warnings        []string          `json:"warnings,omitempty"` // in answers to changes
	Keys            *keysAnswer       `json:"keys,omitempty"`     // of one phone whose model is known
}

// keysAnswer is what the catalogue knows of the keys of a model; what it does not
// know is absent.
type keysAnswer struct {
	LineKeys   *int `json:"lineKeys,omitempty"`   // keys beside the screen that can be set
	Modules    int  `json:"modules,omitempty"`    // expansion modules that it takes
	ModuleKeys int  `json:"moduleKeys,omitempty"` // of each module
	Unverified bool `json:"unverified,omitempty"` // a number of the model has no confirmed source
}

// keysOf looks a model up by any of its names.
func keysOf(manufacturer, model string) *keysAnswer {
	m, ok := catalog.Lookup(manufacturer, model)
	if !ok || model == "" {
		return nil
	}
	a := &keysAnswer{Unverified: m.Unverified}
	if n := m.Keys(); n >= 0 {
		a.LineKeys = &n
	}
	a.Modules, a.ModuleKeys = m.ModuleLimits()
	return a
}

type lineAnswer struct {
	Line            int    `json:"line"`
	ExtensionNumber string `json:"extensionNumber,omitempty"`
	Label           string `json:"label,omitempty"`
	Registered      bool   `json:"registered"`
	AuthUser        string `json:"authUser,omitempty"`
}

func answerOf(p roster.Phone) phoneAnswer {
	a := phoneAnswer{
		ID: p.ID, ExtensionNumber: p.Extension, ExtensionName: p.ExtensionName,
		DeviceType: p.DeviceType, Manufacturer: p.Manufacturer, Model: p.Model,
		MACAddress: p.MAC, IPAddress: p.IPAddress, Registered: p.Registered,
		LastRegistered: stamp(p.LastRegistered), UserAgent: p.UserAgent,
		FirmwareVersion: p.Firmware, State: p.State, MatchedBy: p.MatchedBy,
		Drift: p.Drift, LastProvisioned: stamp(p.LastProvisioned),
	}
	for _, l := range p.Lines {
		a.Lines = append(a.Lines, lineAnswer{
			Line: l.Line, ExtensionNumber: l.ExtensionNumber, Registered: l.Registered, AuthUser: l.AuthUser,
		})
	}
	return a
}

// getPhone answers GET /v1/pbx/phones/{id}.
func (s *server) getPhone(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	shown := q.truth("settings")
	if err := q.err(); err != nil {
		return err
	}
	a, err := s.onePhone(w, r, mux.Vars(r)["id"], shown == nil || *shown)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a)
}

// onePhone is the answer with all there is about one phone, or all but its settings.
func (s *server) onePhone(w http.ResponseWriter, r *http.Request, id string, shown bool) (phoneAnswer, error) {
	p, d, err := s.find(r.Context(), id)
	if err != nil {
		return phoneAnswer{}, err
	}
	if d == nil {
		a := answerOf(p)
		a.Keys = keysOf(a.Manufacturer, a.Model)
		return a, nil
	}
	w.Header().Set("ETag", deviceTag(*d))
	a := deviceAnswer(p, *d, infoOf(r).key)
	if !shown {
		a.Settings = nil
	}
	for name, text := range a.Settings {
		if settings.IsSecret(name) && text != "" {
			noteSecret(r, "settings")
		}
	}
	return a, nil
}

// find returns the phone as the roster knows it and, if it is provisioned, its
// device. The inventory decides: the roster follows it a moment later.
func (s *server) find(ctx context.Context, id string) (roster.Phone, *phone.Device, error) {
	p, listed := s.Roster.Phone(id)
	d, err := s.Devices.Device(ctx, id)
	switch {
	case err == nil:
		return withDevice(p, d), &d, nil
	case !errors.Is(err, phone.ErrNotFound):
		return roster.Phone{}, nil, err
	case !listed || p.Provisioned:
		return roster.Phone{}, nil, missing("phone")
	}
	return p, nil, nil
}

// deletePhone answers DELETE /v1/pbx/phones/{id}: a provisioned phone leaves the
// inventory, one that was only seen is forgotten.
func (s *server) deletePhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	err := s.Devices.DeleteDevice(r.Context(), id, func(d phone.Device) error { return unchanged(r, deviceTag(d)) })
	if p, listed := s.Roster.Phone(id); errors.Is(err, phone.ErrNotFound) && listed && !p.Provisioned {
		if err = unchanged(r, ""); err == nil { // it has no tag
			err = s.Roster.Forget(r.Context(), id)
		}
	}
	if err != nil {
		return absent("phone", err)
	}
	return noContent(w)
}
