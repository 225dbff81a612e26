package roster

import (
	"slices"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
)

// DeviceChanged follows a device that was created or changed in the inventory.
// An older state of a device than the known one is ignored.
func (r *Roster) DeviceChanged(d phone.Device) {
	r.change(func(s *state) { s.putDevice(d) })
}

// DeviceDeleted follows a device that left the inventory. Its live contacts stay
// in the list as phones of their own: for as long as they live when their digest
// users were minted for its lines.
func (r *Roster) DeviceDeleted(id string) {
	r.change(func(s *state) {
		if s.deleted != nil {
			s.deleted[id] = struct{}{}
		}
		if row := s.byID[id]; row != nil && row.dev != nil {
			s.dropDevice(row)
		}
	})
}

// ExtensionChanged follows the name of an extension.
func (r *Roster) ExtensionChanged(e phone.Extension) {
	r.change(func(s *state) { s.nameExtension(e.Number, e.Name, true) })
}

// ExtensionDeleted follows an extension that left the inventory.
func (r *Roster) ExtensionDeleted(number string) {
	r.change(func(s *state) { s.nameExtension(number, "", false) })
}

// SeenDeleted follows a phone that was not provisioned and that another node has
// forgotten. A registered one stays.
func (r *Roster) SeenDeleted(id string) {
	r.change(func(s *state) {
		if row := s.byID[id]; row != nil && row.seen != nil && len(row.contacts) == 0 {
			s.unkey(row)
			s.remove(row)
		}
	})
}

func (s *state) nameExtension(number, name string, known bool) {
	e := s.extension(number)
	renamed := e.name != name
	e.name, e.known, e.load = name, known, s.load
	if renamed {
		for _, row := range e.rows {
			s.retext(row)
		}
	}
	s.tidy(number)
}

// putDevice adds or changes a device and looks again at every contact that may
// belong to it now, or no longer.
func (s *state) putDevice(d phone.Device) {
	r := s.byID[d.ID]
	var moved []*contact
	if r != nil && r.seen != nil { // adopted under the id it had
		moved = slices.Clone(r.contacts)
		s.disband(r, moved)
		r = nil
	}
	if r != nil && d.Revision <= r.dev.revision && d.UpdatedAt.Before(r.dev.updatedAt) {
		r.dev.load = s.load
		return
	}
	if r == nil {
		r = &row{id: d.ID, dev: &device{}, agent: &useragent.Agent{}}
		moved = append(moved, s.setDevice(r, d)...)
		s.insert(r)
	} else {
		moved = append(moved, s.setDevice(r, d)...)
		s.describe(r)
	}
	s.rematch(unique(moved))
	for _, w := range slices.Clone(s.claims[d.MAC]) {
		s.vacateWaiting(w)
	}
}

// setDevice takes the facts of d over and returns the contacts to look at again.
func (s *state) setDevice(r *row, d phone.Device) []*contact {
	moved := slices.Clone(r.contacts)
	moved = append(moved, s.contactsNear(r)...)
	s.unindexDevice(r)
	dev := r.dev
	dev.vendor, dev.model, dev.name, dev.site = d.Vendor, d.Model, d.Name, d.Site
	dev.revision, dev.updatedAt, dev.load = d.Revision, d.UpdatedAt, s.load
	dev.lines = make([]line, 0, len(d.Lines))
	for _, l := range d.Lines {
		dev.lines = append(dev.lines, line{number: l.Number, extension: l.Extension, authUser: l.AuthUser})
	}
	for _, c := range r.contacts {
		c.line = -1 // rematch counts them anew
	}
	if !r.mac.IsZero() && r.mac != d.MAC {
		r.unhear() // another phone stands on the desk
	}
	r.mac = d.MAC
	s.indexDevice(r)
	return append(moved, s.contactsNear(r)...)
}

// unhear forgets what was seen of a device.
func (r *row) unhear() {
	d := r.dev
	d.sourceIP, d.contacted, d.fetched, d.provisioned, d.hasRevision = "", false, nil, time.Time{}, 0
	r.agent, r.userAgent, r.ip, r.contact, r.transport, r.matchedBy = &useragent.Agent{}, "", "", "", "", ""
	r.registered = time.Time{}
}

// contactsNear are the contacts of the device's extensions and of the phones
// that claim its MAC.
func (s *state) contactsNear(r *row) []*contact {
	var out []*contact
	for i := range r.dev.lines {
		if e := s.exts[r.dev.lines[i].extension]; e != nil {
			out = append(out, e.contacts...)
		}
	}
	for _, o := range s.claims[r.mac] {
		out = append(out, o.contacts...)
	}
	return out
}

func (s *state) indexDevice(r *row) {
	s.macs[r.mac] = r
	for i := range r.dev.lines {
		l := &r.dev.lines[i]
		s.addToExtension(l.extension, r)
		if l.authUser != "" {
			s.users[l.authUser] = r
		}
	}
}

func (s *state) unindexDevice(r *row) {
	if s.macs[r.mac] == r {
		delete(s.macs, r.mac)
	}
	for i := range r.dev.lines {
		l := &r.dev.lines[i]
		s.dropFromExtension(l.extension, r)
		if s.users[l.authUser] == r {
			delete(s.users, l.authUser)
		}
	}
}

func (s *state) dropDevice(r *row) {
	moved := slices.Clone(r.contacts)
	s.unindexDevice(r)
	s.disband(r, moved)
	s.rematch(moved)
}

// disband removes a row from the list and leaves its contacts without a phone,
// for rematch to find one.
func (s *state) disband(r *row, contacts []*contact) {
	for _, c := range contacts {
		s.leave(c)
	}
	if r.seen != nil {
		s.unkey(r)
		s.discard(r.id)
	}
	s.remove(r)
}

// vacateWaiting drops a phone that waited for adoption and was provisioned.
func (s *state) vacateWaiting(r *row) {
	if r.registered.IsZero() {
		s.vacate(r)
	}
}

func unique(list []*contact) []*contact {
	out := make([]*contact, 0, len(list))
	for _, c := range list {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
