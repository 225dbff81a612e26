package proxy

import (
	"fmt"
	"testing"

	"github.com/emiago/sipgo/sip"
	"pbx.dev/dialtone/registrar/fork"
)

func moved(to ...string) sip.Header {
	value := ""
	for i, uri := range to {
		if i > 0 {
			value += ", "
		}
		value += "<" + uri + ">"
	}
	return sip.NewHeader("Contact", value)
}

// TestPhoneForwardsItsCalls: a 302 into the domain rings the phones there beside
// those that ring already, and the first that answers has the call.
func TestPhoneForwardsItsCalls(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, away, desk, other := newUDP(t, s), newUDP(t, s), newUDP(t, s), newUDP(t, s)
	s.bind("102", away, nil)
	s.bind("102", desk, nil)
	s.bind("103", other, nil)
	s.bind("103", away, nil) // the phone that forwards: it is not rung again for another
	c := caller.invite("101", "102", "")
	atDesk := desk.request(sip.INVITE)
	desk.respond(atDesk, 180)
	caller.response(180)
	away.respond(away.request(sip.INVITE), 302, moved("sip:200@elsewhere.example", "sip:103@"+testDomain, "sip:103@"+testDomain))
	away.request(sip.ACK)
	atOther := other.request(sip.INVITE)
	if got := atOther.Recipient.String(); got != other.contact("103") {
		t.Errorf("Request-URI %s", got)
	}
	other.respond(atOther, 200)
	c.answered(caller.response(200))
	cancel := desk.request(sip.CANCEL)
	if got := cancel.GetHeader("Reason").Value(); got != fork.CompletedElsewhere {
		t.Errorf("Reason %q", got)
	}
	other.request(sip.ACK)
}

// TestRedirectsThatAreNotFollowed: out of the domain, to nobody, and a second time
// the 302 is the caller's to follow.
func TestRedirectsThatAreNotFollowed(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{
		"elsewhere": "sip:103@elsewhere.example", "nobody": "sip:999@" + testDomain,
		"not registered": "sip:104@" + testDomain, "telephone": "tel:+49301234",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			caller, away := newUDP(t, s), newUDP(t, s)
			s.bind("102", away, nil)
			caller.invite("101", "102", "")
			away.respond(away.request(sip.INVITE), 302, moved(uri))
			if got := caller.response(302).GetHeader("Contact").Value(); got != "<"+uri+">" {
				t.Errorf("Contact %s", got)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, nil)
		caller, a, b := newUDP(t, s), newUDP(t, s), newUDP(t, s)
		s.bind("102", a, nil)
		s.bind("103", b, nil)
		caller.invite("101", "102", "")
		a.respond(a.request(sip.INVITE), 302, moved("sip:103@"+testDomain))
		a.request(sip.ACK)
		b.respond(b.request(sip.INVITE), 302, moved("sip:102@"+testDomain))
		caller.response(302)
	})
}

// TestForwardedToNobodyHome: the call ends when those it was sent on to decline.
func TestForwardedToNobodyHome(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, away, other := newUDP(t, s), newUDP(t, s), newUDP(t, s)
	s.bind("102", away, nil)
	s.bind("103", other, nil)
	caller.invite("101", "102", "")
	away.respond(away.request(sip.INVITE), 302, moved("sip:103@"+testDomain))
	away.request(sip.ACK)
	other.respond(other.request(sip.INVITE), 486)
	caller.response(486)
}

// TestMergedRequest: the same INVITE by another path is 482; for somebody else,
// or later, it is not.
func TestMergedRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	caller, desk := newUDP(t, s), newUDP(t, s)
	s.bind("102", desk, nil)
	invite := func(ext string) {
		caller.send("INVITE sip:%s@%s SIP/2.0\r\nFrom: <sip:101@%s>;tag=f\r\nTo: <sip:102@%s>\r\nCall-ID: merge\r\nCSeq: 7 INVITE\r\n%sContact: <%s>\r\n",
			ext, testDomain, testDomain, testDomain, auth("101"), caller.contact("101"))
	}
	invite("102")
	first := desk.request(sip.INVITE)
	invite("102")
	caller.response(482)
	invite("103") // a spiral, to nobody here
	caller.response(480)
	desk.respond(first, 486)
	caller.response(486)
}

// TestDeclineOfOnePhone: a 603 ends the call for all, or with the setting for the
// phone alone.
func TestDeclineOfOnePhone(t *testing.T) {
	t.Parallel()
	for _, ignore := range []bool{false, true} {
		t.Run(fmt.Sprint(ignore), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(o *Options) { o.Fork.IgnoreDecline = ignore })
			caller, a, b := newUDP(t, s), newUDP(t, s), newUDP(t, s)
			s.bind("102", a, nil)
			s.bind("102", b, nil)
			caller.invite("101", "102", "")
			atA, atB := a.request(sip.INVITE), b.request(sip.INVITE)
			b.respond(atB, 180)
			caller.response(180)
			a.respond(atA, 603)
			a.request(sip.ACK)
			if !ignore {
				b.respond(b.request(sip.CANCEL), 200)
				b.respond(atB, 487)
				caller.response(603)
				return
			}
			b.respond(atB, 200)
			caller.response(200)
		})
	}
}
