package provision

import (
	"context"

	"pbx.dev/dialtone/internal/phone"
)

// Admission is what became of a phone nobody knew. The zero value is nothing.
type Admission struct {
	Device phone.Device // set: it is in the inventory from now on
	Claim  string       // set: the text that it is to show, for somebody to claim it by
	vendor phone.Vendor
}

// newcomer tells of a phone nobody knows and asks whether it is let in. That it is
// one counts against the budget of its source; beyond that nobody hears of it.
func (s *Service) newcomer(ctx context.Context, f *fetch, r Request, t Target) Admission {
	if v := f.probe(); v.over || v.crowd || s.opts.Enroll == EnrollClosed {
		return Admission{}
	}
	u := UnknownPhone{
		MAC: t.MAC, Vendor: t.Vendor, Name: t.Name, Proto: r.Proto,
		UserAgent: printable(r.UserAgent, maxAgent), Source: r.Source, At: s.now(),
	}
	if s.opts.VendorOf != nil {
		if v, ok := s.opts.VendorOf(t.MAC); ok {
			u.Vendor = v
		}
	}
	if s.opts.Unknown != nil {
		s.opts.Unknown(u)
	}
	if s.opts.Admit == nil || !s.renders(t.MAC) {
		return Admission{}
	}
	if _, ok := roleOf(u.Vendor, t); !ok {
		return Admission{} // not what a phone of this vendor begins with
	}
	a, err := s.opts.Admit(ctx, u)
	if err != nil {
		s.log.ErrorContext(ctx, "a phone was not enrolled", "phone", t.MAC, "error", err)
		return Admission{}
	}
	a.vendor = u.Vendor
	return a
}

// unclaimed answers with the file of a phone that shows its claim code.
func (s *Service) unclaimed(f *fetch, a Admission) (File, error) {
	r, ok := roleOf(a.vendor, f.target)
	if !ok {
		return f.fail(phone.ErrNotFound, "the phone has no such file")
	}
	if r.accounts {
		r.template = string(a.vendor) + "/unclaimed"
		f.event.Detail = "nobody has claimed the phone: it shows its claim code"
	}
	f.vendor = a.vendor
	return s.rendered(f, r, phone.Device{ID: unclaimedID + a.Claim, MAC: f.target.MAC, Vendor: a.vendor, Name: a.Claim})
}
