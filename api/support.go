package api

import (
	"bytes"
	"net/http"
)

// supportRoutes is the call that makes a support bundle.
func (s *server) supportRoutes() []route {
	if s.Support == nil {
		return nil
	}
	return []route{{"GET", base + "/support", keysWrite, s.supportBundle}}
}

// supportBundle answers GET /v1/pbx/support with a zip of texts, which hold no secrets.
func (s *server) supportBundle(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	var b bytes.Buffer // a few hundred kilobytes: half of it would be no zip
	if err := s.Support(r.Context(), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="dialtone-support.zip"`)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b.Bytes()) // the client may be gone
	return nil
}
