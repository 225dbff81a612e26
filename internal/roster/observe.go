package roster

import (
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// Observe follows an event of provisioning: what a device asked for, from where
// and as what. Events of other kinds are ignored. A phone with an unknown MAC is
// listed when it asks for an address; of those that ask for files Waiting tells.
func (r *Roster) Observe(e phone.Event) {
	if e.Kind != phone.EventFile && e.Kind != phone.EventDHCP && e.Kind != phone.EventUpload && e.Kind != phone.EventPnP {
		return
	}
	now := r.now()
	r.change(func(s *state) {
		row := s.byID[e.DeviceID]
		if row == nil {
			row = s.macs[e.MAC]
		}
		switch {
		case row != nil && row.dev != nil:
			s.observe(row, &e, now)
		case row == nil && e.Kind == phone.EventDHCP:
			r.waiting(s, &e, now)
		}
	})
}

// Waiting lists the phone of e, which asked for a file of its own and which nobody
// provisioned, so that it can be adopted. Whether it is to be believed, the caller
// has found out: anybody can ask.
func (r *Roster) Waiting(e phone.Event) {
	now := r.now()
	r.change(func(s *state) { r.waiting(s, &e, now) })
}

func (r *Roster) waiting(s *state, e *phone.Event, now time.Time) {
	if r.opts.ShowUnknown && s.macs[e.MAC] == nil && renders(e.MAC) {
		s.unknown(e, now)
	}
}

// Knows reports whether a device with that MAC is provisioned, from memory.
func (r *Roster) Knows(mac phone.MAC) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.st.macs[mac] != nil
}

// WithMAC returns the provisioned phone with a MAC address.
func (r *Roster) WithMAC(mac phone.MAC) (id string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.st.DeviceWithMAC(mac)
}

// PhoneOf returns the phone of a live contact.
func (r *Roster) PhoneOf(b location.Binding) (id string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c := r.st.contacts[contactKey{b.AOR, b.ID}]
	if c == nil {
		return "", false
	}
	return idOf(c.row)
}

// observe notes what a device did. Only what it was given counts as its address
// and as its configuration: anybody can ask.
func (s *state) observe(r *row, e *phone.Event, now time.Time) {
	d, at := r.dev, e.At
	if at.IsZero() {
		at = now
	}
	before, wasIP := *d, r.ip
	d.contacted = true
	if e.Outcome == outcomeOK {
		if ip := hostOf(e.Source); ip != "" {
			d.sourceIP = ip
			if !r.live() {
				r.ip = ip
			}
		}
		if e.UserAgent != "" && e.Kind != phone.EventDHCP && e.Kind != phone.EventPnP { // there it is the vendor class, or of SIP
			d.fetched = s.agentOf(agentKey{ua: useragent.Clean(e.UserAgent), ctx: useragent.HTTP})
			d.updater = strings.HasSuffix(e.UserAgent, "Type/Updater")
		}
		if e.Kind == phone.EventFile && e.Revision > 0 {
			d.hasRevision = max(d.hasRevision, e.Revision)
			d.provisioned = at
		}
	}
	if before.sourceIP != d.sourceIP || before.hasRevision != d.hasRevision || before.contacted != d.contacted ||
		before.fetched != d.fetched || before.updater != d.updater || wasIP != r.ip {
		s.describe(r) // a phone that fetches what it has looks as it did
	}
	if before.sourceIP != d.sourceIP {
		s.rematch(s.unmatchedOn(r))
	}
	if before.sourceIP != d.sourceIP || before.hasRevision != d.hasRevision || !before.contacted ||
		d.provisioned.Sub(before.provisioned) >= refreshSaveEvery {
		s.mark(r)
	}
}

// outcomeOK is what phone.Event.Outcome says of a request that was answered.
const outcomeOK = "ok"

// unmatchedOn are the contacts on the device's extensions that have no device.
func (s *state) unmatchedOn(r *row) []*contact {
	return slices.DeleteFunc(unique(s.contactsNear(r)), func(c *contact) bool { return c.row.dev != nil })
}

// renders reports whether a MAC belongs to a vendor that dialtone has files for.
func renders(mac phone.MAC) bool {
	_, v, ok := catalog.VendorOf(mac)
	return ok && slices.Contains(phone.Vendors(), v)
}

// unknown lists a phone that nobody provisioned and that asked for a file or an
// address, so that it can be adopted. It is in memory alone: anybody can make up
// phones.
func (s *state) unknown(e *phone.Event, now time.Time) {
	if known := s.claims[e.MAC]; len(known) > 0 {
		if known[0].waits() {
			known[0].seen.heard = now
			known[0].heard(s, e)
		}
		return
	}
	r := &row{id: s.mint(keyMAC + e.MAC.Hex()), seen: &seen{created: now, heard: now}, mac: e.MAC}
	s.key(r)
	s.insert(r)
	r.heard(s, e)
	s.pending = append(s.pending, r.id)
	for len(s.pending) > maxPending {
		if old := s.byID[s.pending[0]]; old != nil && old.waits() {
			s.forget(old)
		}
		s.pending = s.pending[1:]
	}
}

// heard notes where a waiting phone is and what it calls itself.
func (r *row) heard(s *state, e *phone.Event) {
	if e.UserAgent != "" && e.Kind != phone.EventDHCP && e.Kind != phone.EventPnP {
		r.userAgent = useragent.Clean(e.UserAgent)
		r.agent = s.agentOf(agentKey{ua: r.userAgent, ctx: useragent.HTTP})
	}
	if ip := hostOf(e.Source); ip != "" {
		r.ip = ip
	}
	s.describe(r)
}

// waits reports whether the phone is in the list only because it asked.
func (r *row) waits() bool { return r.seen != nil && !r.seen.heard.IsZero() && r.registered.IsZero() }
