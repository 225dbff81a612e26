package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestHoldAndTransfer: softphones of somebody else hold a call, take it up again and
// hand it over, between transports: re-INVITE, REFER and NOTIFY within the dialog, and
// the call that comes of it.
func TestHoldAndTransfer(t *testing.T) {
	t.Parallel()
	d := serve(t)
	one, two, three := d.extension("101", "One"), d.extension("102", "Two"), d.extension("103", "Three")
	a := startBaresip(t, "a", d.addr["sip.udp"], "udp", "101", one.SIPUsername, one.SIPPassword)
	b := startBaresip(t, "b", d.addr["sip.tcp"], "tcp", "102", two.SIPUsername, two.SIPPassword)
	c := startBaresip(t, "c", d.addr["sip.udp"], "udp", "103", three.SIPUsername, three.SIPPassword)
	for _, p := range []*baresip{a, b, c} {
		p.registered()
	}
	a.do("dial", "sip:102@pbx.dev")
	b.await("CALL_INCOMING")
	b.do("accept", "")
	a.await("CALL_ESTABLISHED")
	b.await("CALL_ESTABLISHED")

	for i, change := range []string{"hold", "resume"} {
		a.do(change, "")
		eventually(t, 15*time.Second, change+" has reached the other phone, and the answer this one", func() bool {
			return strings.Count(b.log.String(), "got re-INVITE") > i && strings.Count(a.log.String(), "got SDP answer") > i+1
		})
	}

	b.forget()
	a.do("transfer", "sip:103@pbx.dev")
	c.await("CALL_INCOMING")
	c.do("accept", "")
	c.await("CALL_ESTABLISHED")
	b.await("CALL_ESTABLISHED")
	a.await("CALL_CLOSED") // the NOTIFY says that it has worked
	c.do("hangup", "")
	b.await("CALL_CLOSED")
}
