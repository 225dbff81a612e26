package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRevokedContactsGo: what a phone registered with its own user is gone when it is
// exchanged or deleted, what others registered at the extension stays.
func TestRevokedContactsGo(t *testing.T) {
	t.Parallel()
	d := serve(t)
	softphone := d.extension("101", "Front Desk")
	p := d.phone("001565aabb01", "T46S", "101")
	register := func(number, user, password, contact string) {
		if got := newRawPhone(t, d.addr["sip.udp"]).register(number, user, password, contact, 600); !strings.HasPrefix(got, "SIP/2.0 200 ") {
			t.Fatalf("register %s: %s", contact, got)
		}
	}
	register("101", softphone.SIPUsername, softphone.SIPPassword, "soft")
	mac := "001565aabb01"
	for _, end := range []func() int{
		func() int {
			return d.call("POST", "/v1/pbx/phones/"+p.ID+"/replace", `{"macAddress":"001565aabb02"}`, nil)
		},
		func() int { return d.call("DELETE", "/v1/pbx/phones/"+p.ID, nil, nil) },
	} {
		_, auth, password := rendered(t, d, mac)
		register("101", auth, password, "desk")
		eventually(t, 10*time.Second, "both are there", func() bool { return len(d.contactList("101")) == 2 })
		if status := end(); status/100 != 2 {
			t.Fatalf("%d", status)
		}
		eventually(t, 10*time.Second, "the phone's contact is gone", func() bool {
			text := contactsOf(d, "101")
			return !strings.Contains(text, "sip:desk@") && strings.Contains(text, "sip:soft@")
		})
		if got := newRawPhone(t, d.addr["sip.udp"]).register("101", auth, password, "desk", 600); !strings.HasPrefix(got, "SIP/2.0 401 ") {
			t.Errorf("the old user is accepted: %s", got)
		}
		mac = "001565aabb02"
	}
	if status := d.call("DELETE", "/v1/pbx/extensions/101", nil, nil); status != http.StatusNoContent {
		t.Fatalf("delete: %d", status)
	}
	eventually(t, 10*time.Second, "the list has nobody registered", func() bool { return len(d.phones("registered=true")) == 0 })
}
