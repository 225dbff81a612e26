package api

import (
	"net/http"
	"strconv"
	"time"
)

// maxHistory is how far back the history goes, in hours.
const maxHistory = 24

// historyAnswer is the last while in points of one length.
type historyAnswer struct {
	StepSeconds int            `json:"stepSeconds"`
	Points      []historyPoint `json:"points"`
}

type historyPoint struct {
	At          time.Time      `json:"at"`
	TotalPhones int            `json:"totalPhones"`
	Registered  int            `json:"registered"`
	Outcomes    map[string]int `json:"outcomes,omitempty"` // files asked for, by what came of it
}

// historyRoutes is the call about what was.
func (s *server) historyRoutes() []route {
	if s.History == nil {
		return nil
	}
	return []route{{"GET", base + "/phones/stats/history", phonesRead, s.phoneHistory}}
}

// phoneHistory answers GET /v1/pbx/phones/stats/history, the oldest point first.
func (s *server) phoneHistory(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	hours := maxHistory
	if v := q.text("hours"); v != "" {
		if hours, err = strconv.Atoi(v); err != nil || hours < 1 || hours > maxHistory {
			q.fail("hours", "must be a whole number from 1 to "+strconv.Itoa(maxHistory))
		}
	}
	if err := q.err(); err != nil {
		return err
	}
	points, step := s.History(time.Duration(hours) * time.Hour)
	answer := historyAnswer{StepSeconds: int(step / time.Second), Points: make([]historyPoint, 0, len(points))}
	for _, p := range points {
		answer.Points = append(answer.Points, historyPoint{At: stamp(p.At), TotalPhones: p.Phones, Registered: p.Registered, Outcomes: p.Outcomes})
	}
	return writeJSON(w, http.StatusOK, map[string]historyAnswer{"history": answer})
}
