package roster

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// A phone that is not provisioned is recognised, in this order, by its instance
// and AOR; by AOR, User-Agent and address of a phone that is not registered now;
// by the MAC it claims, when a phone with that MAC waits for adoption or was last
// registered on the same extension. phone.Seen keeps the first as Key; the rest
// follows from its other fields.

// seenFor returns the row of a contact that belongs to no device, a new one if
// the phone was never seen.
func (s *state) seenFor(c *contact) *row {
	inst, addr := keysOf(c.b)
	if r := s.instance[inst]; inst != "" && r != nil {
		return r
	}
	var back *row
	for _, r := range s.address[addr] {
		if len(r.contacts) == 0 && (back == nil || r.registered.After(back.registered)) {
			back = r
		}
	}
	if back != nil {
		return back
	}
	mac := hintedMAC(c)
	for _, r := range s.claims[mac] {
		if len(r.contacts) == 0 && (r.registered.IsZero() || r.seen.extension == extensionOf(c.b.AOR)) {
			return r
		}
	}
	key := inst
	if key == "" {
		key = addr
	}
	r := &row{id: s.mint(key), seen: &seen{created: c.b.RegisteredAt, orphan: c.orphan}, registered: c.b.RefreshedAt}
	s.insert(r)
	return r
}

// recognise makes the row findable by what its contact now looks like.
func (s *state) recognise(r *row, c *contact) {
	s.unkey(r)
	r.seen.heard, r.seen.orphan = time.Time{}, r.seen.orphan && c.orphan
	r.seen.instance, r.seen.address = keysOf(c.b)
	r.seen.extension = extensionOf(c.b.AOR)
	if mac := hintedMAC(c); !mac.IsZero() || r.mac.IsZero() {
		r.mac = mac
	}
	s.key(r)
}

// key adds a seen row to the indexes, unkey takes it out.
func (s *state) key(r *row) {
	if r.seen.instance != "" {
		s.instance[r.seen.instance] = r
	}
	if r.seen.address != "" {
		addTo(s.address, r.seen.address, r)
	}
	if !r.mac.IsZero() {
		addTo(s.claims, r.mac, r)
	}
	if r.seen.extension != "" {
		s.addToExtension(r.seen.extension, r)
	}
}

func (s *state) unkey(r *row) {
	if r.seen.instance != "" && s.instance[r.seen.instance] == r {
		delete(s.instance, r.seen.instance)
	}
	dropFrom(s.address, r.seen.address, r)
	dropFrom(s.claims, r.mac, r)
	s.dropFromExtension(r.seen.extension, r)
}

// forget removes a seen phone for good.
func (s *state) forget(r *row) {
	s.unkey(r)
	s.remove(r)
	if !r.waits() { // those are not stored
		s.discard(r.id)
	}
}

// limitIdle forgets the longest silent phone of an extension that has too many.
func (s *state) limitIdle(r *row) {
	e := s.exts[r.seen.extension]
	if e == nil || len(e.rows) <= maxIdlePerExtension {
		return
	}
	var oldest *row
	idle := 0
	for _, o := range e.rows {
		if o.seen == nil || len(o.contacts) > 0 {
			continue
		}
		idle++
		if oldest == nil || o.registered.Before(oldest.registered) {
			oldest = o
		}
	}
	if idle > maxIdlePerExtension {
		s.forget(oldest)
	}
}

// mint makes the id of a seen phone from what it is recognised by, so that all
// nodes of an installation call it the same.
func (s *state) mint(key string) string {
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte("dialtone phone\x00" + strconv.Itoa(n) + "\x00" + key))
		id := "phone_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15])[:20])
		if s.byID[id] == nil {
			return id
		}
	}
}

// keysOf are the two keys of a contact; the first is empty without an instance.
func keysOf(b *location.Binding) (inst, addr string) {
	if b.Instance != "" {
		inst = digest("instance", string(b.AOR), strings.ToLower(b.Instance))
	}
	return inst, addressKey(extensionOf(b.AOR), useragent.Clean(b.UserAgent), hostOf(b.Received))
}

// addressKey can be made from a stored phone.Seen, too.
func addressKey(extension, ua, ip string) string { return digest("address", extension, ua, ip) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// The kinds of phone.Seen.Key. A phone that only waits is known by its MAC; it is
// not stored any more, and older versions' records are dropped. All keys end in the
// id: two equal phones may stand behind one NAT, and a phone may give its key up
// before another one's is stored.
const (
	keyInstance = "i:"
	keyAddress  = "a:"
	keyMAC      = "m:"
)

// record is what is stored of a seen row.
func (r *row) record() phone.Seen {
	key := keyAddress + r.seen.address
	if r.seen.instance != "" {
		key = keyInstance + r.seen.instance
	}
	key += ":" + r.id
	return phone.Seen{
		ID: r.id, Key: key, Extension: r.seen.extension, UserAgent: r.userAgent, IPAddress: r.ip,
		Contact: r.contact, Transport: r.transport, LastRegistered: r.registered, CreatedAt: r.seen.created,
	}
}

// restore lists a stored phone again, unless it has come back already.
func (s *state) restore(p phone.Seen) {
	if known := s.byID[p.ID]; known != nil {
		if known.seen != nil {
			known.seen.created = p.CreatedAt
		}
		return
	}
	key := strings.TrimSuffix(p.Key, ":"+p.ID)
	inst, hasInst := strings.CutPrefix(key, keyInstance)
	if strings.HasPrefix(key, keyMAC) {
		s.discard(p.ID)
		return
	}
	r := &row{
		id: p.ID, seen: &seen{extension: p.Extension, created: p.CreatedAt},
		userAgent: p.UserAgent, ip: p.IPAddress, contact: p.Contact, transport: p.Transport,
		registered: p.LastRegistered, saved: p.LastRegistered,
	}
	r.seen.address = addressKey(p.Extension, p.UserAgent, p.IPAddress)
	if hasInst {
		r.seen.instance = inst
	}
	r.agent = s.agentOf(agentKey{p.UserAgent, useragent.SIP, useragent.FromBrowser(p.Transport, p.Contact)})
	r.mac = r.agent.MAC
	if s.instance[inst] != nil {
		s.discard(r.id) // it came back under another id
		return
	}
	s.key(r)
	s.insert(r)
}
