package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/firmware"
	"pbx.dev/dialtone/internal/phone"
)

// FirmwareImages are the images that phones fetch. Errors as for Devices.
type FirmwareImages interface {
	// Receive takes an upload, which ends with Keep or with Received.Discard.
	Receive(ctx context.Context, from io.Reader) (*firmware.Received, error)
	Keep(ctx context.Context, r *firmware.Received, i phone.FirmwareImage) (image phone.FirmwareImage, created bool, err error)
	// Images returns all images, oldest first; the slice must not be changed.
	Images() []phone.FirmwareImage
	Image(id string) (phone.FirmwareImage, bool)
	Delete(ctx context.Context, id string) error
}

var (
	_ FirmwareImages  = (*firmware.Service)(nil)
	_ FirmwareTargets = (*firmware.Service)(nil)
)

const (
	firmwareRead  = "pbx:firmware:read"
	firmwareWrite = "pbx:firmware:write"
)

func (s *server) firmwareRoutes() []route {
	if s.Firmware == nil || s.FirmwareTargets == nil {
		return nil
	}
	const one, target = base + "/firmware/{id}", base + "/firmware/targets/{vendor}/{model}"
	return []route{
		{"GET", base + "/firmware", firmwareRead, s.listFirmware},
		{"POST", base + "/firmware", firmwareWrite, s.uploadFirmware},
		{"GET", base + "/firmware/targets", firmwareRead, s.listTargets},
		{"GET", target, firmwareRead, s.getTarget},
		{"PUT", target, firmwareWrite, s.putTarget},
		{"DELETE", target, firmwareWrite, s.deleteTarget},
		{"GET", one, firmwareRead, s.getFirmware},
		{"DELETE", one, firmwareWrite, s.deleteFirmware},
		{"GET", base + "/phones/{id}/firmware", firmwareRead, s.phoneFirmware},
		{"POST", base + "/phones/{id}/firmware/retry", firmwareWrite, s.retryFirmware},
	}
}

type firmwareAnswer struct {
	ID         string    `json:"id"`
	Vendor     string    `json:"vendor"`
	Models     []string  `json:"models"`
	Hardware   []string  `json:"hardware,omitempty"`
	Version    string    `json:"version,omitempty"`
	Requires   string    `json:"requires,omitempty"`
	Name       string    `json:"name"`
	Size       int64     `json:"size"` // bytes
	SHA256     string    `json:"sha256"`
	UploadedAt time.Time `json:"uploadedAt"`
	UploadedBy string    `json:"uploadedBy,omitempty"`
	Warnings   []string  `json:"warnings,omitempty"`
}

func firmwareOf(i phone.FirmwareImage) firmwareAnswer {
	return firmwareAnswer{
		ID: i.ID, Vendor: string(i.Vendor), Models: append([]string{}, i.Models...), Hardware: i.Hardware, Version: i.Version,
		Requires: i.Requires, Name: i.Name, Size: i.Size, SHA256: i.SHA256, UploadedAt: stamp(i.UploadedAt), UploadedBy: i.UploadedBy,
	}
}

// listFirmware answers GET /v1/pbx/firmware. Images are few: the page is cut here.
func (s *server) listFirmware(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r)
	if err != nil {
		return err
	}
	limit, after, vendor := q.limit(), q.cursor(), q.text("vendor")
	if err := q.err(); err != nil {
		return err
	}
	list := slices.Clone(s.Firmware.Images())
	slices.SortFunc(list, func(a, b phone.FirmwareImage) int { return strings.Compare(a.ID, b.ID) })
	list = slices.DeleteFunc(list, func(i phone.FirmwareImage) bool {
		return i.ID <= after || vendor != "" && !strings.EqualFold(string(i.Vendor), vendor)
	})
	page, next := cut(list, limit, func(i phone.FirmwareImage) string { return i.ID })
	answer := struct {
		Firmware []firmwareAnswer `json:"firmware"`
		Next     string           `json:"next,omitempty"`
	}{make([]firmwareAnswer, 0, len(page)), next}
	for _, i := range page {
		answer.Firmware = append(answer.Firmware, firmwareOf(i))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// getFirmware answers GET /v1/pbx/firmware/{id}.
func (s *server) getFirmware(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	i, ok := s.Firmware.Image(mux.Vars(r)["id"])
	if !ok {
		return missing("firmware")
	}
	return writeJSON(w, http.StatusOK, firmwareOf(i))
}

// deleteFirmware answers DELETE /v1/pbx/firmware/{id}; 409 while it is a target.
func (s *server) deleteFirmware(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	if err := s.Firmware.Delete(r.Context(), mux.Vars(r)["id"]); err != nil {
		return absent("firmware", err)
	}
	return noContent(w)
}

func firmwareLocation(id string) string { return base + "/firmware/" + url.PathEscape(id) }
