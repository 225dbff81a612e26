package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// fakeJobs starts whatever it is told to and lets nothing happen.
type fakeJobs struct {
	jobs   []phone.Job // newest first
	phones map[string][]phone.JobPhone
	orders []string
	err    error // of the orders
}

func newFakeJobs() *fakeJobs { return &fakeJobs{phones: map[string][]phone.JobPhone{}} }

func (f *fakeJobs) Start(_ context.Context, job phone.Job, ids []string) (phone.Job, error) {
	job.ID, job.State, job.Node, job.CreatedAt = fmt.Sprintf("job_%d", len(f.jobs)+1), phone.JobRunning, "n1", noon
	job.Counts = phone.JobCounts{Total: len(ids), Waiting: len(ids)}
	f.jobs = append([]phone.Job{job}, f.jobs...)
	for _, id := range ids {
		f.phones[job.ID] = append(f.phones[job.ID], phone.JobPhone{JobID: job.ID, PhoneID: id, State: phone.PhoneWaiting})
	}
	return job, nil
}

func (f *fakeJobs) Under(kind, id string) (string, bool) {
	for _, j := range f.jobs {
		if j.Kind == kind && j.EndedAt.IsZero() && f.phones[j.ID][0].PhoneID == id {
			return j.ID, true
		}
	}
	return "", false
}

func (f *fakeJobs) order(what, id string) error {
	f.orders = append(f.orders, what+" "+id)
	return f.err
}

func (f *fakeJobs) Pause(_ context.Context, id string) error    { return f.order("pause", id) }
func (f *fakeJobs) Resume(_ context.Context, id string) error   { return f.order("resume", id) }
func (f *fakeJobs) Abort(_ context.Context, id, _ string) error { return f.order("abort", id) }

func (f *fakeJobs) Job(_ context.Context, id string) (phone.Job, error) {
	i := slices.IndexFunc(f.jobs, func(j phone.Job) bool { return j.ID == id })
	if i < 0 {
		return phone.Job{}, phone.ErrNotFound
	}
	return f.jobs[i], nil
}

func (f *fakeJobs) Jobs(_ context.Context, before string, limit int) ([]phone.Job, error) {
	i := slices.IndexFunc(f.jobs, func(j phone.Job) bool { return j.ID == before })
	if before != "" && i < 0 {
		return nil, phone.ErrNotFound
	}
	rest := f.jobs[i+1:]
	return rest[:min(limit, len(rest))], nil
}

func (f *fakeJobs) JobPhones(_ context.Context, id, after string, limit int) ([]phone.JobPhone, error) {
	var out []phone.JobPhone
	for _, p := range f.phones[id] {
		if p.PhoneID > after && len(out) < limit {
			out = append(out, p)
		}
	}
	return out, nil
}

func answer[T any](t *testing.T, h http.Handler, call, body string, status int) T {
	t.Helper()
	w := send(t, h, request{call: call, body: body})
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != status {
		t.Fatalf("%s: %d %s, want %d", call, w.Code, w.Body, status)
	}
	return v
}

func TestResyncOne(t *testing.T) {
	t.Parallel()
	house := fixed()
	h := house.handler(t)
	w := send(t, h, request{call: "POST /v1/pbx/phones/phone_desk/resync"})
	if w.Code != http.StatusAccepted || w.Header().Get("Location") != "/v1/pbx/jobs/job_1" {
		t.Fatalf("%d %q %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	golden(t, "job", w.Body.Bytes())
	again := answer[jobAnswer](t, h, "POST /v1/pbx/phones/phone_desk/resync", "", 202)
	if again.ID != "job_1" {
		t.Errorf("a second job %s beside the first", again.ID)
	}
	reboot := answer[jobAnswer](t, h, "POST /v1/pbx/phones/phone_desk/reboot", `{"timeoutSeconds":7}`, 202)
	if reboot.Kind != "reboot" || reboot.Waves.TimeoutSeconds != 7 {
		t.Errorf("%+v", reboot)
	}
	for _, outcome := range []string{"applied", "fetched-not-registered", "no-answer"} {
		house.jobs.jobs[1].State, house.jobs.jobs[1].EndedAt = phone.JobDone, noon
		house.jobs.phones["job_1"][0].Outcome, house.jobs.phones["job_1"][0].Reason = outcome, "So it is."
		if got := answer[jobAnswer](t, h, "GET /v1/pbx/jobs/job_1", "", 200); got.State != outcome || got.Reason != "So it is." {
			t.Errorf("%+v, want %s", got, outcome)
		}
	}
	for call, status := range map[string]int{
		"POST /v1/pbx/phones/phone_none/resync": 404, "POST /v1/pbx/phones/phone_seen/resync": 409,
		"POST /v1/pbx/phones/phone_desk/resync?force=1": 422, "GET /v1/pbx/jobs/job_9": 404, "GET /v1/pbx/jobs/job_9/phones": 404,
		"GET /v1/pbx/phones/phone_desk/resync": 405,
	} {
		answer[problem](t, h, call, "", status)
	}
	answer[problem](t, h, "POST /v1/pbx/phones/phone_desk/resync", `{"timeoutSeconds":3601}`, 422)
}

func TestResyncMany(t *testing.T) {
	t.Parallel()
	house := fixed()
	house.roster.phones = append(house.roster.phones, roster.Phone{ID: "phone_2", Provisioned: true}, roster.Phone{ID: "phone_3", Provisioned: true})
	h := house.handler(t)
	job := answer[jobAnswer](t, h, "POST /v1/pbx/phones/resync", `{"filter":{"manufacturer":"Polycom","registered":true,"drift":"model"}}`, 202)
	if f := house.roster.filter; f.Manufacturer != "Polycom" || f.Registered == nil || !*f.Registered || f.DriftKind != "model" {
		t.Errorf("filter %+v", f)
	}
	if job.Counts.Total != 3 || job.Waves.JitterSeconds != 30 || job.Waves.HaltPercent != 100 || job.PhoneID != "" {
		t.Errorf("%+v", job)
	}
	waves := `{"canary":1,"percents":[50,100],"jitterSeconds":0,"soakSeconds":60,"timeoutSeconds":90,"parallel":5,"haltPercent":10}`
	job = answer[jobAnswer](t, h, "POST /v1/pbx/phones/reboot", `{"ids":["phone_3","phone_2"],"waves":`+waves+`}`, 202)
	want := wavesInput{Canary: 1, Percents: []int{50, 100}, SoakSeconds: 60, TimeoutSeconds: 90, Parallel: 5, HaltPercent: 10}
	if diff := cmp.Diff(want, job.Waves); diff != "" || job.Kind != "reboot" {
		t.Errorf("%s %s", job.Kind, diff)
	}
	for body, field := range map[string]string{
		`{}`:                                  "ids",
		`{"ids":[],"filter":{}}`:              "filter",
		`{"ids":["phone_2","phone_seen"]}`:    "ids[1]",
		`{"filter":{"state":"dreaming"}}`:     "filter.state",
		`{"filter":{"registered":"yes"}}`:     "filter.registered",
		`{"filter":{},"waves":{"canary":-1}}`: "waves.canary",
		`{"filter":{},"waves":{"speed":1}}`:   "waves.speed",
	} {
		p := answer[problem](t, h, "POST /v1/pbx/phones/resync", body, 422)
		if len(p.Errors) == 0 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v, want %s", body, p.Errors, field)
		}
	}
	phones := readAll(t, h, "/v1/pbx/jobs/"+job.ID+"/phones", "phoneId", "1")
	if strings.Join(phones, " ") != "phone_3" && len(phones) != 2 {
		t.Errorf("phones %v", phones)
	}
	if jobs := readAll(t, h, "/v1/pbx/jobs", "id", "1"); strings.Join(jobs, " ") != "job_2 job_1" {
		t.Errorf("jobs %v", jobs)
	}
}

func TestOrderJobs(t *testing.T) {
	t.Parallel()
	house := fixed()
	h := house.handler(t)
	answer[jobAnswer](t, h, "POST /v1/pbx/phones/phone_desk/resync", "", 202)
	for _, what := range []string{"pause", "resume", "abort"} {
		answer[jobAnswer](t, h, "POST /v1/pbx/jobs/job_1/"+what, "", 200)
	}
	if got := strings.Join(house.jobs.orders, ", "); got != "pause job_1, resume job_1, abort job_1" {
		t.Error(got)
	}
	house.jobs.err = phone.ErrNotFound
	answer[problem](t, h, "POST /v1/pbx/jobs/job_9/pause", "", 404)
	if p := answer[problem](t, h, "POST /v1/pbx/jobs/job_1/pause", "", 409); !strings.Contains(p.Detail, "node n1 runs") {
		t.Error(p.Detail)
	}
	house.jobs.jobs[0].EndedAt = noon
	if p := answer[problem](t, h, "POST /v1/pbx/jobs/job_1/pause", "", 409); !strings.Contains(p.Detail, "has ended") {
		t.Error(p.Detail)
	}
}
