package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

// Enrollment is the window in which phones nobody provisioned are let in.
type Enrollment interface {
	// OpenEnrollment is phone.ErrConflict while one is open.
	OpenEnrollment(ctx context.Context, e phone.Enrollment) (phone.Enrollment, error)
	// Enrollment is phone.ErrNotFound when there is none.
	Enrollment(ctx context.Context) (phone.Enrollment, error)
	CloseEnrollment(ctx context.Context) error
}

// Ban is a source that asks for what is not its own.
type Ban struct {
	Source string    `json:"source"` // address, or network of IPv6 addresses
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// enrollmentRoutes are the calls about phones nobody provisioned.
func (s *server) enrollmentRoutes() []route {
	return []route{
		{"POST", base + "/phones/{id}/adopt", phonesWrite, s.adoptPhone},
		{"GET", base + "/enrollment", phonesRead, s.getEnrollment},
		{"POST", base + "/enrollment", phonesWrite, s.openEnrollment},
		{"DELETE", base + "/enrollment", phonesWrite, s.closeEnrollment},
		{"GET", base + "/bans", phonesRead, s.listBans},
		{"DELETE", base + "/bans", phonesWrite, s.liftBan},
	}
}

// Bounds of a window.
const (
	maxEnrollPhones  = 10_000
	maxEnrollMinutes = 7 * 24 * 60
)

const (
	enrollPending = "pending"
	enrollAuto    = "auto"
)

type newEnrollment struct {
	Phones  int    `json:"phones"`
	Minutes int    `json:"minutes"`
	Subnet  string `json:"subnet"`
	Mode    string `json:"mode"`
}

type enrollmentAnswer struct {
	Open     bool      `json:"open"`
	Mode     string    `json:"mode,omitempty"`
	Phones   int       `json:"phones,omitempty"`
	Taken    int       `json:"taken"`
	Subnet   string    `json:"subnet,omitempty"`
	OpenedAt time.Time `json:"openedAt,omitzero"`
	ClosesAt time.Time `json:"closesAt,omitzero"`
}

func (s *server) enrollmentAnswer(e phone.Enrollment) enrollmentAnswer {
	a := enrollmentAnswer{
		Open: e.Open(s.Now()) && e.Taken < e.Phones, Mode: enrollPending, Phones: e.Phones, Taken: e.Taken,
		OpenedAt: stamp(e.OpenedAt), ClosesAt: stamp(e.ClosesAt),
	}
	if e.Auto {
		a.Mode = enrollAuto
	}
	if e.Subnet.IsValid() {
		a.Subnet = e.Subnet.String()
	}
	return a
}

// getEnrollment answers GET /v1/pbx/enrollment.
func (s *server) getEnrollment(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	e, err := s.Enrollment.Enrollment(r.Context())
	if errors.Is(err, phone.ErrNotFound) {
		return writeJSON(w, http.StatusOK, enrollmentAnswer{})
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.enrollmentAnswer(e))
}

// openEnrollment answers POST /v1/pbx/enrollment.
func (s *server) openEnrollment(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[newEnrollment](w, r)
	if err != nil {
		return err
	}
	if s.EnrollClosed {
		return fmt.Errorf("provision.enroll is closed: %w", phone.ErrConflict)
	}
	e, err := in.window(s.Now())
	if err != nil {
		return err
	}
	if e, err = s.Enrollment.OpenEnrollment(r.Context(), e); err != nil {
		return err
	}
	return created(w, base+"/enrollment", s.enrollmentAnswer(e))
}

// window checks the input; what is left out is 10 phones within an hour.
func (in newEnrollment) window(now time.Time) (phone.Enrollment, error) {
	if in.Phones == 0 {
		in.Phones = 10
	}
	if in.Minutes == 0 {
		in.Minutes = 60
	}
	var errs []error
	if in.Phones < 1 || in.Phones > maxEnrollPhones {
		errs = append(errs, phone.Invalid("phones", fmt.Sprintf("must be 1 to %d", maxEnrollPhones)))
	}
	if in.Minutes < 1 || in.Minutes > maxEnrollMinutes {
		errs = append(errs, phone.Invalid("minutes", fmt.Sprintf("must be 1 to %d", maxEnrollMinutes)))
	}
	if in.Mode != "" && in.Mode != enrollPending && in.Mode != enrollAuto {
		errs = append(errs, phone.Invalid("mode", "must be pending or auto"))
	}
	e := phone.Enrollment{
		Auto: in.Mode == enrollAuto, Phones: in.Phones, ClosesAt: now.Add(time.Duration(in.Minutes) * time.Minute),
	}
	if in.Subnet != "" {
		subnet, err := netip.ParsePrefix(in.Subnet)
		if err != nil {
			errs = append(errs, phone.Invalid("subnet", "must be a network such as 192.0.2.0/24"))
		}
		e.Subnet = subnet.Masked()
	}
	return e, errors.Join(errs...)
}

// closeEnrollment answers DELETE /v1/pbx/enrollment.
func (s *server) closeEnrollment(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.Enrollment.CloseEnrollment(r.Context()); err != nil {
		return absent("enrollment window", err)
	}
	return noContent(w)
}

// listBans answers GET /v1/pbx/bans: JSON, or for a firewall one source a line.
func (s *server) listBans(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	bans := s.Bans()
	if !strings.Contains(r.Header.Get("Accept"), "text/plain") {
		for i := range bans {
			bans[i].Since, bans[i].Until = stamp(bans[i].Since), stamp(bans[i].Until)
		}
		return writeJSON(w, http.StatusOK, map[string][]Ban{"bans": append([]Ban{}, bans...)})
	}
	var b bytes.Buffer
	for _, ban := range bans {
		b.WriteString(ban.Source + "\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the client may be gone
	return nil
}

// liftBan answers DELETE /v1/pbx/bans?source=: a source may ask again at once. The
// source is a parameter because a network has a slash in its name.
func (s *server) liftBan(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	source := q.text("source")
	if source == "" {
		q.fail("source", "is missing")
	}
	if err := q.err(); err != nil {
		return err
	}
	if err := s.Pardon(source); err != nil {
		return absent("ban", err)
	}
	noteSubject(r, source)
	return noContent(w)
}
