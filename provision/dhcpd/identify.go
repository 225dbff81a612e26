package dhcpd

import (
	"encoding/binary"
	"strings"
	"sync"
)

// identity is who a request comes from, as far as DHCP shows.
type identity struct {
	row   *row   // nil: not a phone
	by    string // which sign told
	class string // option 60 as text; for Polycom's binary form its parts
}

// notPhones are vendor classes of computers and boot loaders. They are no
// phones even when their OUI is a phone maker's: f04ea4 is a block of HP that
// Poly uses too (phone-facts/README.md).
var notPhones = [...]string{"MSFT ", "PXEClient", "HTTPClient", "AAPLBSDPC"}

// identify finds the row of a request: option 60, then the OUI, and without
// phonesOnly what is asked for. Option 60 goes first, as OUI blocks are shared
// between makers (PROVISIONING.md 6, NethServer/dev#7764).
func (e *engine) identify(r *request) identity {
	// The same form in 124 and 125 is unverified (1.1).
	for _, code := range [...]uint8{optVendorClass, optVendorSpecific} {
		if info, ok := parsePolycom(r.opts.get(code)); ok {
			return identity{row: e.rowNamed("polycom"), by: "vendor class", class: info}
		}
	}
	id, notPhone := e.byClass(r.opts.get(optClass))
	if id.row != nil || notPhone {
		return id
	}
	if vendor, ok := e.opts.VendorOf(r.mac); ok {
		id.row, id.by = e.rowOf(vendor), "OUI"
		return id
	}
	if !e.opts.PhonesOnly && r.asksFor(66, 150, 160) {
		id.row, id.by = e.rowNamed("generic"), "options asked for"
	}
	return id
}

// byClass reads option 60. It is asked with every packet and phones send few
// different ones, so the answers are kept.
func (e *engine) byClass(class []byte) (id identity, notPhone bool) {
	if k, ok := e.classes.get(class); ok {
		return k.id, k.notPhone
	}
	k := e.classify(class)
	e.classes.put(class, k)
	return k.id, k.notPhone
}

// classified is what an option 60 says: a row, or surely no phone, or nothing.
type classified struct {
	id       identity
	notPhone bool
}

func (e *engine) classify(class []byte) classified {
	if info, ok := parsePolycom(class); ok {
		return classified{id: identity{row: e.rowNamed("polycom"), by: "vendor class", class: info}}
	}
	id := identity{class: printable(class)}
	for _, prefix := range notPhones {
		if strings.HasPrefix(id.class, prefix) {
			return classified{id, true}
		}
	}
	for i := range e.rows {
		if e.rows[i].class != nil && e.rows[i].class.MatchString(id.class) {
			id.row, id.by = &e.rows[i], "vendor class"
			break
		}
	}
	return classified{id: id}
}

// IsPhoneClass reports whether a vendor class is one of a phone that there are files
// for, whatever protocol it came by.
func IsPhoneClass(class string) bool {
	for _, r := range rows() {
		if r.class != nil && r.class.MatchString(class) {
			return len(r.options) > 0
		}
	}
	return false
}

// classCache is a bounded memory of option 60. Forgetting all when it is full is
// cheaper than keeping order, and a flood of new ones gains nothing by it.
type classCache struct {
	mu sync.RWMutex
	m  map[string]classified
}

const (
	maxClasses  = 1024
	maxClassLen = 128 // longer ones are read anew
)

func (c *classCache) get(class []byte) (classified, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k, ok := c.m[string(class)]
	return k, ok
}

func (c *classCache) put(class []byte, k classified) {
	if len(class) > maxClassLen {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxClasses {
		c.m = map[string]classified{}
	}
	c.m[string(class)] = k
}

// polycomEnterprise is the number that Polycom's option 60 starts with.
const polycomEnterprise = 13885

// parsePolycom reads Polycom's binary option 60: enterprise number, length,
// sub-options code/length/data, 255 at the end (request_sequence.md 1.1). The
// result is company, model, part number and versions, a blank between them.
func parsePolycom(b []byte) (string, bool) {
	if len(b) < 5 || binary.BigEndian.Uint32(b) != polycomEnterprise {
		return "", false
	}
	list := b[5:min(len(b), 5+int(b[4]))]
	var parts []string
	for len(list) >= 2 && list[0] != 255 && len(list) >= 2+int(list[1]) {
		code, data := list[0], list[2:2+int(list[1])]
		if code >= 1 && code <= 5 {
			if s := printable(data); s != "" {
				parts = append(parts, s)
			}
		}
		list = list[2+len(data):]
	}
	return printable([]byte(strings.Join(parts, " "))), true
}
