package location

import (
	"cmp"
	"slices"
	"strings"
)

// live reports whether b counts at now: at the millisecond of its expiry it does
// not any more.
func (b *Binding) live(now int64) bool { return toMillis(b.ExpiresAt) > now }

// sameContent reports whether a refresh by b would only move the expiry of a.
// Call-ID, CSeq and times are not content.
func sameContent(a, b *Binding) bool {
	return a.Contact == b.Contact && a.Params == b.Params &&
		a.Received == b.Received && a.Transport == b.Transport && a.Socket == b.Socket &&
		a.Node == b.Node && a.Boot == b.Boot && a.Flow == b.Flow &&
		a.Instance == b.Instance && a.RegID == b.RegID && a.Q == b.Q &&
		a.UserAgent == b.UserAgent && a.AuthUser == b.AuthUser && a.Device == b.Device &&
		slices.Equal(a.Path, b.Path)
}

// sortBindings puts bindings in the order of an answer: highest q first, then
// the most lately refreshed; the ID makes the order complete.
func sortBindings(bs []Binding) {
	if len(bs) < 2 {
		return
	}
	slices.SortFunc(bs, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.RefreshedAt.Compare(a.RefreshedAt), cmp.Compare(a.ID, b.ID))
	})
}

// olderThan is the order of eviction.
func olderThan(a, b *Binding) bool {
	return cmp.Or(a.RefreshedAt.Compare(b.RefreshedAt), a.RegisteredAt.Compare(b.RegisteredAt), cmp.Compare(a.ID, b.ID)) < 0
}

// texts points at every string of b save the members of Path.
func (b *Binding) texts() [15]*string {
	return [15]*string{
		(*string)(&b.AOR), &b.ID, &b.Contact, &b.Params, &b.Received, &b.Transport, &b.Socket, &b.Node, &b.Boot,
		&b.Flow, &b.CallID, &b.Instance, &b.UserAgent, &b.AuthUser, &b.Device,
	}
}

// clone copies all strings of b into one allocation, so that a binding, which
// lives for an hour, does not keep the message alive that it was cut out of.
func (b Binding) clone() Binding {
	texts := b.texts()
	n := 0
	for _, s := range texts {
		n += len(*s)
	}
	for _, p := range b.Path {
		n += len(p)
	}
	var buf strings.Builder
	buf.Grow(n)
	for _, s := range texts {
		buf.WriteString(*s)
	}
	for _, p := range b.Path {
		buf.WriteString(p)
	}
	rest := buf.String()
	cut := func(s string) string {
		head := rest[:len(s)]
		rest = rest[len(s):]
		return head
	}
	for _, s := range texts {
		*s = cut(*s)
	}
	b.Path = slices.Clone(b.Path)
	for i, p := range b.Path {
		b.Path[i] = cut(p)
	}
	return b
}

// liveOf returns a copy of the live ones of bs.
func liveOf(bs []Binding, now int64) []Binding {
	n := 0
	for i := range bs {
		if bs[i].live(now) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]Binding, 0, n)
	for i := range bs {
		if bs[i].live(now) {
			out = append(out, bs[i])
		}
	}
	return out
}
