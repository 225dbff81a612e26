package api

import (
	"net/http"

	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/useragent"
)

func deviceTypes() []string {
	return []string{
		string(useragent.Hardware), string(useragent.Softphone), string(useragent.WebRTC), string(useragent.Mobile),
	}
}

func states() []string {
	return []string{
		roster.StatePending, roster.StateExpected, roster.StateContacted, roster.StateConfigured,
		roster.StateRegistered, roster.StateUnregistered,
	}
}

// driftKinds are what an entry of a phone's drift may begin with.
func driftKinds() []string {
	return []string{"mac", "vendor", "model", "type", "firmware", "configuration", "extension"}
}

// filterOf reads the parameters that a list of phones can be narrowed by.
func filterOf(q *query) roster.Filter {
	drift, driftKind := q.drift("drift")
	return roster.Filter{
		Registered:   q.truth("registered"),
		DeviceType:   q.choice("deviceType", deviceTypes()...),
		Manufacturer: q.text("manufacturer"),
		Model:        q.text("model"),
		Extension:    q.text("extensionNumber"),
		MAC:          q.mac("macAddress"),
		State:        q.choice("state", states()...),
		Drift:        drift,
		DriftKind:    driftKind,
		Q:            q.text("q"),
	}
}

// listPhones answers GET /v1/pbx/phones.
func (s *server) listPhones(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	f := filterOf(q)
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

// statsDetails is for an overview that need not read the list.
type statsDetails struct {
	ByState  map[string]int `json:"byState"`
	ByVendor map[string]int `json:"byVendor"`
	Drifted  int            `json:"drifted"`
}

// countsOf is an object of names and numbers.
func countsOf(list []roster.Count) map[string]int {
	out := make(map[string]int, len(list))
	for _, c := range list {
		out[c.Name] = c.Phones
	}
	return out
}

type byTypeAnswer struct {
	Hardware  int `json:"hardware"`
	Softphone int `json:"softphone"`
	WebRTC    int `json:"webrtc"`
	Mobile    int `json:"mobile"`
}

// phoneStats answers GET /v1/pbx/phones/stats.
func (s *server) phoneStats(w http.ResponseWriter, r *http.Request) error {
	detailed, err := flagOf(r, "details")
	if err != nil {
		return err
	}
	st := s.Roster.Stats()
	answer := struct {
		Stats   statsAnswer   `json:"stats"`
		Details *statsDetails `json:"details,omitempty"`
	}{Stats: statsAnswer{
		TotalPhones: st.Total, Registered: st.Registered, Unregistered: st.Unregistered,
		ByType: byTypeAnswer{
			Hardware: st.ByType.Hardware, Softphone: st.ByType.Softphone,
			WebRTC: st.ByType.WebRTC, Mobile: st.ByType.Mobile,
		},
	}}
	if detailed {
		tally := s.Roster.Tally()
		answer.Details = &statsDetails{countsOf(tally.ByState), countsOf(tally.ByVendor), tally.Drifted}
	}
	return writeJSON(w, http.StatusOK, answer)
}
