// Package history remembers, minute by minute for a day, how many phones were
// registered and what came of the files they asked for: what an overview draws. It is
// of one process; metrics are for what has to last longer.
package history

import (
	"encoding/json"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

const (
	minutes = 24 * 60
	// maxPoints is how many points are answered; of a longer time each is several minutes.
	maxPoints = 288
	// maxOutcomes bounds the names that are told apart within a minute.
	maxOutcomes = 16
	others      = "other"
)

// Point is what a while was like.
type Point struct {
	At         time.Time      // its beginning
	Phones     int            // of the list, at its end
	Registered int            // of those
	Outcomes   map[string]int // files that phones asked for, by what came of it
}

// slot is one minute.
type slot struct {
	minute  int64 // since 1970; another one: the slot is empty
	sampled bool
	Point
}

// History is a ring of minutes. Its methods may be called from many goroutines.
type History struct {
	mu   sync.Mutex
	ring [minutes]slot
}

// slotLocked is the slot of the minute of now, emptied when it was another's.
func (h *History) slotLocked(now time.Time) *slot {
	minute := now.Unix() / 60
	s := &h.ring[minute%minutes]
	if s.minute != minute {
		*s = slot{minute: minute, Point: Point{At: time.Unix(minute*60, 0).UTC(), Outcomes: map[string]int{}}}
	}
	return s
}

// Observe counts an event; only files count.
func (h *History) Observe(e phone.Event) {
	if e.Kind != phone.EventFile || e.At.IsZero() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.slotLocked(e.At)
	name := e.Outcome
	if _, known := s.Outcomes[name]; !known && len(s.Outcomes) >= maxOutcomes {
		name = others
	}
	s.Outcomes[name]++
}

// Sample says how many phones there are now and how many of them are registered.
func (h *History) Sample(now time.Time, phones, registered int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.slotLocked(now)
	s.sampled, s.Phones, s.Registered = true, phones, registered
}

// Points are the last while up to now, the oldest first, each of the same length step.
// Times in which nobody sampled, because the process did not run, have none.
func (h *History) Points(now time.Time, while time.Duration) (points []Point, step time.Duration) {
	count := min(max(int64(while/time.Minute), 1), minutes)
	per := (count + maxPoints - 1) / maxPoints
	last := now.Unix() / 60
	h.mu.Lock()
	defer h.mu.Unlock()
	for minute := last - count + 1; minute <= last; minute++ {
		s := &h.ring[minute%minutes]
		if s.minute != minute || !s.sampled {
			continue
		}
		begin := time.Unix(minute/per*per*60, 0).UTC()
		if n := len(points); n == 0 || !points[n-1].At.Equal(begin) {
			points = append(points, Point{At: begin, Outcomes: map[string]int{}})
		}
		p := &points[len(points)-1]
		p.Phones, p.Registered = s.Phones, s.Registered
		for name, n := range s.Outcomes {
			p.Outcomes[name] += n
		}
	}
	return points, time.Duration(per) * time.Minute
}

// stored is a minute as it is written.
type stored struct {
	Minute     int64          `json:"minute"` // since 1970
	Phones     int            `json:"phones"`
	Registered int            `json:"registered"`
	Outcomes   map[string]int `json:"outcomes,omitempty"`
}

// MarshalJSON writes the minutes that were sampled, so that a restart need not forget
// them.
func (h *History) MarshalJSON() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []stored{}
	for i := range h.ring {
		if s := &h.ring[i]; s.sampled {
			list = append(list, stored{s.minute, s.Phones, s.Registered, s.Outcomes})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON takes over what MarshalJSON wrote. Minutes of more than a day ago, or to
// come, show up in no points.
func (h *History) UnmarshalJSON(text []byte) error {
	var list []stored
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range list {
		if m.Minute < 0 || len(m.Outcomes) > maxOutcomes+1 {
			continue // nobody wrote that
		}
		s := h.slotLocked(time.Unix(m.Minute*60, 0))
		s.sampled, s.Phones, s.Registered = true, m.Phones, m.Registered
		for name, n := range m.Outcomes {
			s.Outcomes[name] += n
		}
	}
	return nil
}
