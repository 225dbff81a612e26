package api

import (
	_ "embed"
	"net/http"
)

// openapiDocument is made from openapi.yaml by the test that compares the two.
//
//go:embed openapi.json
var openapiDocument []byte

// healthz answers GET /healthz: the process lives.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers GET /readyz: 200 if every check is well, else 503.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) error {
	answer := struct {
		Ready  bool         `json:"ready"`
		Checks []ReadyCheck `json:"checks"`
	}{Ready: true, Checks: []ReadyCheck{}}
	if s.Ready != nil {
		answer.Checks = append(answer.Checks, s.Ready()...)
	}
	status := http.StatusOK
	for _, c := range answer.Checks {
		if !c.OK {
			answer.Ready, status = false, http.StatusServiceUnavailable
		}
	}
	return writeJSON(w, status, answer)
}

// prometheus answers GET /metrics.
func (s *server) prometheus(w http.ResponseWriter, r *http.Request) error {
	s.MetricsHandler.ServeHTTP(w, r)
	return nil
}

// openapi answers GET /openapi.json.
func (s *server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(openapiDocument) // the client may be gone
	return nil
}
