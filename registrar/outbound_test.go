package registrar

import (
	"slices"
	"testing"
)

// When RFC 5626 applies: section 6 of it.
func TestOutbound(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	const both = `Contact: <sip:101@h>;+sip.instance="<urn:x>";reg-id=1`
	const via = "Via: SIP/2.0/UDP phone.invalid;branch=z9hG4bK2"
	for name, c := range map[string]struct {
		headers []string
		status  string
		applied bool
	}{
		"supported":                 {[]string{"Supported: path, OUTBOUND", both}, "200 OK", true},
		"required":                  {[]string{"Require: outbound", both}, "200 OK", true},
		"not supported":             {[]string{both}, "200 OK", false},
		"no instance":               {[]string{"Supported: outbound", "Contact: <sip:101@h>;reg-id=1"}, "200 OK", false},
		"no reg-id":                 {[]string{"Supported: outbound", `Contact: <sip:101@h>;+sip.instance="<urn:x>"`}, "200 OK", false},
		"first hop supports":        {[]string{via, "Path: <sip:far;lr>, <sip:near;lr;ob>", "Supported: outbound", both}, "200 OK", true},
		"first hop does not":        {[]string{via, "Path: <sip:far;lr;ob>, <sip:near;lr>", "Supported: outbound", both}, "439 First Hop Lacks Outbound Support", false},
		"first hop is silent":       {[]string{via, "Supported: outbound", both}, "439 First Hop Lacks Outbound Support", false},
		"first hop, but not asked":  {[]string{via, both}, "200 OK", false},
		"first hop, but no reg-id":  {[]string{via, "Supported: outbound", "Contact: <sip:101@h>"}, "200 OK", false},
		"two flows in one REGISTER": {[]string{"Supported: outbound", both, `Contact: <sip:102@h>;+sip.instance="<urn:x>";reg-id=2`}, "400 More Than One reg-id", false},
	} {
		t.Run(name, func(t *testing.T) {
			u := dialPhone(t, w, "tcp", "101_a1b2c3")
			answer := u.register(c.headers...)
			if status(answer) != c.status {
				t.Errorf("answered %s, want %s", status(answer), c.status)
			}
			if got := slices.Equal(header(answer, "Require"), []string{"outbound"}); got != c.applied {
				t.Errorf("Require: outbound is %v, want %v", got, c.applied)
			}
			if got := slices.Equal(header(answer, "Flow-Timer"), []string{flowTimer}); got != c.applied {
				t.Errorf("Flow-Timer is %v, want %v", got, c.applied)
			}
		})
	}
}
