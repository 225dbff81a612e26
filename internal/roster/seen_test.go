package roster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

// Each contact that belongs to no device is a phone, stays when it is gone and
// is the same one when it comes back.
func TestSeenPhones(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	h.ExtensionChanged(phone.Extension{Number: "101", Name: "Ann"})
	web := contactOf("101", "192.0.2.7", ua(jssip), instance("urn:uuid:7c6d4c1e-9f0b-4f4e-8a3a-0123456789ab"), func(b *location.Binding) {
		b.Transport, b.Contact = "wss", "sip:x@y.invalid;transport=ws"
	})
	soft := contactOf("101", "192.0.2.8", ua("MicroSIP/3.21.4"))
	h.register(web)
	h.register(soft)
	want(t, h.Stats(), Stats{Total: 2, Registered: 2, ByType: ByType{Softphone: 1, WebRTC: 1}})

	p := h.only(Filter{DeviceType: "webrtc"})
	want(t, p.Manufacturer, "JsSIP")
	want(t, p.ExtensionName, "Ann")
	want(t, p.State, StateRegistered)
	want(t, p.MatchedBy, "")
	if !strings.HasPrefix(p.ID, "phone_") || len(p.ID) != len("phone_")+20 {
		t.Errorf("id %q", p.ID)
	}

	h.expire(web)
	gone := h.one(p.ID)
	want(t, gone.Registered, false)
	want(t, gone.State, StateUnregistered)

	web.ID, web.Contact, web.Received = "other", "sip:z@q.invalid", "198.51.100.1:4000" // same instance
	h.register(web)
	want(t, h.one(p.ID).Registered, true)
	want(t, h.Stats().Total, 2)
	h.check(t)
}

// A browser that makes a new instance with every page load is one phone as long
// as its old contact is gone.
func TestSameAddressComesBack(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	tab := func(n int) location.Binding {
		return contactOf("101", "192.0.2.7", ua(jssip), id(fmt.Sprint("tab", n)), instance(fmt.Sprint("urn:uuid:load-", n)))
	}
	h.register(tab(1))
	first := h.only(Filter{}).ID
	h.expire(tab(1))
	h.register(tab(2))
	want(t, h.only(Filter{}).ID, first)
	h.register(tab(3)) // the second tab is still open: another phone
	want(t, h.Stats(), Stats{Total: 2, Registered: 2, ByType: ByType{WebRTC: 2}})
	h.expire(tab(2))
	h.expire(tab(3))
	h.register(tab(3))
	want(t, h.Stats(), Stats{Total: 2, Registered: 1, Unregistered: 1, ByType: ByType{WebRTC: 2}})
	h.check(t)
}

func TestTypeOfAnUnknownText(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	h.register(contactOf("101", "192.0.2.1", ua("sipp")))
	h.register(contactOf("102", "192.0.2.2", ua("sipp"), instance("urn:uuid:00000000-0000-0000-0000-0004f2000001")))
	want(t, h.Stats().ByType, ByType{Hardware: 1, Softphone: 1})
	p := h.only(Filter{DeviceType: "hardware"})
	want(t, p.MAC, phone.MAC{0, 4, 0xf2, 0, 0, 1})
	want(t, p.Manufacturer, "Polycom")
	h.check(t)
}

func TestAging(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	gone, stays := contactOf("102", "10.0.0.5", ua(jssip)), contactOf("103", "10.0.0.6", ua(jssip))
	h.register(gone)
	h.register(stays)
	h.expire(gone)
	h.pass(30 * 24 * time.Hour)
	h.age(h.clock())
	want(t, h.Stats().Total, 3)
	h.pass(time.Second)
	h.age(h.clock())
	want(t, h.Stats(), Stats{Total: 2, Registered: 1, Unregistered: 1, ByType: ByType{Hardware: 1, WebRTC: 1}})
	h.check(t)
}

func TestForget(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	b := contactOf("102", "10.0.0.5", ua(jssip))
	h.register(b)
	seen := h.only(Filter{DeviceType: "webrtc"}).ID
	ctx := t.Context()
	for id, sentinel := range map[string]error{"phone_nobody": phone.ErrNotFound, d.ID: phone.ErrConflict, seen: phone.ErrConflict} {
		if err := h.Forget(ctx, id); !errors.Is(err, sentinel) {
			t.Errorf("Forget(%s): %v, want %v", id, err, sentinel)
		}
	}
	h.expire(b)
	h.flush()
	want(t, len(h.store.seen), 1)
	if err := h.Forget(ctx, seen); err != nil {
		t.Fatal(err)
	}
	want(t, len(h.store.seen), 0)
	want(t, h.Stats().Total, 1)
	h.check(t)
}

func TestIdlePhonesOfAnExtensionAreBounded(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	for i := range 3 * maxIdlePerExtension {
		b := contactOf("101", "10.0.0.5", ua(fmt.Sprintf("made-up-%d-", i)), id(fmt.Sprint(i)), at(t0.Add(time.Duration(i)*time.Second)))
		h.register(b)
		h.expire(b)
	}
	want(t, h.Stats().Total, maxIdlePerExtension)
	want(t, len(h.all(Filter{Q: "made-up-191-"})), 1)
	want(t, len(h.all(Filter{Q: "made-up-0-"})), 0)
	h.check(t)
}

func TestUnknownPhones(t *testing.T) {
	t.Parallel()
	h := build(t, newStore(), func(o *Options) { o.ShowUnknown = true })
	d := sample(1, phone.Yealink, "T46S", "101")
	ask := phone.Event{Kind: phone.EventFile, MAC: d.MAC, Outcome: "not-found", Source: "10.0.0.5:1", UserAgent: t46s + " " + d.MAC.Hex()}
	h.Observe(ask)
	want(t, h.Stats().Total, 0) // anybody can ask for a file
	h.Waiting(ask)
	h.Waiting(ask)
	p := h.only(Filter{State: StatePending})
	want(t, p.MAC, d.MAC)
	want(t, p.Model, "T46S")
	want(t, p.IPAddress, "10.0.0.5")
	h.check(t)

	h.flush()
	want(t, len(h.store.seen), 0) // no row in the database for a phone that may be made up
	want(t, h.Knows(d.MAC), false)
	h.DeviceChanged(d)
	want(t, h.Knows(d.MAC), true)
	want(t, h.only(Filter{}).ID, d.ID)
	h.Waiting(ask)
	want(t, h.only(Filter{}).ID, d.ID)
	h.check(t)

	// What was kept before is forgotten.
	old := build(t, newStore(), func(o *Options) { o.ShowUnknown = true })
	old.store.seen["phone_x"] = phone.Seen{ID: "phone_x", Key: "m:" + d.MAC.Hex() + ":phone_x"}
	old = old.restart()
	old.flush()
	want(t, old.Stats().Total, 0)
	want(t, len(old.store.seen), 0)

	h.Waiting(phone.Event{Kind: phone.EventFile, MAC: phone.MAC{0xde, 0xad, 0, 0, 0, 1}, Outcome: "not-found"})
	want(t, h.Stats().Total, 1) // no vendor of ours
}

func TestUnknownPhonesExpire(t *testing.T) {
	t.Parallel()
	h := build(t, newStore(), func(o *Options) { o.ShowUnknown = true })
	h.Waiting(phone.Event{Kind: phone.EventFile, MAC: sample(1, phone.Yealink, "").MAC})
	h.age(h.now().Add(waitFor))
	want(t, h.Stats().Total, 1)
	h.age(h.now().Add(waitFor + time.Second))
	want(t, h.Stats().Total, 0)
	h.check(t)
}

func TestUnknownPhonesAreBounded(t *testing.T) {
	t.Parallel()
	h := build(t, newStore(), func(o *Options) { o.ShowUnknown = true })
	for i := range maxPending + 500 {
		h.Observe(phone.Event{Kind: phone.EventDHCP, MAC: sample(i, phone.Yealink, "").MAC, Outcome: "ok"})
	}
	want(t, h.Stats().Total, maxPending)
	h.check(t)
}

func TestContactsOrder(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	set := func(q int, registered time.Time) func(*location.Binding) {
		return func(b *location.Binding) { b.Q, b.RegisteredAt = q, registered }
	}
	h.register(contactOf("101", "10.0.0.1", set(500, t0)))
	h.register(contactOf("101", "10.0.0.2", set(1000, t0)))
	h.register(contactOf("101", "10.0.0.3", set(1000, t0.Add(time.Second))))
	var got []string
	for _, c := range h.Contacts("101") {
		got = append(got, hostOf(c.Binding.Received))
		if _, ok := h.Phone(c.PhoneID); !ok {
			t.Errorf("no phone %q", c.PhoneID)
		}
	}
	want(t, got, []string{"10.0.0.3", "10.0.0.2", "10.0.0.1"})
	if list := h.Contacts("999"); len(list) != 0 {
		t.Errorf("contacts of nobody: %v", list)
	}
}

// A desk phone that nobody provisioned gets another address and says its MAC.
func TestSameMACComesBack(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	old := contactOf("101", "10.0.0.5", ua(t46s+" 805ec0aabbcc"))
	h.register(old)
	first := h.only(Filter{}).ID
	h.expire(old)
	h.register(contactOf("101", "10.0.0.99", ua(t46s+" 805ec0aabbcc")))
	want(t, h.only(Filter{}).ID, first)
	h.register(contactOf("102", "10.0.0.99", ua(t46s+" 805ec0aabbcc"))) // another line of it
	want(t, h.Stats().Total, 2)
	h.check(t)
}

// What was registered with the user of a line that is gone ends with its contact, and
// leaves no phone behind: the phone was deleted, replaced or given another line.
func TestRevokedLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *house, d phone.Device){
		"deleted": func(h *house, d phone.Device) { h.DeviceDeleted(d.ID) },
		"replaced": func(h *house, d phone.Device) {
			d.MAC[5], d.Revision, d.Lines = 0x55, d.Revision+1, []phone.Line{{Number: 1, Extension: "101", AuthUser: "new"}}
			h.DeviceChanged(d)
		},
		"another extension": func(h *house, d phone.Device) {
			d.Revision, d.Lines = d.Revision+1, []phone.Line{{Number: 1, Extension: "102", AuthUser: "new"}}
			h.DeviceChanged(d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, newStore())
			d := sample(1, phone.Yealink, "T46S", "101")
			h.DeviceChanged(d)
			b := contactOf("101", "10.0.0.9", as("l1_1"), ua(t46s))
			h.register(b)
			own := contactOf("101", "10.0.0.7", as("101_own"), ua("Zoiper rv2.10.8.2"))
			h.register(own)
			before := h.Stats()
			want(t, before.Registered, 2)
			change(h, d)
			want(t, h.Stats().Registered, 2) // it lives until it is removed
			h.flush()
			h.expire(b)
			h.expire(own)
			h.flush()
			phones := 1 // the softphone stays
			if name != "deleted" {
				phones++
			}
			want(t, h.Stats().Total, phones)
			want(t, len(h.store.seen), 1)
			h.check(t)
		})
	}
}
