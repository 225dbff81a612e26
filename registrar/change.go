package registrar

import (
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/wire"
)

// Bounds of a REGISTER.
const (
	maxContacts  = 16
	maxContact   = 512 // bytes of one Contact value
	maxPaths     = 8
	maxPathBytes = 1024
	maxCallID    = 256
	maxInstance  = 128
)

// change is one REGISTER on its way into the store.
type change struct {
	server *Server
	r      *edge.Request

	authentic bool // cred has proved itself
	cred      phone.Credential
	prepared  bool // aor and update are complete
	aor       location.AOR

	update   location.Update
	nameless bool // a contact to be removed names no instance
	outbound bool // RFC 5626 applies
	regIDs   int  // contacts with a reg-id
	room     [1]location.Contact
}

func badRequest(reason string) wire.Fault { return wire.Fault{Code: 400, Reason: reason} }

// tooBrief is the status of an expiry below the minimum (RFC 3261 section 10.3
// step 7).
const tooBrief = 423

// read fills in the update from the message and refuses what no state can mend.
func (c *change) read() wire.Fault {
	m := &c.r.Msg
	cseq, _, _ := m.CSeq() // checked by the edge
	c.update = location.Update{
		AOR: c.aor, CallID: m.Get(wire.CallID), CSeq: cseq,
		MaxContacts: c.server.opts.MaxContacts, Contacts: c.room[:0],
	}
	if len(c.update.CallID) > maxCallID {
		return badRequest("Bad Call-ID Header")
	}
	paths, fault := c.paths()
	if fault.Code != 0 {
		return fault
	}
	asked, present := expires(m.Get(wire.Expires))
	for value := range m.List(wire.Contact) {
		if value == "*" {
			return c.wildcard(present && asked == 0)
		}
		if len(c.update.Contacts) == maxContacts {
			return badRequest("Too Many Contacts")
		}
		contact, fault := c.contact(value, asked, present)
		if fault.Code != 0 {
			return fault
		}
		contact.Path = paths
		c.update.Contacts = append(c.update.Contacts, contact)
	}
	if c.regIDs > 1 { // RFC 5626 section 6
		return badRequest("More Than One reg-id")
	}
	if c.regIDs == 1 && supportsOutbound(m) {
		if !firstHopOutbound(m) {
			return wire.Fault{Code: 439, Reason: "First Hop Lacks Outbound Support"}
		}
		c.outbound = true
	}
	return wire.Fault{}
}

// wildcard is "Contact: *" (step 6). The user of one device's line removes what
// that device registered, unless StrictUnregister; the extension's own user removes all.
func (c *change) wildcard(zero bool) wire.Fault {
	n := 0
	for range c.r.Msg.List(wire.Contact) {
		n++
	}
	if !zero || n != 1 {
		return badRequest("Bad Contact Wildcard")
	}
	c.update.RemoveAll = true
	if c.cred.DeviceID != "" && !c.server.opts.StrictUnregister {
		c.update.Device = lineDevice(c.cred)
	}
	return wire.Fault{}
}

// paths reads the Path vector (RFC 3327). It is kept whether or not the phone
// says that it knows of it.
func (c *change) paths() ([]string, wire.Fault) {
	if !c.r.Msg.Has(wire.Path) {
		return nil, wire.Fault{}
	}
	var paths []string
	n := 0
	for value := range c.r.Msg.List(wire.Path) {
		a, ok := wire.ParseNameAddr(value)
		if _, sip := wire.ParseURI(a.URI); !ok || !sip {
			return nil, badRequest("Bad Path Header")
		}
		paths = append(paths, value)
		n += len(value)
	}
	if len(paths) > maxPaths || n > maxPathBytes {
		return nil, badRequest("Path Header Too Long")
	}
	return paths, wire.Fault{}
}

// supportsOutbound reports whether the phone knows RFC 5626.
func supportsOutbound(m *wire.Message) bool {
	for _, name := range [...]wire.Name{wire.Supported, wire.Require} {
		for tag := range m.List(name) {
			if strings.EqualFold(tag, "outbound") {
				return true
			}
		}
	}
	return false
}

// firstHopOutbound reports whether the first hop knows RFC 5626, too: it is us
// when there is no other.
func firstHopOutbound(m *wire.Message) bool {
	hops := 0
	for range m.List(wire.Via) {
		hops++
	}
	if hops == 1 {
		return true
	}
	last := "" // of the first hop, which adds its Path below those before it
	for path := range m.List(wire.Path) {
		last = path
	}
	a, _ := wire.ParseNameAddr(last)
	uri, _ := wire.ParseURI(a.URI)
	_, ob := wire.Param(uri.Params, "ob")
	return ob
}
