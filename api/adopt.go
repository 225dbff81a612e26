package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// Claims are the codes that phones nobody provisioned show.
type Claims interface {
	// Claimed returns the phone that shows a code, or phone.ErrNotFound.
	Claimed(code string) (phone.MAC, error)
	// Adopted drops the code of a phone that was adopted and tells it to fetch its
	// files, at the address where it was seen last. It does not block.
	Adopted(d phone.Device, address string)
}

// adoption is what a phone is adopted with.
type adoption struct {
	ExtensionNumber string `json:"extensionNumber"`
}

// claimedAdoption names the phone by what it shows.
type claimedAdoption struct {
	ClaimCode       string `json:"claimCode"`
	ExtensionNumber string `json:"extensionNumber"`
}

// adoptPhone answers POST /v1/pbx/phones/{id}/adopt.
func (s *server) adoptPhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[adoption](w, r)
	if err != nil {
		return err
	}
	p, _, err := s.find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return s.adopt(w, r, p, in.ExtensionNumber)
}

// adoptClaimed answers POST /v1/pbx/phones/adopt.
func (s *server) adoptClaimed(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[claimedAdoption](w, r)
	if err != nil {
		return err
	}
	mac, err := s.Claims.Claimed(in.ClaimCode)
	if errors.Is(err, phone.ErrNotFound) {
		return phone.Invalid("claimCode", "no phone shows this code")
	}
	if err != nil {
		return err
	}
	list, _, err := s.Roster.List(roster.Filter{MAC: &mac}, "", 1)
	if err != nil {
		return err
	}
	p := roster.Phone{MAC: mac} // it left the list, and shows its code still
	if len(list) > 0 {
		p = list[0]
	}
	return s.adopt(w, r, p, in.ExtensionNumber)
}

// adopt gives a phone its first line. A phone that waits becomes a provisioned one
// under the id that it is listed by.
func (s *server) adopt(w http.ResponseWriter, r *http.Request, p roster.Phone, extension string) error {
	if extension == "" {
		return phone.Invalid("extensionNumber", "is missing")
	}
	d, err := s.adopted(r.Context(), p, []phone.Line{{Number: 1, Extension: extension}})
	if err != nil {
		return adoptionError(err)
	}
	s.Claims.Adopted(d, p.IPAddress)
	now, _ := s.Roster.Phone(d.ID)
	w.Header().Set("ETag", deviceTag(d))
	return writeJSON(w, http.StatusOK, deviceAnswer(withDevice(now, d), d, infoOf(r).key))
}

func (s *server) adopted(ctx context.Context, p roster.Phone, lines []phone.Line) (phone.Device, error) {
	if p.Provisioned {
		return s.Devices.UpdateDevice(ctx, p.ID, func(d *phone.Device) error {
			if len(d.Lines) > 0 {
				return fmt.Errorf("the phone has a line already: %w", phone.ErrConflict)
			}
			d.Lines = lines
			return nil
		})
	}
	if p.MAC.IsZero() {
		return phone.Device{}, fmt.Errorf("the MAC address of this phone is not known: %w", phone.ErrConflict)
	}
	fallback, _ := s.VendorOf(p.MAC)
	vendor, err := vendorOf("", fallback)
	if err != nil {
		return phone.Device{}, fmt.Errorf("there are no files for phones of this maker: %w", phone.ErrConflict)
	}
	return s.Devices.CreateDevice(ctx, phone.Device{ID: p.ID, MAC: p.MAC, Vendor: vendor, Model: p.Model, Lines: lines})
}

// adoptionError names the field as the request has it.
func adoptionError(err error) error {
	var field *phone.FieldError
	if errors.As(err, &field) && field.Field == "lines[0].extensionNumber" {
		return phone.Invalid("extensionNumber", field.Reason)
	}
	return absent("phone", err)
}
