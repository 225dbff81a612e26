package roster

import (
	"testing"

	"pgregory.net/rapid"

	"pbx.dev/dialtone/internal/phone"
)

func TestTally(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	h.ExtensionChanged(phone.Extension{Number: "101", Name: "Ann"})
	web := contactOf("101", "192.0.2.7", ua(jssip))
	h.register(web)
	h.register(contactOf("101", "192.0.2.8", ua("Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:01")))
	want(t, h.Tally().ByVendor, []Count{{"JsSIP", 1}, {"Yealink", 1}})
	byState := map[string]int{}
	for _, c := range h.Tally().ByState {
		byState[c.Name] = c.Phones
	}
	want(t, byState, map[string]int{StatePending: 0, StateExpected: 0, StateContacted: 0, StateConfigured: 0, StateRegistered: 2, StateUnregistered: 0})
}

// tallies compares what is kept with what the list shows.
func (h *house) tallies(t rapid.TB) {
	t.Helper()
	makers, states, drifted := map[string]int{}, map[string]int{}, 0
	for _, p := range h.all(Filter{}) {
		makers[p.Manufacturer]++
		states[p.State]++
		if len(p.Drift) > 0 {
			drifted++
		}
	}
	tally := h.Tally()
	for _, c := range tally.ByVendor {
		if makers[c.Name] != c.Phones {
			t.Errorf("of %s %d, the list has %v", c.Name, c.Phones, makers)
		}
	}
	for _, c := range tally.ByState {
		if states[c.Name] != c.Phones {
			t.Errorf("%d are %s, the list has %v", c.Phones, c.Name, states)
		}
	}
	if tally.Drifted != drifted {
		t.Errorf("%d differ, the list has %d", tally.Drifted, drifted)
	}
}
