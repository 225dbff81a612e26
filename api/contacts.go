package api

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
	"pbx.dev/dialtone/registrar/location"
)

type contactAnswer struct {
	URI       string    `json:"uri"`
	Received  string    `json:"received,omitempty"`
	Transport string    `json:"transport,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"`
	PhoneID   string    `json:"phoneId,omitempty"`
	// LatencyMs is the time to the last answer to an OPTIONS, in milliseconds;
	// absent when the phone is not asked or does not answer (sip.qualify).
	LatencyMs *float64 `json:"latencyMs,omitempty"`
}

// extensionContacts answers GET /v1/pbx/extensions/{number}/contacts: every live
// contact, which is what a call would ring. The cursor is how many were shown: it is a
// list that lives.
func (s *server) extensionContacts(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := onlyPage(r)
	if err != nil {
		return err
	}
	shown, err := strconv.Atoi(cmp.Or(cursor, "0"))
	if err != nil || shown < 0 {
		return phone.Invalid("cursor", "is not a cursor of this list")
	}
	e, err := s.Extensions.Extension(r.Context(), mux.Vars(r)["number"])
	if err != nil {
		return absent("extension", err)
	}
	contacts := s.Roster.Contacts(e.Number)
	contacts = contacts[min(shown, len(contacts)):]
	contacts, next := cut(contacts, limit, func(roster.Contact) string { return strconv.Itoa(shown + limit) })
	answer := make([]contactAnswer, 0, len(contacts))
	for _, c := range contacts {
		b := c.Binding
		answer = append(answer, contactAnswer{
			URI: b.Contact, Received: b.Received, Transport: b.Transport,
			UserAgent: b.UserAgent, ExpiresAt: stamp(b.ExpiresAt), PhoneID: c.PhoneID, LatencyMs: s.latencyOf(b),
		})
	}
	return writeJSON(w, http.StatusOK, struct {
		Contacts []contactAnswer `json:"contacts"`
		Next     string          `json:"next,omitempty"`
	}{answer, next})
}

func (s *server) latencyOf(b location.Binding) *float64 {
	if s.Latency == nil {
		return nil
	}
	d, ok := s.Latency(b)
	if !ok {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}
