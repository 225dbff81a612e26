package registrar

import (
	"strings"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/wire"
)

// tell counts and records what has happened.
func (c *change) tell(res location.Result) {
	s, transport := c.server, c.r.Flow().Transport
	switch {
	case c.update.RemoveAll:
		s.metrics.count(unregistered, transport)
		c.record(phone.EventUnregister, "*", "")
		return
	case len(c.update.Contacts) == 0:
		s.metrics.count(queried, transport)
		return
	}
	what := unregistered
	for i := range c.update.Contacts {
		contact := &c.update.Contacts[i]
		if contact.TTL == 0 {
			c.record(phone.EventUnregister, contact.Contact, "")
			continue
		}
		what = registered
		for j := range res.Bindings {
			b := &res.Bindings[j]
			if b.ID == contact.ID && b.RegisteredAt.Equal(b.RefreshedAt) {
				c.record(phone.EventRegister, contact.Contact, "registered as "+string(c.aor))
			}
		}
	}
	s.metrics.count(what, transport)
}

func (c *change) record(kind phone.EventKind, contact, detail string) {
	flow := c.r.Flow()
	c.server.opts.Recorder(phone.Event{
		At: c.server.opts.Now(), Kind: kind, DeviceID: c.cred.DeviceID, Proto: flow.Transport,
		Path: strings.Clone(contact), Outcome: "ok", Status: 200, UserAgent: userAgent(&c.r.Msg),
		Source: flow.Remote.String(), Detail: detail,
	})
}

// maxUserAgent bounds what is kept of a User-Agent, in bytes.
const maxUserAgent = 256

// userAgent returns a copy of the User-Agent.
func userAgent(m *wire.Message) string {
	ua := m.Get(wire.UserAgent)
	return strings.Clone(ua[:min(len(ua), maxUserAgent)])
}
