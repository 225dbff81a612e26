package registrar

import (
	"cmp"
	"context"
	"errors"

	"pbx.dev/dialtone/registrar/location"
)

// makeRoom is asked when an AOR has as many contacts as it may have, and the store
// found none of the same device to replace: contacts that cannot be reached any
// more go, because their connection is closed or the phone does not answer. One
// that is reachable is never taken from somebody else. True: try again.
func (c *change) makeRoom(ctx context.Context, store location.Store) (bool, error) {
	bindings, err := store.Lookup(ctx, c.aor)
	if err != nil {
		return false, err
	}
	for i := range bindings {
		b := &bindings[i]
		if c.mine(b.ID) || !c.server.unreachable(b) {
			continue
		}
		// As if the phone had removed it: when it has refreshed meanwhile, the CSeq
		// is out of order and it stays.
		_, err := store.Apply(ctx, location.Update{
			AOR: c.aor, CallID: b.CallID, CSeq: b.CSeq + 1, Contacts: []location.Contact{{Binding: *b}},
		})
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, location.ErrStale):
			return false, err
		}
	}
	return false, nil
}

// unreachable reports whether this node knows that b cannot be reached. What
// another node holds is its own to judge.
func (s *Server) unreachable(b *location.Binding) bool {
	if b.Node != s.opts.Node {
		return false
	}
	return !s.Alive(*b) || s.opts.Unreachable != nil && s.opts.Unreachable(*b)
}

// applyInRoom applies the update and makes room for it when there is none.
func (c *change) applyInRoom(ctx context.Context, store location.Store) (location.Result, error) {
	for range maxContacts + 1 {
		res, err := store.Apply(ctx, c.update)
		if !errors.Is(err, location.ErrTooMany) {
			return res, err
		}
		if again, roomErr := c.makeRoom(ctx, store); roomErr != nil || !again {
			return location.Result{}, cmp.Or(roomErr, err)
		}
	}
	return location.Result{}, location.ErrTooMany
}
