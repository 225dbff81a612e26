package api

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/uploads"
)

// Uploads are the files that phones store on the server. A name that a phone does
// not have is phone.ErrNotFound or phone.ErrInvalid.
type Uploads interface {
	List(mac phone.MAC) ([]uploads.File, error)
	Open(mac phone.MAC, name string) (*os.File, error)
	Remove(mac phone.MAC, name string) error
}

func (s *server) uploadRoutes() []route {
	if s.Uploads == nil {
		return nil
	}
	return []route{
		{"GET", base + "/phones/{id}/uploads", phonesRead, s.listUploads},
		// What a user changed at the phone can hold passwords, as its settings can.
		{"GET", base + "/phones/{id}/uploads/{name}", phonesWrite, s.getUpload},
		{"DELETE", base + "/phones/{id}/uploads/{name}", phonesWrite, s.deleteUpload},
	}
}

type uploadAnswer struct {
	Name       string    `json:"name"`
	Size       int64     `json:"size"` // bytes
	UploadedAt time.Time `json:"uploadedAt"`
}

// listUploads answers GET /v1/pbx/phones/{id}/uploads. A phone has a few.
func (s *server) listUploads(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	p, _, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	var files []uploads.File
	if !p.MAC.IsZero() {
		if files, err = s.Uploads.List(p.MAC); err != nil {
			return err
		}
	}
	answer := struct {
		Uploads []uploadAnswer `json:"uploads"`
	}{make([]uploadAnswer, 0, len(files))}
	for _, f := range files {
		answer.Uploads = append(answer.Uploads, uploadAnswer{Name: f.Name, Size: f.Size, UploadedAt: stamp(f.ModTime)})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getUpload answers GET /v1/pbx/phones/{id}/uploads/{name}: as an attachment, and
// as bytes that no browser takes for a page.
func (s *server) getUpload(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	mac, err := s.uploader(r)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	f, err := s.Uploads.Open(mac, name)
	if err != nil {
		return noUpload(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`) // a name of the store has no quotes
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	_, _ = io.CopyN(w, f, info.Size()) // the client may be gone
	return nil
}

// deleteUpload answers DELETE /v1/pbx/phones/{id}/uploads/{name}.
func (s *server) deleteUpload(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	mac, err := s.uploader(r)
	if err != nil {
		return err
	}
	if err := s.Uploads.Remove(mac, mux.Vars(r)["name"]); err != nil {
		return noUpload(err)
	}
	return noContent(w)
}

// uploader is the MAC of the phone in the path.
func (s *server) uploader(r *http.Request) (phone.MAC, error) {
	p, _, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err == nil && p.MAC.IsZero() {
		err = missing("upload")
	}
	return p.MAC, err
}

// noUpload is for names that no upload has as well.
func noUpload(err error) error {
	if len(fieldProblems(err)) > 0 {
		return missing("upload")
	}
	return absent("upload", err)
}
