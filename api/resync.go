package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/internal/upgrade"
)

// How long a phone may take from the NOTIFY to its registration, unless asked
// otherwise. One that restarts takes minutes.
const (
	resyncPatience = 2 * time.Minute
	rebootPatience = 5 * time.Minute
	maxPatience    = 3600 // seconds
	maxJobPhones   = 200_000
)

// oneInput is the body of a resync or reboot of one phone; it may be left out.
type oneInput struct {
	TimeoutSeconds int `json:"timeoutSeconds"`
}

// startOne answers POST /v1/pbx/phones/{id}/resync and .../reboot. A phone that is
// on its way already has one job of the kind, which is the answer.
func (s *server) startOne(kind string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noQuery(r); err != nil {
			return err
		}
		in, err := readOptional[oneInput](w, r)
		if err != nil {
			return err
		}
		waves, err := wavesInput{TimeoutSeconds: in.TimeoutSeconds, HaltPercent: 100}.waves(kind)
		if err != nil {
			return err
		}
		id := mux.Vars(r)["id"]
		_, d, err := s.find(r.Context(), id)
		if err != nil {
			return err
		}
		if d == nil {
			return fmt.Errorf("the phone is not provisioned and fetches nothing from here: %w", phone.ErrConflict)
		}
		if job, running := s.JobRunner.Under(kind, id); running {
			if j, err := s.Jobs.Job(r.Context(), job); err == nil && j.Args[onlyPhone] == id {
				return s.accepted(w, r, j)
			}
		}
		j, err := s.JobRunner.Start(r.Context(), phone.Job{Kind: kind, Args: map[string]string{onlyPhone: id}, Waves: waves}, []string{id})
		if err != nil {
			return err
		}
		return s.accepted(w, r, j)
	}
}

// manyInput is the body of a resync or reboot of many phones.
type manyInput struct {
	IDs    []string     `json:"ids"`
	Filter *filterInput `json:"filter"`
	Waves  wavesInput   `json:"waves"`
}

// filterInput are the parameters of GET /v1/pbx/phones.
type filterInput struct {
	Registered      *bool  `json:"registered"`
	DeviceType      string `json:"deviceType"`
	Manufacturer    string `json:"manufacturer"`
	Model           string `json:"model"`
	ExtensionNumber string `json:"extensionNumber"`
	MACAddress      string `json:"macAddress"`
	State           string `json:"state"`
	Drift           string `json:"drift"`
	Q               string `json:"q"`
}

// filter reads f as the query string of the list would be.
func (f filterInput) filter() (roster.Filter, error) {
	values := url.Values{
		"deviceType": {f.DeviceType}, "manufacturer": {f.Manufacturer}, "model": {f.Model}, "state": {f.State},
		"extensionNumber": {f.ExtensionNumber}, "macAddress": {f.MACAddress}, "drift": {f.Drift}, "q": {f.Q},
	}
	if f.Registered != nil {
		values.Set("registered", strconv.FormatBool(*f.Registered))
	}
	q := &query{values: values, prefix: "filter."}
	out := filterOf(q)
	return out, q.err()
}

// wavesInput says in what portions many phones are taken; what is left out has a
// default.
type wavesInput struct {
	Canary         int   `json:"canary"`
	Percents       []int `json:"percents"`
	JitterSeconds  int   `json:"jitterSeconds"`
	SoakSeconds    int   `json:"soakSeconds"`
	TimeoutSeconds int   `json:"timeoutSeconds"`
	Parallel       int   `json:"parallel"`
	HaltPercent    int   `json:"haltPercent"`
}

func wavesOf(w phone.Waves) wavesInput {
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	return wavesInput{
		Canary: w.Canary, Percents: append([]int{}, w.Percents...), JitterSeconds: seconds(w.Jitter), SoakSeconds: seconds(w.Soak),
		TimeoutSeconds: seconds(w.Patience), Parallel: w.Parallel, HaltPercent: w.HaltPercent,
	}
}

// waves checks what the input says and fills in what it does not.
func (in wavesInput) waves(kind string) (phone.Waves, error) {
	q := &query{}
	bound := func(name string, v, most int) time.Duration {
		if v < 0 || v > most {
			q.fail("waves."+name, "must be a whole number from 0 to "+strconv.Itoa(most))
		}
		return time.Duration(v) * time.Second
	}
	w := phone.Waves{
		Canary: in.Canary, Percents: in.Percents, Parallel: in.Parallel, HaltPercent: in.HaltPercent,
		Jitter: bound("jitterSeconds", in.JitterSeconds, 86400), Soak: bound("soakSeconds", in.SoakSeconds, 7*86400),
		Patience: bound("timeoutSeconds", in.TimeoutSeconds, maxPatience),
	}
	bound("parallel", in.Parallel, 10_000)
	bound("canary", in.Canary, maxJobPhones)
	if w.Patience == 0 {
		w.Patience = resyncPatience
		switch kind {
		case "reboot":
			w.Patience = rebootPatience
		case upgrade.Kind:
			w.Patience = firmwarePatience
		}
	}
	return w, q.err()
}

// startMany answers POST /v1/pbx/phones/resync and .../reboot.
func (s *server) startMany(kind string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noQuery(r); err != nil {
			return err
		}
		doc, err := readObject(w, r, jsonType)
		if err != nil {
			return err
		}
		in, err := patched(manyInput{Waves: wavesInput{JitterSeconds: 30, HaltPercent: 100}}, doc)
		if err != nil {
			return err
		}
		waves, err := in.Waves.waves(kind)
		if err != nil {
			return err
		}
		ids, err := s.chosen(in)
		if err != nil {
			return err
		}
		j, err := s.JobRunner.Start(r.Context(), phone.Job{Kind: kind, Waves: waves}, ids)
		if err != nil {
			return err
		}
		return s.accepted(w, r, j)
	}
}

// chosen are the phones that a request names or that pass its filter; phones that
// are not provisioned fetch nothing and are left out.
func (s *server) chosen(in manyInput) ([]string, error) {
	switch {
	case in.Filter != nil && in.IDs != nil:
		return nil, phone.Invalid("filter", "cannot be given together with ids")
	case in.Filter == nil && in.IDs == nil:
		return nil, phone.Invalid("ids", "is missing; give ids or a filter, {} for all phones")
	case in.Filter != nil:
		return s.passing(*in.Filter)
	}
	var errs []error
	for i, id := range in.IDs {
		if p, ok := s.Roster.Phone(id); !ok || !p.Provisioned {
			errs = append(errs, phone.Invalid(fmt.Sprintf("ids[%d]", i), "there is no such provisioned phone"))
		}
		if len(in.IDs) > maxJobPhones {
			return nil, phone.Invalid("ids", "has more than "+strconv.Itoa(maxJobPhones)+" entries")
		}
	}
	return in.IDs, errors.Join(bounded(errs)...)
}

// passing are the provisioned phones that pass a filter.
func (s *server) passing(in filterInput) ([]string, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	var ids []string
	for cursor := ""; ; {
		page, next, err := s.Roster.List(f, cursor, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			if p.Provisioned {
				ids = append(ids, p.ID)
			}
		}
		if cursor = next; next == "" || len(ids) > maxJobPhones {
			return ids, nil
		}
	}
}
