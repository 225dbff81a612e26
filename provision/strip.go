package provision

import (
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// stripped answers for a file of a phone with the file that all phones of its
// vendor share, which holds neither accounts nor passwords and leaves those alone
// that the phone has. It is the same for every MAC, known or not, so that nobody
// learns which phones there are. why is what the request lacked.
func (s *Service) stripped(f *fetch, t Target, why string) (File, error) {
	v := t.Vendor
	if v == "" && s.opts.VendorOf != nil {
		v, _ = s.opts.VendorOf(t.MAC)
	}
	r, ok := sharedRole(v, t)
	if !ok {
		return f.fail(errDenied, why)
	}
	f.event.Detail, f.vendor = "without secrets: "+why, v
	return s.rendered(f, r, phone.Device{Vendor: v})
}

// sharedRole is the file of all phones that stands in for one of a single phone.
func sharedRole(v phone.Vendor, t Target) (role, bool) {
	own, ok := roleOf(v, t)
	if !ok || own.binary || own.isBook() { // the binary format names the MAC; these phones ask for the XML next
		return role{}, false
	}
	kind := KindCommon
	switch {
	case own.kind == KindBoot:
		kind = KindBoot
	case own.kind == KindMAC && v == phone.Polycom:
		kind = KindMaster
	}
	all := roles(v)
	i := slices.IndexFunc(all, func(r role) bool { return r.kind == kind && !r.own })
	if i < 0 {
		return role{}, false
	}
	return all[i], true
}
