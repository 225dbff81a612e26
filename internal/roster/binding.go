package roster

import (
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// Binding takes one change of a live contact, as location.Mirror reports them:
// what was there before as Added, and after a gap the changes that lead to what
// is there. It does no I/O.
func (r *Roster) Binding(c location.Change) {
	r.change(func(s *state) {
		switch c.Kind {
		case location.Added, location.Changed, location.Refreshed:
			r.metrics.bound(s.bound(r.opts.Kept(c.Binding)))
		case location.Removed, location.Expired, location.Evicted, location.FlowLost:
			s.unbound(c.Binding)
		}
	})
}

// bound adds a contact or follows its change. It returns the rule of a contact
// that was matched anew and whether there is one.
func (s *state) bound(b *location.Binding) (rule string, matched bool) {
	key := contactKey{b.AOR, b.ID}
	old := s.contacts[key]
	if old != nil && sameFacts(old.b, b) {
		old.b = b
		s.refreshed(old)
		return "", false
	}
	a := s.agentOf(agentKey{useragent.Clean(b.UserAgent), useragent.SIP, useragent.FromBrowser(b.Transport, b.Contact)})
	c := &contact{b: b, agent: a}
	id, rule := Match(*b, *a, s)
	target := s.byID[id]
	var before *row
	if old != nil {
		if before = old.row; target == nil && before.dev == nil {
			target = before // it changed its address or its firmware
		}
		s.leave(old)
	}
	s.settle(c, target, rule, before)
	return rule, true
}

// settle joins a contact to the device it belongs to, or without one to a phone
// of its own. before is the phone it was at, nil for none.
func (s *state) settle(c *contact, device *row, rule string, before *row) {
	target := device
	if target == nil {
		target = s.seenFor(c)
	}
	s.join(c, target, rule)
	if before != nil && before != target {
		s.vacate(before)
	}
}

// sameFacts reports whether two states of a binding differ in times only.
func sameFacts(a, b *location.Binding) bool {
	return a.Contact == b.Contact && a.Received == b.Received && a.UserAgent == b.UserAgent &&
		a.Transport == b.Transport && a.AuthUser == b.AuthUser && a.Instance == b.Instance
}

// refreshed notes the time of a plain refresh; it is saved now and then only.
func (s *state) refreshed(c *contact) {
	r := c.row
	if r.dev != nil && c.line < 0 || !c.b.RefreshedAt.After(r.registered) {
		return
	}
	r.registered = c.b.RefreshedAt
	if r.registered.Sub(r.saved) >= refreshSaveEvery {
		s.mark(r)
	}
}

// join gives a contact to a phone. The facts of a device follow only contacts
// that stand for one of its lines: anybody can write a MAC into a User-Agent.
func (s *state) join(c *contact, r *row, rule string) {
	c.row, c.rule, c.line = r, rule, lineOf(r, c)
	s.contacts[contactKey{c.b.AOR, c.b.ID}] = c
	e := s.extension(extensionOf(c.b.AOR))
	e.contacts = append(e.contacts, c)
	r.contacts = append(r.contacts, c)
	if r.dev != nil && c.line < 0 {
		s.describe(r)
		return
	}
	if c.line >= 0 {
		r.dev.lines[c.line].live++
	}
	before := r.facts()
	r.agent, r.userAgent = c.agent, useragent.Clean(c.b.UserAgent)
	r.ip, r.contact, r.transport = hostOf(c.b.Received), c.b.Contact, c.b.Transport
	r.matchedBy = rule
	if c.b.RefreshedAt.After(r.registered) {
		r.registered = c.b.RefreshedAt
	}
	if r.seen != nil {
		s.recognise(r, c)
	}
	s.describe(r)
	// A start finds all contacts as they were saved before.
	if r.facts() != before || r.registered.Sub(r.saved) >= refreshSaveEvery {
		s.mark(r)
	}
}

// facts are what is saved of a phone, but for the times.
type facts struct{ userAgent, ip, contact, transport, extension, instance, address string }

func (r *row) facts() facts {
	f := facts{userAgent: r.userAgent, ip: r.ip, contact: r.contact, transport: r.transport}
	if r.seen != nil {
		f.extension, f.instance, f.address = r.seen.extension, r.seen.instance, r.seen.address
	}
	return f
}

// lineOf is the line of a device that a contact stands for: of those with the
// extension the one its digest user was minted for, else the first; -1 if none.
func lineOf(r *row, c *contact) int {
	if r.dev == nil {
		return -1
	}
	number := extensionOf(c.b.AOR)
	found := -1
	for i := range r.dev.lines {
		l := &r.dev.lines[i]
		switch {
		case l.extension != number:
		case l.authUser != "" && l.authUser == c.b.AuthUser:
			return i
		case found < 0:
			found = i
		}
	}
	return found
}

// leave takes a contact from its phone, which stays in the list.
func (s *state) leave(c *contact) {
	r, number := c.row, extensionOf(c.b.AOR)
	if r == nil {
		return
	}
	delete(s.contacts, contactKey{c.b.AOR, c.b.ID})
	if e := s.exts[number]; e != nil {
		e.contacts = without(e.contacts, c)
		s.tidy(number)
	}
	r.contacts = without(r.contacts, c)
	if c.line >= 0 {
		r.dev.lines[c.line].live--
	}
	c.row, c.line = nil, -1
	s.describe(r)
}

// unbound follows the end of a contact.
func (s *state) unbound(b location.Binding) {
	c := s.contacts[contactKey{b.AOR, b.ID}]
	if c == nil {
		return
	}
	r := c.row
	if b.RefreshedAt.After(r.registered) && (r.dev == nil || c.line >= 0) {
		r.registered = b.RefreshedAt
	}
	s.leave(c)
	s.mark(r)
	switch {
	case r.seen == nil || len(r.contacts) > 0:
	case r.seen.orphan:
		s.forget(r) // it was a device, which was deleted, replaced or changed
	default:
		s.limitIdle(r)
	}
}

// rematch looks again for the phone of each contact, after the devices changed.
// A contact that was tied by lineAndIp stays while its line does: the phone may
// just have moved to another address.
func (s *state) rematch(contacts []*contact) {
	for _, c := range contacts {
		before := c.row // nil: its device is gone
		if before != nil && c.rule == RuleLineAndIP && lineOf(before, c) >= 0 {
			s.moveLine(c)
			continue
		}
		id, rule := Match(*c.b, *c.agent, s)
		device := s.byID[id]
		switch {
		case before != nil && device == before && rule == c.rule:
			s.moveLine(c)
			continue
		case before != nil && device == nil && before.seen != nil:
			continue
		}
		c.orphan = device == nil && (c.orphan || c.rule == RuleSIPUser)
		s.leave(c)
		s.settle(c, device, rule, before)
	}
}

// moveLine follows a change of the lines under a contact that keeps its phone.
func (s *state) moveLine(c *contact) {
	r := c.row
	if c.line >= 0 {
		r.dev.lines[c.line].live--
	}
	if c.line = lineOf(r, c); c.line >= 0 {
		r.dev.lines[c.line].live++
	}
	s.describe(r)
}

// vacate drops a phone that was only seen and whose last contact turned out to
// be a device: it is the same phone, in the list once.
func (s *state) vacate(r *row) {
	if r.seen != nil && len(r.contacts) == 0 && s.byID[r.id] == r {
		s.forget(r)
	}
}

// hintedMAC is the MAC that a contact claims, to find it when the device with
// this MAC is added.
func hintedMAC(c *contact) phone.MAC { return claimed(c.b.Instance, c.agent) }
