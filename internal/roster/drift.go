package roster

import (
	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
)

// DriftChange says how a phone differs from what is provisioned, before and now.
type DriftChange struct {
	PhoneID  string
	MAC      phone.MAC
	Was, Now []string // as Phone.Drift; empty: not at all
}

// driftOf lists in plain words how a device differs from what is provisioned.
// Each entry starts with its kind: "mac", "vendor", "model", "type",
// "configuration" or "extension", and a colon.
func driftOf(r *row) []string {
	if r.dev == nil {
		return nil
	}
	var out []string
	d, a := r.dev, r.reported()
	if !a.MAC.IsZero() && a.MAC != r.mac {
		out = append(out, "mac: the phone reports "+a.MAC.String()+", its SIP user was made for "+r.mac.String())
	}
	sameVendor := a.Vendor == "" || catalog.CanonicalVendor(a.Vendor) == d.vendor
	switch {
	case a.Type != "" && a.Type != useragent.Hardware:
		out = append(out, "type: registered by "+a.Vendor+", which is "+string(a.Type))
	case !sameVendor:
		out = append(out, "vendor: the phone reports "+a.Vendor+", it is provisioned as "+d.vendor.DisplayName())
	case a.Model != "" && d.model != "" && !catalog.SameModel(string(d.vendor), a.Model, d.model):
		out = append(out, "model: the phone reports "+a.Model+", it is provisioned as "+d.model)
	}
	if d.hasRevision > 0 && d.hasRevision < d.revision {
		out = append(out, "configuration: the phone has not fetched its latest configuration")
	}
	for _, c := range r.contacts {
		if c.line < 0 {
			out = append(out, "extension: registered as "+extensionOf(c.b.AOR)+", which is on no line of this phone")
		}
	}
	return out
}
