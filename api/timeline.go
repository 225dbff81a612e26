package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// diagnosisDepth is how many events back stuckAt looks.
const diagnosisDepth = 200

// phoneTimeline answers GET /v1/pbx/phones/{id}/timeline.
func (s *server) phoneTimeline(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	limit := q.limit()
	if err := q.err(); err != nil {
		return err
	}
	p, _, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	events, err := s.Timeline.Events(r.Context(), p.ID, p.MAC, max(limit, diagnosisDepth))
	if err != nil {
		return err
	}
	answer := struct {
		Events  []phone.Event `json:"events"`
		StuckAt *string       `json:"stuckAt"`
	}{Events: make([]phone.Event, 0, min(limit, len(events)))}
	if sentence := stuckAt(p, events); sentence != "" {
		answer.StuckAt = &sentence
	}
	for _, e := range events[:min(limit, len(events))] {
		e.At = stamp(e.At)
		answer.Events = append(answer.Events, e)
	}
	return writeJSON(w, http.StatusOK, answer)
}
