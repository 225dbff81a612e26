package registrar

import (
	"testing"
	"time"

	"pbx.dev/dialtone/registrar/location"
)

// TestRoomOfTheUnreachable: a contact whose connection is closed makes room for
// another phone, one that is reachable never does, however soon it ends.
func TestRoomOfTheUnreachable(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) { o.MaxContacts, o.MinExpires = 2, time.Second })
	gone, live := dialPhone(t, w, "tcp", "101_a1b2c3"), dialPhone(t, w, "udp", "101_a1b2c3")
	gone.register("Contact: <sip:gone@h>")
	live.register("Contact: <sip:live@h>;expires=60")
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	run(t, w, u, []step{{[]string{"Contact: <sip:new@h>"}, "403 Too Many Contacts", []string{"sip:gone@h", "sip:live@h"}}})
	flow := ""
	bindings, err := w.store.Lookup(t.Context(), "101@pbx.dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings {
		flow += b.Flow // only one has any
	}
	gone.conn.Close()
	for deadline := time.After(patience); w.Alive(location.Binding{Node: "n1", Boot: "b1", Flow: flow}); {
		select {
		case <-deadline:
			t.Fatal("the connection stays open")
		case <-time.After(time.Millisecond):
		}
	}
	run(t, w, u, []step{
		{[]string{"Contact: <sip:new@h>"}, "200 OK", []string{"sip:live@h", "sip:new@h"}},
		{[]string{"Contact: <sip:newer@h>", "Contact: <sip:newest@h>"}, "403 Too Many Contacts", []string{"sip:live@h", "sip:new@h"}},
	})
}

// TestRoomOfTheSilent: a phone that does not answer makes room, if it is ours to
// judge.
func TestRoomOfTheSilent(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *Options) {
		o.MaxContacts = 1
		o.Unreachable = func(b location.Binding) bool { return b.Contact == "sip:silent@h" }
	})
	dialPhone(t, w, "udp", "101_a1b2c3").register("Contact: <sip:silent@h>")
	u := dialPhone(t, w, "udp", "101_a1b2c3")
	run(t, w, u, []step{{[]string{"Contact: <sip:new@h>"}, "200 OK", []string{"sip:new@h"}}})
	if w.unreachable(&location.Binding{Node: "n2", Contact: "sip:silent@h"}) {
		t.Error("judges what another node holds")
	}
}
