package roster

import (
	"cmp"
	"slices"
	"strings"
)

// Count is how many phones have something in common.
type Count struct {
	Name   string
	Phones int
}

// Tally counts the phones of the list by what an overview shows.
type Tally struct {
	ByState  []Count // every state, those without phones as well
	ByVendor []Count // the most first, at most maxVendors; phones whose maker is not known are in none
	Drifted  int     // phones with any drift
}

// maxVendors bounds what Tally answers: who makes a phone can be the phone's own claim.
const maxVendors = 20

// maker is a maker's name as phones give it first and how many phones have it.
type maker struct {
	name   string
	phones int
}

// tally is what state keeps for Tally.
type tally struct {
	states  [len(states)]int
	makers  map[uint32]maker // by folded name
	drifted int
}

// count follows one phone that comes or goes.
func (t *tally) count(h hot, n int, name string) {
	t.states[h.state] += n
	if h.drift {
		t.drifted += n
	}
	m := t.makers[h.maker]
	if m.name == "" {
		m.name = name
	}
	if m.phones += n; m.phones > 0 {
		t.makers[h.maker] = m
	} else {
		delete(t.makers, h.maker)
	}
}

// Tally returns the counts, which are kept and not computed.
func (r *Roster) Tally() Tally {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := Tally{Drifted: r.st.tally.drifted}
	for i, n := range r.st.tally.states {
		out.ByState = append(out.ByState, Count{states[i], n})
	}
	for _, m := range r.st.tally.makers {
		if m.name != "" {
			out.ByVendor = append(out.ByVendor, Count{m.name, m.phones})
		}
	}
	slices.SortFunc(out.ByVendor, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Phones, a.Phones), strings.Compare(a.Name, b.Name))
	})
	out.ByVendor = out.ByVendor[:min(len(out.ByVendor), maxVendors)]
	return out
}
