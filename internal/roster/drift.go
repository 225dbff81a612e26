package roster

import (
	"slices"

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

// Runs is what a provisioned phone says that it runs.
type Runs struct {
	MAC      phone.MAC
	Vendor   phone.Vendor
	Model    string
	Firmware string // never empty
	Hardware string // revision; empty when it does not say
}

// driftOf lists in plain words how a device differs from what is provisioned.
// Each entry starts with its kind: "mac", "vendor", "model", "type", "firmware",
// "configuration" or "extension", and a colon.
func (s *state) driftOf(r *row) []string {
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
	if wanted := s.firmwareWanted(r); wanted != "" {
		out = append(out, "firmware: the phone runs "+r.firmware()+", the target of its model is "+wanted)
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

// firmwareWanted is the version that a phone should run instead of the one that it
// reports; "" when it runs that or nothing is known against it.
func (s *state) firmwareWanted(r *row) string {
	version := r.firmware()
	if s.wanted == nil || version == "" {
		return ""
	}
	a := r.reported()
	if a.Vendor != "" && catalog.CanonicalVendor(a.Vendor) != r.dev.vendor {
		return "" // another phone altogether
	}
	return s.wanted(Runs{MAC: r.mac, Vendor: r.dev.vendor, Model: r.model(), Firmware: version, Hardware: useragent.Revision(r.userAgent)})
}

// recheckAtOnce is how many phones Recheck looks at before it lets others at the list.
const recheckAtOnce = 1000

// Recheck looks again for what phones differ in: what they should run has changed.
// Without MAC addresses it looks at all.
func (r *Roster) Recheck(macs ...phone.MAC) {
	for _, mac := range macs {
		r.change(func(s *state) { s.recheck(s.macs[mac]) })
	}
	for at, more := 0, len(macs) == 0; more; at += recheckAtOnce {
		r.change(func(s *state) {
			end := min(at+recheckAtOnce, len(s.rows))
			for i := at; i < end; i++ {
				s.recheck(s.rows[i])
			}
			more = end < len(s.rows)
		})
	}
}

// recheck describes a phone anew whose drift is another than before.
func (s *state) recheck(r *row) {
	if r != nil && r.dev != nil && !slices.Equal(r.drift, s.driftOf(r)) {
		s.describe(r)
	}
}
