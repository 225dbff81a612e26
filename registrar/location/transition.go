package location

import (
	"slices"
	"strings"
)

// transition works out what one Update does to the bindings of its AOR. It is
// the only statement of the rules in Go; apply.lua says the same for Redis, and
// locationtest keeps the two equal.
type transition struct {
	u        *Update
	contacts []Contact // of u, distinct
	now      int64
	next     []Binding // what is live, as the transition goes on
	changes  []Change
}

// stale is RFC 3261 section 10.3 step 7: in the same call, the CSeq must grow.
func (t *transition) stale(b *Binding) bool {
	return b.CallID == t.u.CallID && t.u.CSeq <= b.CSeq
}

func (t *transition) removeAll() error {
	inScope := func(b *Binding) bool { return t.u.Device == "" || b.Device == t.u.Device }
	for i := range t.next {
		if b := &t.next[i]; inScope(b) && t.stale(b) {
			return ErrStale
		}
	}
	kept := t.next[:0]
	for i := range t.next {
		if b := &t.next[i]; inScope(b) {
			t.changes = append(t.changes, Change{Removed, *b})
		} else {
			kept = append(kept, *b)
		}
	}
	t.next = kept
	return nil
}

func (t *transition) apply() error {
	repeated, err := t.order()
	if err != nil || repeated {
		return err
	}
	for i := range t.contacts {
		c := &t.contacts[i]
		j := t.find(c.ID)
		switch {
		case j < 0:
		case c.TTL > 0:
			t.refresh(j, c)
		default:
			t.drop(j, Removed)
		}
	}
	for i := range t.contacts {
		if c := &t.contacts[i]; c.TTL > 0 && t.find(c.ID) < 0 {
			if err := t.add(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// order checks the CSeq of every contact before anything is done, and finds out
// whether u only repeats what is stored. A repetition mixed with something new
// is stale.
func (t *transition) order() (repeated bool, err error) {
	fresh := false
	for i := range t.contacts {
		c := &t.contacts[i]
		j := t.find(c.ID)
		switch {
		case j < 0:
			fresh = fresh || c.TTL > 0
		case !t.stale(&t.next[j]):
			fresh = true
		case c.TTL > 0 && t.u.CSeq == t.next[j].CSeq && sameContent(&t.next[j], &c.Binding):
			repeated = true
		default:
			return false, ErrStale
		}
	}
	if repeated && fresh {
		return false, ErrStale
	}
	return repeated, nil
}

func (t *transition) find(id string) int {
	for i := range t.next {
		if t.next[i].ID == id {
			return i
		}
	}
	return -1
}

func (t *transition) drop(i int, kind ChangeKind) {
	t.changes = append(t.changes, Change{kind, t.next[i]})
	t.next = slices.Delete(t.next, i, i+1)
}

func (t *transition) refresh(i int, c *Contact) {
	b := &t.next[i]
	kind := Refreshed
	if !sameContent(b, &c.Binding) {
		kind = Changed
		registered := b.RegisteredAt
		*b = c.Binding
		b.RegisteredAt = registered
		t.stamp(b, c)
		*b = b.clone()
	} else {
		t.stamp(b, c)
	}
	t.changes = append(t.changes, Change{kind, *b})
}

func (t *transition) add(c *Contact) error {
	for t.u.MaxContacts > 0 && len(t.next) >= t.u.MaxContacts {
		i := t.victim(c.Device)
		if i < 0 {
			return ErrTooMany
		}
		t.drop(i, Evicted)
	}
	b := c.Binding
	b.RegisteredAt = fromMillis(t.now)
	t.stamp(&b, c)
	b = b.clone()
	t.next = append(t.next, b)
	t.changes = append(t.changes, Change{Added, b})
	return nil
}

// stamp sets what the store owns. An equal Call-ID keeps its stored string.
func (t *transition) stamp(b *Binding, c *Contact) {
	b.AOR = t.u.AOR
	if b.CallID != t.u.CallID {
		b.CallID = strings.Clone(t.u.CallID)
	}
	b.CSeq = t.u.CSeq
	b.RefreshedAt = fromMillis(t.now)
	b.ExpiresAt = fromMillis(t.now + ttlMillis(c.TTL))
}

// victim is the binding of device that was not refreshed for the longest time
// and that u does not name, or -1. Unknown devices have no bindings in common.
func (t *transition) victim(device string) int {
	found := -1
	if device == "" {
		return found
	}
	for i := range t.next {
		b := &t.next[i]
		if b.Device != device || t.names(b.ID) {
			continue
		}
		if found < 0 || olderThan(b, &t.next[found]) {
			found = i
		}
	}
	return found
}

func (t *transition) names(id string) bool {
	for i := range t.contacts {
		if t.contacts[i].ID == id {
			return true
		}
	}
	return false
}
