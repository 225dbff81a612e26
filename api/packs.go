package api

import (
	"io"
	"mime"
	"net/http"
	"strconv"
)

// maxPack is the largest zip file of templates, in bytes.
const maxPack = 8 << 20

// putPack answers POST /v1/pbx/templates/packs.
func (s *server) putPack(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/zip" {
		return refuse(http.StatusUnsupportedMediaType, "Send application/zip.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPack))
	if err != nil {
		return err
	}
	warnings, err := s.Templates.PutPack(r.Context(), body, infoOf(r).key.ID)
	if err != nil {
		return err
	}
	out := map[string][]warningAnswer{}
	for name, list := range warnings {
		out[name] = append([]warningAnswer{}, warningsOf(list)...)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"templates": out})
}

// getPack answers GET /v1/pbx/templates/packs.
func (s *server) getPack(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	body, err := s.Templates.Pack(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="templates.zip"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
	return nil
}
