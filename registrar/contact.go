package registrar

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/wire"
)

// contact reads one Contact value. asked is the Expires header, if present.
func (c *change) contact(value string, asked time.Duration, present bool) (location.Contact, wire.Fault) {
	a, ok := wire.ParseNameAddr(value)
	if !ok {
		return location.Contact{}, badRequest("Bad Contact Header")
	}
	if len(value) > maxContact {
		return location.Contact{}, badRequest("Contact Header Too Long")
	}
	uri, ok := wire.ParseURI(a.URI)
	if !ok {
		return location.Contact{}, badRequest("Bad Contact Header")
	}
	if c.server.hosts.ourselves(uri) {
		return location.Contact{}, wire.Fault{Code: 403, Reason: "Contact Is This Server"}
	}
	b := c.binding(a.URI)
	if own, found := c.params(a.Params, &b); found {
		asked, present = expires(own)
	}
	ttl, fault := c.grant(asked, present)
	if len(b.Instance) > maxInstance {
		fault = badRequest("Bad Contact Header")
	}
	b.ID = bindingID(c.aor, &b, uri)
	b.Device = c.device(&b)
	c.nameless = c.nameless || ttl == 0 && b.Instance == ""
	return location.Contact{Binding: b, TTL: ttl}, fault
}

// binding is what all contacts of the request have in common.
func (c *change) binding(uri string) location.Binding {
	flow, opts := c.r.Flow(), &c.server.opts
	ua := c.r.Msg.Get(wire.UserAgent)
	return location.Binding{
		Contact: uri, Received: addrText(flow.Remote), Transport: flow.Transport, Socket: flow.Socket,
		Node: opts.Node, Boot: opts.Boot, Flow: flow.ID, CallID: c.update.CallID, CSeq: c.update.CSeq,
		Q: 1000, UserAgent: ua[:min(len(ua), maxUserAgent)], AuthUser: c.cred.User,
	}
}

// addrText is a.String() with one allocation less.
func addrText(a netip.AddrPort) string {
	var room [64]byte
	return string(a.AppendTo(room[:0]))
}

// params reads the parameters of a contact into b; all but expires, which is
// returned, are kept to be echoed.
func (c *change) params(params string, b *location.Binding) (asked string, found bool) {
	var room [maxContact]byte
	echo := room[:0]
	regID := ""
	for params != "" {
		var name, value string
		name, value, params = wire.CutParam(params)
		switch {
		case name == "":
			continue
		case strings.EqualFold(name, "expires"):
			asked, found = value, true
			continue
		case strings.EqualFold(name, "q"):
			b.Q = qValue(value)
		case strings.EqualFold(name, "+sip.instance"):
			b.Instance = strings.TrimSuffix(strings.TrimPrefix(wire.Unquote(value), "<"), ">")
		case strings.EqualFold(name, "reg-id"):
			regID = value
		}
		echo = append(append(echo, ';'), name...)
		if value != "" {
			echo = append(append(echo, '='), value...)
		}
	}
	if regID != "" && b.Instance != "" { // RFC 5626 section 6: nothing without an instance
		if n, err := strconv.ParseUint(regID, 10, 31); err == nil && n > 0 {
			b.RegID = int(n)
			c.regIDs++
		}
	}
	b.Params = string(echo)
	return asked, found
}

// grant decides the expiry: the default when none was asked for, at most the
// maximum, and never below the minimum but 0.
func (c *change) grant(asked time.Duration, present bool) (time.Duration, wire.Fault) {
	o := &c.server.opts
	switch {
	case !present:
		return o.DefaultExpires, wire.Fault{}
	case asked == 0:
		return 0, wire.Fault{}
	case asked < o.MinExpires && o.MinExpires <= time.Hour:
		return 0, wire.Fault{Code: tooBrief, Reason: "Interval Too Brief"}
	}
	return min(max(asked, o.MinExpires), o.MaxExpires), wire.Fault{}
}

// device says whose contact b is: the line's whose password was used; else the
// instance's; else of whatever sits at that address.
func (c *change) device(b *location.Binding) string {
	switch {
	case c.cred.DeviceID != "":
		return lineDevice(c.cred)
	case b.Instance != "":
		return "inst:" + b.Instance
	}
	return "addr:" + b.Received
}

func lineDevice(cred phone.Credential) string { return "line:" + cred.User }

// bindingID names a binding of an AOR: by instance and reg-id (RFC 5626 section
// 6), so that a phone that comes back from another address replaces itself, else
// by its URI (RFC 3261 section 19.1.4).
func bindingID(aor location.AOR, b *location.Binding, uri wire.URI) string {
	var room [1024]byte
	text := append(room[:0], aor...)
	if b.Instance != "" {
		text = append(append(text, "\x00i"...), b.Instance...)
		text = strconv.AppendInt(append(text, 0), int64(b.RegID), 10)
	} else {
		text = uri.AppendKey(append(text, "\x00u"...))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// expires reads a number of seconds; false when there is none or it is malformed,
// which means the default (RFC 3261 section 20.19). More than 32 bits hold is the
// most they do.
func expires(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// qValue reads q in thousandths; anything else than 0 to 1 is 1.
func qValue(s string) int {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 1000
	}
	return int(f*1000 + 0.5)
}
