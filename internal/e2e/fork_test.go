package e2e

import (
	"testing"
	"time"
)

// Two real softphones on one extension ring together; one answers, the other
// stops; hanging up ends the call on both sides.
//
// One of them has the credentials rendered for a provisioned phone.
func TestForkRing(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			d := serve(t)
			desk, caller := d.extension("101", "Front Desk"), d.extension("102", "Caller")
			addr := d.addr["sip."+transport]
			d.phone("001565aabb01", "T46S", "101")
			user, auth, password := rendered(t, d, "001565aabb01")
			a := startBaresip(t, "a", addr, transport, user, auth, password)
			b := startBaresip(t, "b", addr, transport, "101", desk.SIPUsername, desk.SIPPassword)
			c := startBaresip(t, "caller", addr, transport, "102", caller.SIPUsername, caller.SIPPassword)
			for _, p := range []*baresip{a, b, c} {
				p.registered()
			}
			var got []listed
			eventually(t, 5*time.Second, "the phone is registered", func() bool {
				got = d.phones("macAddress=001565AABB01&registered=true")
				return len(got) == 1
			})
			if p := got[0]; p.Manufacturer != "Yealink" || p.Model != "T46S" || p.MAC != "00:15:65:AA:BB:01" || p.IP != "127.0.0.1" || p.MatchedBy != "sipUser" {
				t.Errorf("listed as %+v", p)
			}

			c.do("dial", "sip:101@pbx.dev")
			a.await("CALL_INCOMING")
			b.await("CALL_INCOMING")
			c.await("CALL_RINGING")

			a.do("accept", "")
			a.await("CALL_ESTABLISHED")
			c.await("CALL_ESTABLISHED")
			b.await("CALL_CLOSED")
			if a.saw("CALL_CLOSED") || c.saw("CALL_CLOSED") {
				t.Error("the answered call was closed as well")
			}

			c.do("hangup", "")
			a.await("CALL_CLOSED")
		})
	}
}

// A caller that gives up stops every phone.
func TestForkCancel(t *testing.T) {
	t.Parallel()
	d := serve(t)
	desk, caller := d.extension("101", "Front Desk"), d.extension("102", "Caller")
	addr := d.addr["sip.udp"]
	a := startBaresip(t, "a", addr, "udp", "101", desk.SIPUsername, desk.SIPPassword)
	b := startBaresip(t, "b", addr, "udp", "101", desk.SIPUsername, desk.SIPPassword)
	c := startBaresip(t, "caller", addr, "udp", "102", caller.SIPUsername, caller.SIPPassword)
	for _, p := range []*baresip{a, b, c} {
		p.registered()
	}
	c.do("dial", "sip:101@pbx.dev")
	a.await("CALL_INCOMING")
	b.await("CALL_INCOMING")
	c.do("hangup", "")
	a.await("CALL_CLOSED")
	b.await("CALL_CLOSED")
}

// A softphone is in the list while it is registered, and stays with
// registered:false when it is gone.
func TestSoftphoneInTheList(t *testing.T) {
	t.Parallel()
	d := serve(t)
	e := d.extension("101", "Front Desk")
	p := startBaresip(t, "a", d.addr["sip.udp"], "udp", "101", e.SIPUsername, e.SIPPassword)
	p.registered()
	var got []listed
	eventually(t, 5*time.Second, "the softphone is listed", func() bool {
		got = d.phones("registered=true")
		return len(got) == 1
	})
	if got[0].ExtensionNumber != "101" || got[0].ExtensionName != "Front Desk" || got[0].DeviceType != "softphone" || got[0].IP != "127.0.0.1" {
		t.Errorf("listed as %+v", got[0])
	}
	p.do("quit", "")
	eventually(t, 10*time.Second, "registered:false after it unregistered", func() bool {
		got = d.phones("registered=false")
		return len(got) == 1
	})
}
