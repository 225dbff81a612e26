package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
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
	if err := noQuery(r); err != nil {
		return err
	}
	a, err := s.onePhone(w, r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a)
}

// onePhone is the answer with all there is about one phone.
func (s *server) onePhone(w http.ResponseWriter, r *http.Request, id string) (phoneAnswer, error) {
	p, d, err := s.find(r.Context(), id)
	if err != nil {
		return phoneAnswer{}, err
	}
	if d == nil {
		return answerOf(p), nil
	}
	w.Header().Set("ETag", deviceTag(*d))
	a := deviceAnswer(p, *d, infoOf(r).key)
	if len(a.Settings) > 0 {
		noteSecret(r, "settings")
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
