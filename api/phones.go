package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
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
}

type lineAnswer struct {
	Line            int    `json:"line"`
	ExtensionNumber string `json:"extensionNumber,omitempty"`
	Label           string `json:"label,omitempty"`
	Registered      bool   `json:"registered"`
	AuthUser        string `json:"authUser,omitempty"`
}

func answerOf(p Phone) phoneAnswer {
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

// listPhones answers GET /v1/pbx/phones.
func (s *server) listPhones(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	f := Filter{
		Registered:   q.truth("registered"),
		DeviceType:   q.choice("deviceType", "hardware", "softphone", "webrtc", "mobile"),
		Manufacturer: q.text("manufacturer"),
		Model:        q.text("model"),
		Extension:    q.text("extensionNumber"),
		MAC:          q.mac("macAddress"),
		State:        q.choice("state", "pending", "expected", "contacted", "configured", "registered", "unregistered"),
		Drift:        q.text("drift"),
		Q:            q.text("q"),
	}
	limit, cursor := q.limit(), q.text("cursor")
	if err := q.err(); err != nil {
		return err
	}
	page, next, err := s.Roster.List(f, cursor, limit)
	if err != nil {
		return err
	}
	answer := struct {
		Phones []phoneAnswer `json:"phones"`
		Next   string        `json:"next,omitempty"`
	}{make([]phoneAnswer, 0, len(page)), next}
	for _, p := range page {
		answer.Phones = append(answer.Phones, answerOf(p))
	}
	return writeJSON(w, http.StatusOK, answer)
}

type statsAnswer struct {
	TotalPhones  int          `json:"totalPhones"`
	Registered   int          `json:"registered"`
	Unregistered int          `json:"unregistered"`
	ByType       byTypeAnswer `json:"byType"`
}

type byTypeAnswer struct {
	Hardware  int `json:"hardware"`
	Softphone int `json:"softphone"`
	WebRTC    int `json:"webrtc"`
	Mobile    int `json:"mobile"`
}

// phoneStats answers GET /v1/pbx/phones/stats.
func (s *server) phoneStats(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	st := s.Roster.Stats()
	return writeJSON(w, http.StatusOK, map[string]statsAnswer{"stats": {
		TotalPhones: st.Total, Registered: st.Registered, Unregistered: st.Unregistered,
		ByType: byTypeAnswer{
			Hardware: st.ByType["hardware"], Softphone: st.ByType["softphone"],
			WebRTC: st.ByType["webrtc"], Mobile: st.ByType["mobile"],
		},
	}})
}

// getPhone answers GET /v1/pbx/phones/{id}.
func (s *server) getPhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	a, err := s.onePhone(r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a)
}

// onePhone is the answer with all there is about one phone.
func (s *server) onePhone(r *http.Request, id string) (phoneAnswer, error) {
	p, d, err := s.find(r.Context(), id)
	if err != nil {
		return phoneAnswer{}, err
	}
	if d == nil {
		return answerOf(p), nil
	}
	return deviceAnswer(p, *d, infoOf(r).key), nil
}

// find returns the phone as the roster knows it and, if it is provisioned, its
// device. The inventory decides: the roster follows it a moment later.
func (s *server) find(ctx context.Context, id string) (Phone, *phone.Device, error) {
	p, listed := s.Roster.Phone(id)
	d, err := s.Devices.Device(ctx, id)
	switch {
	case err == nil:
		return withDevice(p, d), &d, nil
	case !errors.Is(err, phone.ErrNotFound):
		return Phone{}, nil, err
	case !listed || p.Provisioned:
		return Phone{}, nil, missing("phone")
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
	err := s.Devices.DeleteDevice(r.Context(), id)
	if p, listed := s.Roster.Phone(id); errors.Is(err, phone.ErrNotFound) && listed && !p.Provisioned {
		err = s.Roster.Forget(r.Context(), id)
	}
	if err != nil {
		return absent("phone", err)
	}
	return noContent(w)
}
