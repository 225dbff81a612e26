package history

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func TestPoints(t *testing.T) {
	t.Parallel()
	var h History
	for m := range 3 * minutes { // the ring goes round
		now := noon.Add(time.Duration(m) * time.Minute)
		h.Sample(now, 2*m, m)
		h.Observe(phone.Event{At: now, Kind: phone.EventFile, Outcome: "ok"})
		h.Observe(phone.Event{At: now, Kind: phone.EventRegister, Outcome: "ok"})
	}
	now := noon.Add((3*minutes - 1) * time.Minute)
	hour, step := h.Points(now, time.Hour)
	if step != time.Minute || len(hour) != 60 || hour[59].Registered != 3*minutes-1 || hour[59].Phones != 2*(3*minutes-1) || hour[0].Outcomes["ok"] != 1 {
		t.Errorf("%v %d %+v", step, len(hour), hour[len(hour)-1])
	}
	day, step := h.Points(now, 48*time.Hour)
	total := 0
	for i, p := range day {
		total += p.Outcomes["ok"]
		if i > 0 && p.At.Sub(day[i-1].At) != step {
			t.Fatalf("from %v to %v", day[i-1].At, p.At)
		}
	}
	if step != 5*time.Minute || len(day) > maxPoints+1 || total != minutes {
		t.Errorf("%v, %d points, %d files", step, len(day), total)
	}
}

func TestGapsAndNames(t *testing.T) {
	t.Parallel()
	var h History
	h.Sample(noon, 5, 4)
	h.Sample(noon.Add(10*time.Minute), 5, 3)
	for i := range 100 {
		h.Observe(phone.Event{At: noon, Kind: phone.EventFile, Outcome: fmt.Sprint(i)})
	}
	points, _ := h.Points(noon.Add(10*time.Minute), time.Hour)
	if len(points) != 2 || points[0].Registered != 4 || points[1].Registered != 3 {
		t.Fatalf("%+v", points)
	}
	if o := points[0].Outcomes; len(o) != maxOutcomes+1 || o[others] != 100-maxOutcomes {
		t.Errorf("%v", o)
	}
	if old, _ := h.Points(noon.Add(25*time.Hour), time.Hour); len(old) != 0 {
		t.Errorf("of yesterday: %+v", old)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var h History
	e := phone.Event{At: noon, Kind: phone.EventFile, Outcome: "ok"}
	h.Observe(e)
	if n := testing.AllocsPerRun(100, func() { h.Observe(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is written is there after a restart; what nobody wrote is not taken.
func TestJSON(t *testing.T) {
	t.Parallel()
	var h, again History
	h.Sample(noon, 5, 4)
	h.Observe(phone.Event{At: noon, Kind: phone.EventFile, Outcome: "ok"})
	h.Observe(phone.Event{At: noon.Add(time.Minute), Kind: phone.EventFile, Outcome: "ok"}) // not sampled yet
	text, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	points, _ := again.Points(noon, time.Hour)
	if len(points) != 1 || points[0].Registered != 4 || points[0].Phones != 5 || points[0].Outcomes["ok"] != 1 {
		t.Errorf("%+v", points)
	}
	for _, bad := range []string{"{}", "[", `[{"minute":"x"}]`} {
		if err := json.Unmarshal([]byte(bad), &again); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if err := json.Unmarshal([]byte(`[{"minute":-5,"registered":1}]`), &again); err != nil {
		t.Error(err)
	}
}
