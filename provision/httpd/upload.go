package httpd

import (
	"errors"
	"net/http"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/provision"
)

// maxUpload is how much of an upload's stated length counts for its time.
const maxUpload = 16 << 20

// store takes what a phone sends with PUT or POST.
func (h *handler) store(w *counter, r *http.Request, req provision.Request) {
	// What is not read of a refused upload is not waited for.
	w.Header().Set("Connection", "close")
	if size := min(r.ContentLength, maxUpload); size > 0 {
		deadline := time.Now().Add(readTimeout + time.Duration(size/slowest)*time.Second)
		if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil {
			h.log.DebugContext(r.Context(), "http: read deadline stays", "error", err)
		}
	}
	err := h.opts.Uploads.Put(r.Context(), req, r.Body)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
}

// uploadStatus is the status of what only uploads can fail with; 0: another error.
func uploadStatus(err error) int {
	switch {
	case errors.Is(err, phone.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, phone.ErrFull):
		return http.StatusInsufficientStorage
	case errors.Is(err, phone.ErrBusy):
		return http.StatusServiceUnavailable
	}
	return 0
}
