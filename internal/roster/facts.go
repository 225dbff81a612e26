package roster

import (
	"slices"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/useragent"
)

// The states of Phone.State, in the order a phone goes through them.
const (
	StatePending      = "pending"      // it asked for files and waits for adoption
	StateExpected     = "expected"     // it is provisioned and nothing was heard of it
	StateContacted    = "contacted"    // it asked for an address or a file
	StateConfigured   = "configured"   // it has the current configuration
	StateRegistered   = "registered"   // a line is registered
	StateUnregistered = "unregistered" // it was registered once and is not now
)

// states and types by their code in hot.
var (
	states = [...]string{StatePending, StateExpected, StateContacted, StateConfigured, StateRegistered, StateUnregistered}
	types  = [...]useragent.Type{useragent.Hardware, useragent.Softphone, useragent.WebRTC, useragent.Mobile}
)

// hot is what filters and statistics look at, small and without pointers.
type hot struct {
	used       bool
	registered bool
	drift      bool
	state      uint8 // index into states
	typ        uint8 // index into types
	maker      uint32
	model      uint32
}

// describe works everything out again that depends on the facts of r: call it
// when a fact other than a time has changed.
func (s *state) describe(r *row) {
	was := r.drift
	if r.drift = s.driftOf(r); s.drifted != nil && !slices.Equal(was, r.drift) {
		s.drifted(DriftChange{PhoneID: r.id, MAC: r.mac, Was: was, Now: slices.Clone(r.drift)})
	}
	s.retext(r)
	s.refresh(r)
}

// refresh follows a change of what is registered or configured.
func (s *state) refresh(r *row) {
	s.count(s.hot[r.slot], -1, "")
	h := hot{
		used: true, registered: r.live(), drift: len(r.drift) > 0, state: r.state(), typ: r.typ(),
		maker: foldHash(r.maker()), model: foldHash(r.model()),
	}
	s.hot[r.slot] = h
	s.count(h, 1, r.maker())
}

// count keeps the statistics; maker is for a phone that comes.
func (s *state) count(h hot, n int, maker string) {
	if !h.used {
		return
	}
	s.stats.Total += n
	if h.registered {
		s.stats.Registered += n
	} else {
		s.stats.Unregistered += n
	}
	*s.stats.ByType.of(types[h.typ]) += n
	s.tally.count(h, n, maker)
}

// live reports whether the phone is registered: any line of a device, any
// contact of another phone.
func (r *row) live() bool {
	if r.dev == nil {
		return len(r.contacts) > 0
	}
	for i := range r.dev.lines {
		if r.dev.lines[i].live > 0 {
			return true
		}
	}
	return false
}

// state is an index into states.
func (r *row) state() uint8 {
	switch {
	case r.dev != nil && len(r.dev.lines) == 0:
		return 0 // a device without lines waits to be given one
	case r.live():
		return 4
	case !r.registered.IsZero():
		return 5
	case r.dev == nil:
		return 0
	case r.dev.hasRevision > 0 && r.dev.hasRevision >= r.dev.revision:
		return 3
	case r.dev.contacted:
		return 2
	}
	return 1
}

// typ is an index into types. A provisioned phone is hardware. Another one is
// what its User-Agent and contact say; when they say nothing, it is hardware if
// it claims a MAC and a softphone otherwise.
func (r *row) typ() uint8 {
	if r.dev == nil {
		for i, t := range types {
			if r.agent != nil && r.agent.Type == t {
				return uint8(i)
			}
		}
		if r.mac.IsZero() {
			return 1
		}
	}
	return 0
}

// maker is the display name of the manufacturer.
func (r *row) maker() string {
	if r.dev != nil {
		return r.dev.vendor.DisplayName()
	}
	if r.agent != nil && r.agent.Vendor != "" {
		return r.agent.Vendor
	}
	name, _, _ := catalog.VendorOf(r.mac)
	return name
}

// reported is what the phone says of itself: when it registered, else when it
// fetched a file.
func (r *row) reported() useragent.Agent {
	if r.agent != nil && r.agent.Vendor != "" {
		return *r.agent
	}
	if r.dev != nil && r.dev.fetched != nil {
		return *r.dev.fetched
	}
	return useragent.Agent{}
}

func (r *row) model() string {
	if r.dev != nil && r.dev.model != "" {
		return r.dev.model
	}
	return r.reported().Model
}

func (s *state) nameOf(extension string) string {
	if e := s.exts[extension]; e != nil {
		return e.name
	}
	return ""
}

// extensions are the numbers of the phone's lines, the first line's first.
func (r *row) extensions() []string {
	if r.dev == nil {
		if r.seen.extension == "" {
			return nil
		}
		return []string{r.seen.extension}
	}
	out := make([]string, 0, len(r.dev.lines))
	for i := range r.dev.lines {
		out = append(out, r.dev.lines[i].extension)
	}
	return out
}
