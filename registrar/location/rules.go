package location

import (
	"errors"
	"slices"
)

// maxContacts is how many contacts one Update may carry.
const maxContacts = 16

// check refuses what no REGISTER can mean and returns the contacts of u without
// repetitions of an ID. It changes nothing of u.
func check(u *Update) ([]Contact, error) {
	switch {
	case u.AOR == "":
		return nil, errors.New("update without aor")
	case len(u.Contacts) > maxContacts:
		return nil, ErrTooMany
	case u.RemoveAll:
		return nil, nil
	}
	for i := range u.Contacts {
		if u.Contacts[i].ID == "" {
			return nil, errors.New("contact without id")
		}
	}
	return distinct(u.Contacts), nil
}

// distinct keeps one contact per ID. The last one wins, save that removing the
// old URI of an instance does not undo its new one, in whatever order a phone
// that changes its address names the two.
func distinct(in []Contact) []Contact {
	out := in
	copied := false
	for i := 1; i < len(in); i++ {
		c := &in[i]
		j := slices.IndexFunc(out[:min(len(out), i)], func(o Contact) bool { return o.ID == c.ID })
		switch {
		case j < 0 && copied:
			out = append(out, *c)
		case j < 0:
		default:
			if !copied {
				out, copied = slices.Clone(in[:i]), true
			}
			if c.TTL > 0 || c.Contact == out[j].Contact {
				out[j] = *c
			}
		}
	}
	return out
}

// decide returns the live bindings of the AOR after u, in the order of an answer,
// and appends to changes what happened. Expired ones in stored are not counted
// and reported first. After an error nothing may be changed: both results are
// then to be dropped. stored is not modified.
func decide(changes []Change, stored []Binding, u *Update, now int64) ([]Binding, []Change, error) {
	contacts, err := check(u)
	if err != nil {
		return nil, changes, err
	}
	t := transition{u: u, contacts: contacts, now: now, changes: changes}
	t.next = make([]Binding, 0, len(stored)+len(contacts))
	for i := range stored {
		if stored[i].live(now) {
			t.next = append(t.next, stored[i])
		} else {
			t.changes = append(t.changes, Change{Expired, stored[i]})
		}
	}
	switch {
	case u.lost != nil:
		t.dropLost()
	case u.RemoveAll:
		err = t.removeAll()
	default:
		err = t.apply()
	}
	if err != nil {
		return nil, changes, err
	}
	sortBindings(t.next)
	return t.next, t.changes, nil
}
