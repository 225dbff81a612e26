package dhcpd

import (
	"net/netip"
	"testing"
	"time"
)

// Servers are remembered by address; invented ones push out who was quiet longest.
func TestOthers(t *testing.T) {
	t.Parallel()
	var s Server
	if list, listening := s.Others(); len(list) != 0 || listening {
		t.Errorf("%v %v", list, listening)
	}
	s.others.open(1)
	real := Foreign{Server: netip.MustParseAddr("10.9.0.3"), Values: map[uint8]string{66: "old-pbx.example"}}
	s.others.note(real, "eth0", "", testNow)
	s.others.note(real, "eth0", "it tells phones elsewhere", testNow.Add(time.Minute))
	list, listening := s.Others()
	if len(list) != 1 || !listening {
		t.Fatalf("%v %v", list, listening)
	}
	if o := list[0]; o.Replies != 2 || !o.First.Equal(testNow) || !o.Last.Equal(testNow.Add(time.Minute)) || o.Interface != "eth0" || o.Problem == "" || o.Values[66] != "old-pbx.example" {
		t.Errorf("%+v", o)
	}
	for n := range 10 * maxOthers {
		s.others.note(Foreign{Server: netip.AddrFrom4([4]byte{10, 8, byte(n >> 8), byte(n)})}, "eth0", "", testNow.Add(time.Duration(n)*time.Second))
		s.others.note(real, "eth0", "", testNow.Add(time.Duration(n)*time.Second))
	}
	list, _ = s.Others()
	found := false
	for _, o := range list {
		found = found || o.Server == real.Server
	}
	if len(list) != maxOthers || !found {
		t.Errorf("%d servers, the real one: %v", len(list), found)
	}
}
