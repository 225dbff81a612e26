package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/roster"
)

// phoneInput is what an administrator decides about a phone, and the document
// that a PATCH is merged into.
type phoneInput struct {
	MACAddress   string            `json:"macAddress"`
	Manufacturer string            `json:"manufacturer"`
	Model        string            `json:"model"`
	Name         string            `json:"name"`
	Site         string            `json:"site"`
	Lines        []lineInput       `json:"lines"`
	Settings     map[string]string `json:"settings"`
}

type lineInput struct {
	Line            *int   `json:"line"` // absent: its place among the lines
	ExtensionNumber string `json:"extensionNumber"`
	Label           string `json:"label"`
}

// createPhone answers POST /v1/pbx/phones.
func (s *server) createPhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	doc, err := readObject(w, r, jsonType)
	if err != nil {
		return err
	}
	settingsAsText(doc)
	in, err := patched(phoneInput{}, doc)
	if err != nil {
		return err
	}
	var d phone.Device
	if err := s.newDevice(&d, in); err != nil {
		return err
	}
	d, err = s.Devices.CreateDevice(r.Context(), d)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", deviceTag(d))
	noteSubject(r, d.ID)
	note(r, "macAddress", d.MAC.String())
	p, _ := s.Roster.Phone(d.ID)
	return created(w, base+"/phones/"+url.PathEscape(d.ID), s.changedPhone(r, withDevice(p, d), d))
}

// patchPhone answers PATCH /v1/pbx/phones/{id}.
func (s *server) patchPhone(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	patch, err := readObject(w, r, patchType, jsonType)
	if err != nil {
		return err
	}
	settingsAsText(patch)
	id := mux.Vars(r)["id"]
	d, err := s.Devices.UpdateDevice(r.Context(), id, func(d *phone.Device) error {
		in, err := patched(inputOf(*d), patch)
		if err != nil {
			return err
		}
		if err := unchanged(r, deviceTag(*d)); err != nil {
			return err
		}
		before := inputOf(*d)
		if err := s.change(d, in); err != nil {
			return err
		}
		noteChange(r, before, inputOf(*d))
		return nil
	})
	if err != nil {
		return absent("provisioned phone", err)
	}
	w.Header().Set("ETag", deviceTag(d))
	p, _ := s.Roster.Phone(id)
	return writeJSON(w, http.StatusOK, s.changedPhone(r, withDevice(p, d), d))
}

// changedPhone is the answer to a change: the phone, and what may not do what was
// meant.
func (s *server) changedPhone(r *http.Request, p roster.Phone, d phone.Device) phoneAnswer {
	a := deviceAnswer(p, d, infoOf(r).key)
	a.Warnings, _ = s.CheckPhone(d) // an error would have refused the change
	s.logWarnings(r, "phone "+d.MAC.String(), a.Warnings)
	return a
}

// logWarnings tells the log too what the answer to a change warns of.
func (s *server) logWarnings(r *http.Request, of string, warnings []string) {
	for _, w := range warnings {
		s.Logger.WarnContext(r.Context(), "settings may not do what was meant", "of", of, "warning", w, "request_id", infoOf(r).id)
	}
}

// newDevice fills d from in; the maker comes from the MAC address unless given.
func (s *server) newDevice(d *phone.Device, in phoneInput) error {
	mac, err := deviceMAC(in.MACAddress)
	if err != nil {
		return err
	}
	d.MAC = mac
	return s.applyInput(d, in, mac)
}

// deviceMAC reads the MAC address of one device.
func deviceMAC(text string) (phone.MAC, error) {
	mac, err := phone.ParseMAC(text)
	switch {
	case err != nil || mac.IsZero():
		return mac, phone.Invalid("macAddress", "must be a MAC address, twelve hexadecimal digits")
	case mac.IsGroup():
		return mac, phone.Invalid("macAddress", "is a multicast or broadcast address, not that of a device")
	}
	return mac, nil
}

// change applies a patched document to a stored device.
func (s *server) change(d *phone.Device, in phoneInput) error {
	if mac, err := phone.ParseMAC(in.MACAddress); err != nil || mac != d.MAC {
		return phone.Invalid("macAddress", "cannot be changed")
	}
	return s.applyInput(d, in, d.MAC)
}

// applyInput sets all but the MAC address, which tells the vendor when in names
// none.
func (s *server) applyInput(d *phone.Device, in phoneInput, mac phone.MAC) error {
	fallback, _ := s.VendorOf(mac)
	if in.Manufacturer == "" || in.Manufacturer != d.Vendor.DisplayName() {
		vendor, err := vendorOf(in.Manufacturer, fallback)
		if err != nil {
			return err
		}
		d.Vendor = vendor
	}
	d.Model, d.Name, d.Site, d.Settings = in.Model, in.Name, in.Site, in.Settings
	var err error
	if d.Lines, err = linesOf(in.Lines); err == nil {
		_, err = s.CheckPhone(*d)
	}
	return err
}

// vendorOf reads a manufacturer by any of its names, in any case.
func vendorOf(name string, fallback phone.Vendor) (phone.Vendor, error) {
	known := phone.Vendors()
	if name == "" {
		if slices.Contains(known, fallback) {
			return fallback, nil
		}
		return "", phone.Invalid("manufacturer", "the MAC address does not tell it; give "+vendorNames())
	}
	if v := catalog.CanonicalVendor(name); slices.Contains(known, v) {
		return v, nil
	}
	return "", phone.Invalid("manufacturer", "must be "+vendorNames())
}

func vendorNames() string {
	var names []string
	for _, v := range phone.Vendors() {
		names = append(names, v.DisplayName())
	}
	return strings.Join(names, ", ")
}

// linesOf makes the lines of a device. The inventory numbers and checks them, and
// a line that stays on its extension keeps its credential there.
func linesOf(in []lineInput) ([]phone.Line, error) {
	lines := make([]phone.Line, 0, len(in))
	for i, l := range in {
		line := phone.Line{Extension: l.ExtensionNumber, Label: l.Label}
		if l.Line != nil {
			line.Number = *l.Line
			if line.Number == 0 { // to the inventory it would be none
				return nil, phone.Invalid(fmt.Sprintf("lines[%d].line", i), "must be 1 to 99")
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// inputOf is the document of a stored device.
func inputOf(d phone.Device) phoneInput {
	in := phoneInput{
		MACAddress: d.MAC.String(), Manufacturer: d.Vendor.DisplayName(), Model: d.Model,
		Name: d.Name, Site: d.Site, Settings: d.Settings,
	}
	for _, l := range d.Lines {
		in.Lines = append(in.Lines, lineInput{new(l.Number), l.Extension, l.Label})
	}
	return in
}
