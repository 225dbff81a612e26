package roster

import (
	"slices"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// Phone is one phone of the list. What is not known is empty.
type Phone struct {
	ID              string
	Provisioned     bool   // it is in the inventory
	Extension       string // of the first line
	ExtensionName   string
	DeviceType      string // "hardware", "softphone", "webrtc", "mobile"; never empty
	Manufacturer    string // display name
	Model           string // as provisioned, else as reported
	MAC             phone.MAC
	IPAddress       string // where it registered from, else where it fetched files from
	Registered      bool
	LastRegistered  time.Time // of the last REGISTER; zero: never
	UserAgent       string    // of the last REGISTER
	Firmware        string    // as reported
	State           string    // one of the State constants
	Lines           []Line    // ascending; one without a number for a phone that is not provisioned
	MatchedBy       string    // one of the Rule constants; empty for a phone that is not provisioned
	Drift           []string  // plain sentences, each starting with its kind and a colon
	LastProvisioned time.Time // when it last got its configuration; zero: never
	Revision        int64     // of the configuration it should have; 0 for a phone that is not provisioned
	HasRevision     int64     // of the configuration it last got; 0: none
}

// Line is one line of a phone.
type Line struct {
	Line            int // 1 is the first
	ExtensionNumber string
	Registered      bool
	AuthUser        string // digest user; of a live contact when the phone is not provisioned
}

// Phone returns one phone by its id.
func (r *Roster) Phone(id string) (Phone, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	row := r.st.byID[id]
	if row == nil {
		return Phone{}, false
	}
	return r.st.view(row), true
}

// view makes the answer about a row.
func (s *state) view(r *row) Phone {
	p := Phone{
		ID: r.id, Provisioned: r.dev != nil, DeviceType: string(types[r.typ()]),
		Manufacturer: r.maker(), Model: r.model(), MAC: r.mac, IPAddress: r.ip,
		Registered: r.live(), LastRegistered: r.registered, UserAgent: r.userAgent,
		Firmware: r.firmware(), State: states[r.state()], MatchedBy: r.matchedBy,
		Drift: slices.Clone(r.drift), Lines: r.lines(),
	}
	if len(p.Lines) > 0 {
		p.Extension = p.Lines[0].ExtensionNumber
		p.ExtensionName = s.nameOf(p.Extension)
	}
	if r.dev != nil {
		p.LastProvisioned, p.Revision, p.HasRevision = r.dev.provisioned, r.dev.revision, r.dev.hasRevision
	}
	return p
}

// lines are the lines as the answer shows them.
func (r *row) lines() []Line {
	if r.dev == nil {
		if r.seen.extension == "" {
			return nil
		}
		l := Line{Line: 1, ExtensionNumber: r.seen.extension, Registered: len(r.contacts) > 0}
		if l.Registered {
			l.AuthUser = r.contacts[0].b.AuthUser
		}
		return []Line{l}
	}
	out := make([]Line, len(r.dev.lines))
	for i, l := range r.dev.lines {
		out[i] = Line{Line: l.number, ExtensionNumber: l.extension, Registered: l.live > 0, AuthUser: l.authUser}
	}
	return out
}

// firmware is the reported version. A Polycom that fetches files as its updater
// gives the version of the updater, which is not it
// (phone-facts/README.md section 1).
func (r *row) firmware() string {
	if r.dev != nil && r.agent.Vendor == "" && r.dev.updater {
		return ""
	}
	return r.reported().Firmware
}

// Contact is one live contact of an extension and the phone it belongs to. A
// refresh on another node shows in Binding.ExpiresAt when location.Mirror sees it.
type Contact struct {
	Binding location.Binding
	PhoneID string
}

// Contacts returns the live contacts of an extension, highest Q first, then
// newest, as location.Store.Lookup orders them.
func (r *Roster) Contacts(extension string) []Contact {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.st.exts[extension]
	if e == nil {
		return nil
	}
	out := make([]Contact, 0, len(e.contacts))
	for _, c := range e.contacts {
		out = append(out, Contact{Binding: *c.b, PhoneID: c.row.id})
	}
	slices.SortFunc(out, func(a, b Contact) int {
		if a.Binding.Q != b.Binding.Q {
			return b.Binding.Q - a.Binding.Q
		}
		if n := b.Binding.RegisteredAt.Compare(a.Binding.RegisteredAt); n != 0 {
			return n
		}
		return strings.Compare(a.Binding.ID, b.Binding.ID)
	})
	return out
}
