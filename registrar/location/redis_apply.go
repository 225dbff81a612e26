package location

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// The status of a reply of apply.lua.
const (
	statusDone     = 0
	statusRepeated = 1
	statusStale    = -1
	statusTooMany  = -2
)

var errReply = errors.New("unexpected reply of a script")

// Apply implements Store: one script, one round trip. A ctx that has ended is
// noticed before; afterwards the timeouts of the client bound the wait. When the
// answer is lost on the way, the update may have been made all the same; to
// repeat it is harmless.
func (r *Redis) Apply(ctx context.Context, u Update) (Result, error) {
	res, err := r.apply(ctx, &u)
	r.outcomes.count(err)
	return res, err
}

func (r *Redis) apply(ctx context.Context, u *Update) (Result, error) {
	contacts, err := check(u)
	if err != nil {
		return Result{}, fmt.Errorf("apply to %s: %w", u.AOR, err)
	}
	keys, args := r.applyArgs(u, contacts)
	start := r.now()
	reply, err := r.run(ctx, &r.scripts.apply, keys, args)
	r.metrics.commit.Observe(r.now().Sub(start).Seconds())
	if err != nil {
		return Result{}, unavailable("apply to "+string(u.AOR), err)
	}
	res, err := applied(reply, u, contacts)
	if err != nil {
		return Result{}, fmt.Errorf("apply to %s: %w", u.AOR, err)
	}
	return res, nil
}

// applyArgs lists the keys and arguments of apply.lua. All texts are parts of
// one allocation.
func (r *Redis) applyArgs(u *Update, contacts []Contact) (keys int, args []any) {
	s := r.shard(u.AOR)
	aor := escape(string(u.AOR))
	prefix := s.contacts + aor + ":"
	args = make([]any, 0, 10+4*len(contacts))
	args = append(args, s.aors+aor, s.index, s.stream)
	for i := range contacts {
		args = append(args, prefix+escape(contacts[i].ID))
	}
	keys = len(args)

	scope := ""
	if u.RemoveAll {
		scope = "*"
		if u.Device != "" {
			scope = string(appendString(nil, u.Device))
		}
	}
	args = append(args, prefix, aor+"|", string(appendString(nil, u.CallID)), int64(u.CSeq),
		u.MaxContacts, scope, r.opts.StreamLen)
	buf := make([]byte, 0, 512)
	for i := range contacts {
		c := &contacts[i]
		b := c.Binding
		b.AOR = u.AOR
		buf = appendContent(buf[:0], &b)
		args = append(args, escape(c.ID), ttlMillis(c.TTL), string(buf))
	}
	return keys, args
}

// applied builds the answer. What u wrote needs no parsing: only since when it
// is registered comes back.
func applied(reply []any, u *Update, contacts []Contact) (Result, error) {
	status, ok := reply[0].(int64)
	if !ok || len(reply) < 2 {
		return Result{}, unavailable("read reply", errReply)
	}
	now, _ := reply[1].(int64)
	res := Result{Now: fromMillis(now)}
	switch status {
	case statusStale:
		return Result{}, ErrStale
	case statusTooMany:
		return Result{}, ErrTooMany
	case statusRepeated:
		res.Bindings = decodeValues(nil, reply[2:], now)
		return res, nil
	case statusDone:
	default:
		return Result{}, unavailable("status "+strconv.FormatInt(status, 10), errReply)
	}
	rest := reply[2:]
	if len(rest) < len(contacts) {
		return Result{}, unavailable("read reply", errReply)
	}
	res.Bindings = make([]Binding, 0, len(rest))
	for i := range contacts {
		if registered, _ := rest[i].(int64); registered > 0 {
			res.Bindings = append(res.Bindings, written(u, &contacts[i], registered, now))
		}
	}
	res.Bindings = decodeValues(res.Bindings, rest[len(contacts):], now)
	return res, nil
}

func written(u *Update, c *Contact, registered, now int64) Binding {
	b := c.Binding
	b.AOR, b.CallID, b.CSeq = u.AOR, u.CallID, u.CSeq
	b.RegisteredAt, b.RefreshedAt = fromMillis(registered), fromMillis(now)
	b.ExpiresAt = fromMillis(now + ttlMillis(c.TTL))
	return b
}
