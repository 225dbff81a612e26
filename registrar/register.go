package registrar

import (
	"context"
	"errors"
	"strings"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/edge"
	"pbx.dev/dialtone/registrar/location"
	"pbx.dev/dialtone/registrar/wire"
)

// reasonTooMany goes with 403.
const reasonTooMany = "Too Many Contacts"

var errDirectory = errors.New("directory of extensions unavailable")

// Register implements edge.Handler: RFC 3261 section 10.3 from step 3 on, or from
// where Begin left off.
func (s handler) Register(ctx context.Context, r *edge.Request) {
	c := s.state(r)
	defer c.end()
	if !c.authentic {
		if c.cred, c.authentic = s.authenticate(ctx, r); !c.authentic {
			return
		}
	}
	if !c.prepared && !c.prepare(ctx) {
		return
	}
	res, err := c.apply(ctx)
	if err != nil {
		s.failed(r, err)
		return
	}
	c.finish(res)
}

// prepare goes from the password to the store: steps 4 to 7 of RFC 3261 section 10.3,
// as far as they need no state. False: it has answered.
func (c *change) prepare(ctx context.Context) bool {
	if !c.server.authorize(ctx, c.r, c.cred) { // steps 4 and 5
		return false
	}
	c.aor = c.server.aor(c.cred.Extension)
	if fault := c.read(); fault.Code != 0 { // steps 6 and 7
		c.server.refuseChange(c, fault)
		return false
	}
	c.prepared = true
	return true
}

// finish answers and tells of what the store has made.
func (c *change) finish(res location.Result) {
	if c.holds() > 0 {
		c.server.flows.note(c.r.Flow(), c.aor)
	}
	c.answer(res) // step 8
	c.tell(res)
}

// aor is the address-of-record of an extension.
func (s *Server) aor(extension string) location.AOR {
	return location.AOR(extension + "@" + s.opts.Domain)
}

// authorize reports whether the user may change the AOR in To: that of the
// extension he stands for, by its number or by any of its digest users.
func (s *Server) authorize(ctx context.Context, r *edge.Request, cred phone.Credential) bool {
	if s.addressed(&r.Msg, cred) {
		return true
	}
	to, _ := wire.ParseNameAddr(r.Msg.Get(wire.To)) // checked by the edge
	uri, ok := wire.ParseURI(to.URI)
	switch {
	case !ok:
		s.refuse(r, wire.Fault{Code: 400, Reason: "Bad To Header"})
		return false
	case !s.hosts.local(uri.Host):
		s.refuse(r, wire.Fault{Code: 404, Reason: "Domain Not Served Here"})
		return false
	}
	other, err := s.opts.Directory.Credential(ctx, strings.Clone(wire.Unescape(uri.User)))
	switch {
	case err == nil && other.Extension == cred.Extension:
		return true
	case err != nil && !errors.Is(err, phone.ErrNotFound):
		s.unavailable(r, errDirectory)
	default:
		s.refuse(r, wire.Fault{Code: 403, Reason: "Forbidden"})
	}
	return false
}

// addressed reports whether To is plainly the user's own: no directory is needed to
// know that.
func (s *Server) addressed(m *wire.Message, cred phone.Credential) bool {
	to, _ := wire.ParseNameAddr(m.Get(wire.To)) // checked by the edge
	uri, ok := wire.ParseURI(to.URI)
	if !ok || !s.hosts.local(uri.Host) {
		return false
	}
	user := wire.Unescape(uri.User)
	return user == cred.Extension || user == cred.User
}

// apply changes the bindings, or only reads them when there is nothing to change.
func (c *change) apply(ctx context.Context) (location.Result, error) {
	store := c.server.opts.Store
	if !c.update.RemoveAll && len(c.update.Contacts) == 0 {
		bindings, err := store.Lookup(ctx, c.aor)
		return location.Result{Bindings: bindings, Now: c.server.opts.Now()}, err
	}
	if err := c.adopt(ctx, store); err != nil {
		return location.Result{}, err
	}
	return c.applyInRoom(ctx, store)
}

// adopt gives a contact that is to be removed, and does not say which instance it
// is, the ID of the binding with that URI: phones leave the instance out there.
func (c *change) adopt(ctx context.Context, store location.Store) error {
	if !c.nameless {
		return nil
	}
	bindings, err := store.Lookup(ctx, c.aor)
	if err != nil {
		return err
	}
	for i := range c.update.Contacts {
		contact := &c.update.Contacts[i]
		if contact.TTL > 0 || contact.Instance != "" {
			continue
		}
		for _, b := range bindings {
			if b.Instance != "" && sameURI(b.Contact, contact.Contact) {
				contact.ID = b.ID
			}
		}
	}
	return nil
}

func sameURI(a, b string) bool {
	ua, okA := wire.ParseURI(a)
	ub, okB := wire.ParseURI(b)
	return okA && okB && string(ua.AppendKey(nil)) == string(ub.AppendKey(nil))
}

// failed answers a change that the store did not make.
func (s *Server) failed(r *edge.Request, err error) {
	switch {
	case errors.Is(err, location.ErrStale):
		// RFC 3261 section 10.3 step 7 lets the request fail without saying how;
		// section 12.2.2 answers a CSeq out of order with 500.
		s.refuse(r, wire.Fault{Code: 500, Reason: "CSeq Out Of Order"})
	case errors.Is(err, location.ErrTooMany):
		s.refuse(r, wire.Fault{Code: 403, Reason: reasonTooMany})
	case errors.Is(err, location.ErrUnavailable):
		s.unavailable(r, err)
	default:
		s.log.Error("cannot change registrations", "error", err)
		s.refuse(r, wire.Fault{Code: 500, Reason: "Server Internal Error"})
	}
}

// seconds is d in whole seconds, rounded up: a phone must not think that its
// binding has ended while the store keeps it, and 0 would mean removed.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
