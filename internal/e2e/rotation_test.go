package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/testkit"
)

// TestRotation: sipp registers with the old password until baresip has registered
// with the new one; a phone does with what its file says.
func TestRotation(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "sipp")
	d := serve(t)
	e := d.extension("101", "Desk")
	register := func(user, password string) error {
		return sippRegister(t, d.addr["sip.udp"], "udp", "101", user, password, "sipp", 600)
	}
	if err := register(e.SIPUsername, e.SIPPassword); err != nil {
		t.Fatal(err)
	}
	var rotated credentials
	if status := d.call("POST", "/v1/pbx/extensions/101/credentials", nil, &rotated); status != http.StatusOK || rotated.SIPPassword == e.SIPPassword {
		t.Fatalf("%d %+v", status, rotated)
	}
	for range 2 {
		if err := register(e.SIPUsername, e.SIPPassword); err != nil {
			t.Fatalf("the old password before the new one was used: %v", err)
		}
	}
	b := startBaresip(t, "new", d.addr["sip.udp"], "udp", "101", rotated.SIPUsername, rotated.SIPPassword)
	b.registered()
	p := newRawPhone(t, d.addr["sip.udp"])
	eventually(t, 10*time.Second, "the old password is good no more", func() bool {
		return strings.HasPrefix(p.register("101", e.SIPUsername, e.SIPPassword, "old", 600), "SIP/2.0 401")
	})

	d.extension("102", "Hall")
	phone := d.phone("001565aabb01", "T46S", "102")
	_, auth, old := rendered(t, d, "001565aabb01")
	if status := d.call("POST", "/v1/pbx/phones/"+phone.ID+"/credentials", nil, nil); status != http.StatusOK {
		t.Fatalf("rotate the lines: %d", status)
	}
	q := newRawPhone(t, d.addr["sip.udp"])
	if answer := q.register("102", auth, old, "desk", 600); !strings.HasPrefix(answer, "SIP/2.0 200") {
		t.Errorf("with the old secret: %s", answer)
	}
	_, again, secret := rendered(t, d, "001565aabb01")
	if again != auth || secret == old {
		t.Errorf("the file says %s and an old secret", again)
	}
	if answer := q.register("102", auth, secret, "desk", 600); !strings.HasPrefix(answer, "SIP/2.0 200") {
		t.Errorf("with the new secret: %s", answer)
	}
	eventually(t, 10*time.Second, "the old secret is good no more", func() bool {
		return strings.HasPrefix(q.register("102", auth, old, "desk", 600), "SIP/2.0 401")
	})
}
