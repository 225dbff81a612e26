package location

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"unsafe"
)

// The status in a reply of apply.lua.
const (
	statusDone     = 0
	statusRepeated = 1
	statusStale    = -1
	statusTooMany  = -2
	statusFailed   = -3
)

var errReply = errors.New("unexpected reply of a script")

// Apply implements Store: one round trip, together with what else is on its way. A
// ctx that has ended is noticed before; afterwards the timeouts of the client bound
// the wait. When the answer is lost on the way, the update may have been made all the
// same; to repeat it is harmless.
func (r *Redis) Apply(ctx context.Context, u Update) (Result, error) {
	if err := ctx.Err(); err != nil {
		r.outcomes.unavailable.Inc()
		return Result{}, unavailable("apply to "+string(u.AOR), err)
	}
	done := make(chan Outcome, 1)
	r.Submit([]Update{u}, func(outs []Outcome) { done <- outs[0] })
	out := <-done
	return out.Result, out.Err
}

// scriptCall is one call of apply.lua in the making: the updates and where their
// outcomes go. All texts are parts of one allocation.
type scriptCall struct {
	items []scriptItem
	text  []byte
	keys  []int // where each key ends in text
	args  []int // the same of the arguments, after the keys
}

type scriptItem struct {
	update   *Update
	contacts []Contact // of update, distinct
	out      *Outcome
}

// newScriptCall has room for some updates of one contact.
func newScriptCall(updates int) *scriptCall {
	return &scriptCall{
		items: make([]scriptItem, 0, updates), text: make([]byte, 0, 768*updates),
		keys: make([]int, 0, 2*updates), args: make([]int, 0, 8*updates+1),
	}
}

// add appends an update.
func (c *scriptCall) add(r *Redis, item scriptItem) {
	c.items = append(c.items, item)
	s, aor := r.shard(item.update.AOR), escape(string(item.update.AOR))
	c.text = append(append(c.text, s.aors...), aor...)
	c.keys = append(c.keys, len(c.text))
	for i := range item.contacts {
		c.text = append(append(append(c.text, s.contacts...), aor...), ':')
		c.text = append(c.text, escape(item.contacts[i].ID)...)
		c.keys = append(c.keys, len(c.text))
	}
}

// arg ends an argument that was appended to the text.
func (c *scriptCall) arg() { c.args = append(c.args, len(c.text)) }

// addArgs appends the arguments of one update.
func (c *scriptCall) addArgs(item *scriptItem) {
	u := item.update
	c.text = strconv.AppendInt(c.text, int64(len(item.contacts)), 10)
	c.arg()
	c.text = appendCSeq(c.text, u.CSeq)
	c.arg()
	c.text = appendString(c.text, u.CallID)
	callFrom, callTo := len(c.text), 0
	if n := len(c.args); n > 0 {
		callFrom = c.args[n-1]
	}
	callTo = len(c.text)
	c.arg()
	c.text = strconv.AppendInt(c.text, int64(u.MaxContacts), 10)
	c.arg()
	switch {
	case u.RemoveAll && u.Device != "":
		c.text = appendString(c.text, u.Device)
	case u.RemoveAll:
		c.text = append(c.text, '*')
	}
	c.arg()
	for i := range item.contacts {
		contact := &item.contacts[i]
		c.text = strconv.AppendInt(c.text, ttlMillis(contact.TTL), 10)
		c.arg()
		hash := len(c.text)
		c.text = append(c.text, "000000000000000000000000"...)
		c.arg()
		from := len(c.text)
		c.text = appendContent(c.text, &contact.Binding, u.AOR)
		c.arg()
		appendHash(c.text[hash:hash], c.text[callFrom:callTo], c.text[from:])
	}
}

// command makes the arguments of a command, the keys first.
func (c *scriptCall) command(streamLen int) (keys int, args []any) {
	c.text = strconv.AppendInt(c.text, int64(streamLen), 10)
	c.arg()
	for i := range c.items {
		c.addArgs(&c.items[i])
	}
	text := unsafe.String(unsafe.SliceData(c.text), len(c.text)) // nothing is written to it any more
	args = make([]any, 0, len(c.keys)+len(c.args))
	at := 0
	for _, ends := range [...][]int{c.keys, c.args} {
		for _, end := range ends {
			args = append(args, text[at:end])
			at = end
		}
	}
	return len(c.keys), args
}

// settle takes the reply apart into the outcomes.
func (c *scriptCall) settle(reply []any, err error) {
	now := int64(0)
	if err == nil {
		now, _ = reply[0].(int64)
		if len(reply) != 1+len(c.items) || now == 0 {
			err = errReply
		}
	}
	for i := range c.items {
		item := &c.items[i]
		if err != nil {
			item.out.Err = unavailable("apply to "+string(item.update.AOR), err)
			continue
		}
		item.out.Result, item.out.Err = applied(reply[1+i], item.update, item.contacts, now)
		if item.out.Err != nil {
			item.out.Err = fmt.Errorf("apply to %s: %w", item.update.AOR, item.out.Err)
		}
	}
}

// applied builds the answer to one update. What it wrote needs no parsing: only since
// when it is registered comes back.
func applied(reply any, u *Update, contacts []Contact, now int64) (Result, error) {
	res := Result{Now: fromMillis(now)}
	if registered, ok := reply.(int64); ok && len(contacts) == 1 {
		res.Bindings = []Binding{written(u, &contacts[0], registered, now)}
		return res, nil
	}
	list, ok := reply.([]any)
	if !ok || len(list) == 0 {
		return Result{}, unavailable("read reply", errReply)
	}
	status, _ := list[0].(int64)
	rest := list[1:]
	switch {
	case status == statusStale:
		return Result{}, ErrStale
	case status == statusTooMany:
		return Result{}, ErrTooMany
	case status == statusRepeated:
		res.Bindings = decodeValues(nil, rest, now)
		return res, nil
	case status == statusFailed:
		return Result{}, unavailable("run script", fmt.Errorf("%w: %v", errReply, rest))
	case status != statusDone || len(rest) < len(contacts):
		return Result{}, unavailable("status "+strconv.FormatInt(status, 10), errReply)
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
