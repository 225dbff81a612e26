package api

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// Replacer exchanges broken phones.
type Replacer interface {
	// ReplaceDevice moves the device with all it has to the phone mac, after change
	// has edited it; all its lines get new digest users and secrets. phone.ErrConflict
	// when another device has mac.
	ReplaceDevice(ctx context.Context, id string, mac phone.MAC, change func(*phone.Device) error) (phone.Device, error)
}

// replaceInput is the body of an exchange. Without a model the new phone is of the
// old one's.
type replaceInput struct {
	MACAddress   string `json:"macAddress"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
}

// replacePhone answers POST /v1/pbx/phones/{id}/replace: everything moves to a new
// MAC address, and what the old phone knows is worth nothing any more.
func (s *server) replacePhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[replaceInput](w, r)
	if err != nil {
		return err
	}
	mac, err := deviceMAC(in.MACAddress)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	d, err := s.Replacer.ReplaceDevice(r.Context(), id, mac, func(d *phone.Device) error {
		if err := unchanged(r, deviceTag(*d)); err != nil {
			return err
		}
		return s.exchange(d, in, mac)
	})
	if err != nil {
		return absent("provisioned phone", err)
	}
	note(r, "macAddress", d.MAC.String())
	p, _ := s.Roster.Phone(id)
	w.Header().Set("ETag", deviceTag(d))
	return writeJSON(w, http.StatusOK, s.changedPhone(r, withDevice(p, d), d))
}

// exchange says what the new phone is: what in says, else what its MAC address
// says, else what the old one was.
func (s *server) exchange(d *phone.Device, in replaceInput, mac phone.MAC) error {
	fallback, known := s.VendorOf(mac)
	if !known {
		fallback = d.Vendor
	}
	vendor, err := vendorOf(in.Manufacturer, fallback)
	if err != nil {
		return err
	}
	if vendor != d.Vendor {
		d.Model = "" // it was another maker's
	}
	if d.Vendor = vendor; in.Model != "" {
		d.Model = in.Model
	}
	_, err = s.CheckPhone(*d)
	return err
}
