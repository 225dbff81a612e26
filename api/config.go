package api

import (
	"net/http"

	"github.com/gorilla/mux"
)

// phoneConfig answers GET /v1/pbx/phones/{id}/config: the names of the files made
// for the phone, or with file the masked text of one.
func (s *server) phoneConfig(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	file, explain := q.text("file"), q.choice("explain", "0", "1") == "1"
	if err := q.err(); err != nil {
		return err
	}
	d, err := s.Devices.Device(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return absent("provisioned phone", err)
	}
	if file == "" {
		names := append([]string{}, s.Files.Names(d)...)
		return writeJSON(w, http.StatusOK, map[string][]string{"files": names})
	}
	if explain {
		return s.explainFile(w, r, d, file)
	}
	body, _, err := s.Files.Preview(r.Context(), d, file)
	if err != nil {
		return absent("file", err)
	}
	// To be read by a person: never as the type the phone gets it as.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(body) // the client may be gone
	return nil
}
