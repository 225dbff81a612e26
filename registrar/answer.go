package registrar

import (
	"strconv"
	"time"

	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/wire"
)

// holdGrace is how long a connection stays after its registration ended.
const holdGrace = time.Minute

// flowTimer is how often, in seconds, a phone that knows RFC 5626 is to send a
// keepalive (section 4.4): often enough for the NATs that forget after minutes.
// Nobody is cut off who does not.
const flowTimer = "120"

// answer sends the 200 with all bindings (RFC 3261 section 10.3 step 8), those of
// the request first: some phones look no further.
func (c *change) answer(res location.Result) {
	c.r.Vouch(c.holds())
	out := c.r.Begin(200, "OK")
	for i := range c.update.Contacts {
		id := c.update.Contacts[i].ID
		if named(c.update.Contacts[:i], id) { // the phone wrote it twice
			continue
		}
		for j := range res.Bindings {
			if res.Bindings[j].ID == id {
				out = appendContact(out, &res.Bindings[j], res.Now)
			}
		}
	}
	for j := range res.Bindings {
		if !c.mine(res.Bindings[j].ID) {
			out = appendContact(out, &res.Bindings[j], res.Now)
		}
	}
	for value := range c.r.Msg.List(wire.Path) { // RFC 3327 section 5.3
		out = wire.AppendHeader(out, "Path", value)
	}
	if c.outbound { // RFC 5626 section 6
		out = wire.AppendHeader(out, "Require", "outbound")
		out = wire.AppendHeader(out, "Flow-Timer", flowTimer)
	}
	out = wire.AppendHeader(out, "Supported", supported)
	c.r.Send(c.server.date.appendTo(out, c.server.opts.Now()))
}

// holds is how long the connection is wanted, 0 when nothing is registered.
func (c *change) holds() (d time.Duration) {
	for i := range c.update.Contacts {
		if ttl := c.update.Contacts[i].TTL; ttl > 0 {
			d = max(d, ttl+holdGrace)
		}
	}
	return d
}

func (c *change) mine(id string) bool { return named(c.update.Contacts, id) }

// named reports whether a binding is among the contacts of a request.
func named(contacts []location.Contact, id string) bool {
	for i := range contacts {
		if contacts[i].ID == id {
			return true
		}
	}
	return false
}

// appendContact appends a binding as the phone wrote it, with the time that
// remains.
func appendContact(dst []byte, b *location.Binding, now time.Time) []byte {
	dst = append(dst, "Contact: <"...)
	dst = append(dst, b.Contact...)
	dst = append(dst, '>')
	dst = append(dst, b.Params...)
	dst = append(dst, ";expires="...)
	dst = strconv.AppendInt(dst, seconds(b.ExpiresAt.Sub(now)), 10)
	return append(dst, '\r', '\n')
}

// refuseChange answers a REGISTER that cannot be accepted as it is.
func (s *Server) refuseChange(c *change, fault wire.Fault) {
	c.r.Vouch(0)
	if fault.Code != tooBrief {
		s.refuse(c.r, fault)
		return
	}
	s.note(c.r, refused, fault.Code, fault.Reason)
	out := c.r.Begin(fault.Code, fault.Reason)
	c.r.Send(wire.AppendHeader(out, "Min-Expires", strconv.FormatInt(seconds(s.opts.MinExpires), 10)))
}
