package proxy

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// BenchmarkFork10 is a call to ten UDP phones from the INVITE until the caller
// has its 486: ten branches out, ten responses in, ten ACKs.
func BenchmarkFork10(b *testing.B) {
	s := newSite(b, nil)
	caller := newUDP(b, s)
	var phones []*ua
	for range 10 {
		u := newUDP(b, s)
		phones = append(phones, u)
		s.bind("102", u, nil)
	}
	for b.Loop() {
		caller.invite("101", "102", "")
		for _, u := range phones {
			u.respond(u.request(sip.INVITE), 486)
		}
		for _, u := range phones {
			u.request(sip.ACK)
		}
		caller.response(486)
	}
}
