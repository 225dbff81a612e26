package roster

import (
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/useragent"
	"pbx.dev/dialtone/registrar/location"
)

// row is one phone of the list.
type row struct {
	id   string
	slot uint32  // index into state.rows, state.hot and state.text
	dev  *device // nil: the phone is not provisioned
	seen *seen   // nil: the phone is provisioned

	contacts []*contact // live ones

	// What was last seen; it stays when the last contact is gone.
	mac        phone.MAC // of the device, or what the phone claims
	agent      *useragent.Agent
	userAgent  string
	ip         string
	contact    string
	transport  string
	matchedBy  string
	registered time.Time // the last REGISTER; zero: never
	saved      time.Time // registered as it was last marked to be saved
	drift      []string
}

// device is what a provisioned phone has beside.
type device struct {
	vendor    phone.Vendor
	model     string
	name      string
	site      string
	lines     []line
	revision  int64
	updatedAt time.Time
	load      uint32 // the Load that saw it last

	sourceIP    string           // of the last fetch or DHCP request
	contacted   bool             // it asked for a file or an address
	fetched     *useragent.Agent // from the User-Agent of its fetches
	updater     bool             // those came from its updater, not from its application
	provisioned time.Time        // when it last got its configuration
	hasRevision int64            // and which revision that was
}

// line is one line of a device. live counts its contacts.
type line struct {
	number    int
	extension string
	authUser  string
	live      int
}

// seen is what a phone that is not provisioned has beside.
type seen struct {
	extension string
	instance  string // key of its instance and AOR; empty without an instance
	address   string // key of its AOR, User-Agent and IP address
	created   time.Time
	heard     time.Time // zero: it registered, and is in the list for that
	orphan    bool      // it is in the list for an orphaned contact only
}

// contact is one live binding and the phone it belongs to.
type contact struct {
	b     *location.Binding // shared with the mirror
	agent *useragent.Agent
	row   *row
	rule  string
	line  int // index into row.dev.lines; -1: none

	// orphan says that the line is gone which its digest user was minted for: it is
	// about to be removed, and no phone of its own.
	orphan bool
}

// contactKey is what tells bindings apart.
type contactKey struct {
	aor location.AOR
	id  string
}

// ext is what is known about one extension.
type ext struct {
	name     string
	known    bool   // it is in the inventory
	load     uint32 // the Load that saw it last
	rows     []*row
	contacts []*contact
}

// state is everything a roster knows. It is guarded by Roster.mu; its methods
// must be called with the lock held.
type state struct {
	byID     map[string]*row
	contacts map[contactKey]*contact
	exts     map[string]*ext
	users    map[string]*row // minted digest user to device
	macs     map[phone.MAC]*row
	claims   map[phone.MAC][]*row // MAC that unprovisioned phones claim
	instance map[string]*row      // seen.instance
	address  map[string][]*row    // seen.address

	// The list: slots in the order of ids, and by slot what filters look at, side
	// by side in memory so that a scan of all phones is quick.
	order order
	rows  []*row
	hot   []hot
	text  []string
	sign  []sign
	free  []uint32

	stats   Stats
	drifted func(DriftChange) // nil: nobody is told
	wanted  func(Runs) string // nil: phones may run what they like

	tally   tally
	agents  map[agentKey]*useragent.Agent
	pending []string // ids of rows that wait for adoption, oldest first
	dirty   dirty

	load    uint32              // counts Loads
	deleted map[string]struct{} // devices deleted while a Load runs; nil: none runs
}

func newState() *state {
	return &state{
		byID: map[string]*row{}, contacts: map[contactKey]*contact{}, exts: map[string]*ext{},
		users: map[string]*row{}, macs: map[phone.MAC]*row{}, claims: map[phone.MAC][]*row{},
		instance: map[string]*row{}, address: map[string][]*row{},
		agents: map[agentKey]*useragent.Agent{}, dirty: newDirty(),
		tally: tally{makers: map[uint32]maker{}},
	}
}

// agentKey is what a parsed User-Agent depends on.
type agentKey struct {
	ua      string
	ctx     useragent.Context
	browser bool
}

// maxAgents bounds the memory of parsed User-Agents; phones of one model and
// firmware share one.
const maxAgents = 8192

// agentOf parses a User-Agent once.
func (s *state) agentOf(k agentKey) *useragent.Agent {
	if a, ok := s.agents[k]; ok {
		return a
	}
	a := useragent.Parse(k.ua, k.ctx)
	if k.browser {
		a = a.InBrowser()
	}
	if len(s.agents) >= maxAgents {
		clear(s.agents)
	}
	s.agents[k] = &a
	return &a
}

// extension returns the entry of an extension, made when missing.
func (s *state) extension(number string) *ext {
	e := s.exts[number]
	if e == nil {
		e = &ext{}
		s.exts[number] = e
	}
	return e
}

// tidy drops the entry of an extension that nothing needs.
func (s *state) tidy(number string) {
	if e := s.exts[number]; e != nil && !e.known && len(e.rows) == 0 && len(e.contacts) == 0 {
		delete(s.exts, number)
	}
}

// DeviceOfUser implements Directory.
func (s *state) DeviceOfUser(authUser string) (string, bool) { return idOf(s.users[authUser]) }

// DeviceWithMAC implements Directory.
func (s *state) DeviceWithMAC(mac phone.MAC) (string, bool) { return idOf(s.macs[mac]) }

// DevicesAt implements Directory.
func (s *state) DevicesAt(extension, ip, maker string) []string {
	e := s.exts[extension]
	if e == nil {
		return nil
	}
	var ids []string
	for _, r := range e.rows {
		if r.dev != nil && r.dev.sourceIP == ip && (maker == "" || r.dev.vendor == "" || strings.Contains(maker, r.dev.vendor.DisplayName())) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

var _ Directory = (*state)(nil)

func idOf(r *row) (string, bool) {
	if r == nil {
		return "", false
	}
	return r.id, true
}
