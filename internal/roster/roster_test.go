package roster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/registrar/location"
)

const (
	vvx450 = "PolycomVVX-VVX_450-UA/6.4.5"
	t46s   = "Yealink SIP-T46S 66.86.0.15"
	jssip  = "JsSIP 3.10.0"
)

// A device goes through all states, as an operator sees it.
func TestLifeOfADevice(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	d.Name = "Front desk"
	st.devices[d.ID] = d
	st.extensions["101"] = phone.Extension{Number: "101", Name: "Reception"}
	h := build(t, st)

	p := h.one(d.ID)
	want(t, p, Phone{
		ID: d.ID, Provisioned: true, Extension: "101", ExtensionName: "Reception", DeviceType: "hardware",
		Manufacturer: "Polycom", Model: "VVX 450", MAC: d.MAC, State: StateExpected,
		Lines: []Line{{Line: 1, ExtensionNumber: "101", AuthUser: "l1_1"}},
	})

	h.Observe(phone.Event{At: t0, Kind: phone.EventDHCP, MAC: d.MAC, Outcome: "ok", Source: "10.0.0.5"})
	want(t, h.one(d.ID).State, StateContacted)
	want(t, h.one(d.ID).IPAddress, "10.0.0.5")

	fetched := t0.Add(time.Second)
	h.Observe(phone.Event{
		At: fetched, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:41000",
		UserAgent: "FileTransport PolycomVVX-VVX_450-UA/5.9.0.1 Type/Updater",
	})
	p = h.one(d.ID)
	want(t, p.State, StateConfigured)
	want(t, p.LastProvisioned, fetched)
	want(t, p.Firmware, "") // the updater's version is not the phone's

	b := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450), at(t0.Add(2*time.Second)))
	h.register(b)
	p = h.one(d.ID)
	want(t, p.State, StateRegistered)
	want(t, p.Registered, true)
	want(t, p.MatchedBy, RuleSIPUser)
	want(t, p.Firmware, "6.4.5")
	want(t, p.UserAgent, vvx450)
	want(t, p.LastRegistered, t0.Add(2*time.Second))
	want(t, p.Lines, []Line{{Line: 1, ExtensionNumber: "101", Registered: true, AuthUser: "l1_1"}})
	want(t, h.Stats(), Stats{Total: 1, Registered: 1, ByType: ByType{Hardware: 1}})

	h.expire(b)
	p = h.one(d.ID)
	want(t, p.State, StateUnregistered)
	want(t, p.Registered, false)
	want(t, p.UserAgent, vvx450)
	want(t, h.Stats(), Stats{Total: 1, Unregistered: 1, ByType: ByType{Hardware: 1}})
	h.check(t)
}

func TestDeviceWithoutLinesIsPending(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S")
	h.DeviceChanged(d)
	want(t, h.one(d.ID).State, StatePending)
	want(t, h.only(Filter{State: StatePending}).ID, d.ID)
	h.check(t)
}

func TestSeveralLinesAreOnePhone(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S", "101", "102")
	h.DeviceChanged(d)
	one := contactOf("101", "10.0.0.5", as("l1_1"), ua(t46s))
	two := contactOf("102", "10.0.0.5", as("l1_2"), ua(t46s))
	h.register(one)
	h.register(two)
	want(t, h.Stats(), Stats{Total: 1, Registered: 1, ByType: ByType{Hardware: 1}})
	h.expire(one)
	p := h.one(d.ID)
	want(t, p.Registered, true)
	want(t, p.Extension, "101")
	want(t, p.Lines, []Line{{1, "101", false, "l1_1"}, {2, "102", true, "l1_2"}})
	for _, number := range []string{"101", "102"} {
		want(t, h.only(Filter{Extension: number}).ID, d.ID)
	}
	want(t, h.Contacts("101"), []Contact{})
	want(t, h.Contacts("102"), []Contact{{Binding: two, PhoneID: d.ID}})
	h.check(t)
}

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

// A phone that registered before it was provisioned is in the list once.
func TestAdoption(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		contact func(d phone.Device) location.Binding
		rule    string
	}{
		{"minted user", func(phone.Device) location.Binding { return contactOf("101", "10.0.0.9", as("l1_1"), ua(t46s)) }, RuleSIPUser},
		{"instance", func(d phone.Device) location.Binding {
			return contactOf("101", "10.0.0.9", ua(t46s), instance("urn:uuid:00000000-0000-0000-0000-"+d.MAC.Hex()))
		}, RuleSIPInstance},
		{"user agent", func(d phone.Device) location.Binding {
			return contactOf("101", "10.0.0.9", ua(t46s+" "+d.MAC.Hex()))
		}, RuleUserAgentMAC},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := build(t, newStore())
			d := sample(1, phone.Yealink, "T46S", "101")
			h.register(tt.contact(d))
			h.flush()
			want(t, len(h.store.seen), 1)
			h.DeviceChanged(d)
			p := h.only(Filter{})
			want(t, p.ID, d.ID)
			want(t, p.MatchedBy, tt.rule)
			want(t, p.Registered, true)
			h.flush()
			want(t, len(h.store.seen), 0)
			h.check(t)

			h.DeviceDeleted(d.ID)
			p = h.only(Filter{})
			want(t, p.Provisioned, false)
			want(t, p.Registered, true)
			h.check(t)
		})
	}
}

func TestAdoptionUnderTheSameID(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Yealink, "T46S", "101")
	h.register(contactOf("101", "10.0.0.9", ua(t46s+" "+d.MAC.Hex())))
	d.ID = h.only(Filter{}).ID
	h.DeviceChanged(d)
	want(t, h.only(Filter{}).Provisioned, true)
	want(t, h.one(d.ID).Registered, true)
	h.check(t)
}

func TestLineAndIP(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Grandstream, "GXP2135", "101")
	h.DeviceChanged(d)
	b := contactOf("101", "10.0.0.5", ua("Grandstream GXP2135 1.0.9.108"))
	h.register(b)
	want(t, h.Stats().Total, 2) // nothing says yet that it is this device
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "denied", Source: "10.0.0.5:1"})
	want(t, h.Stats().Total, 2) // anybody can ask
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "ok", Source: "10.0.0.5:1", Revision: 1})
	want(t, h.only(Filter{}).MatchedBy, RuleLineAndIP)
	h.check(t)

	// It moves: the old contact stays its own until it expires.
	h.Observe(phone.Event{Kind: phone.EventFile, DeviceID: d.ID, Outcome: "ok", Source: "10.0.0.6:1", Revision: 1})
	want(t, h.only(Filter{}).Registered, true)
	h.register(contactOf("101", "10.0.0.6", ua("Grandstream GXP2135 1.0.9.108")))
	h.expire(b)
	want(t, h.only(Filter{}).IPAddress, "10.0.0.6")

	// A second device of the extension at the same address makes it ambiguous.
	e := sample(2, phone.Grandstream, "GXP2135", "101")
	h.DeviceChanged(e)
	h.Observe(phone.Event{Kind: phone.EventDHCP, MAC: e.MAC, Outcome: "ok", Source: "10.0.0.6"})
	h.register(contactOf("101", "10.0.0.6", id("late"), ua("Grandstream GXP2135 1.0.9.108")))
	want(t, h.Stats().Total, 3)
	h.check(t)
}

func TestDrift(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, ua string
		kind     string
	}{
		{"as provisioned", vvx450, ""},
		{"unknown text", "sipp", ""},
		{"another model", "PolycomVVX-VVX_411-UA/6.4.5", "model"},
		{"another vendor", t46s, "vendor"},
		{"software", "MicroSIP/3.21.4", "type"},
		{"another mac", vvx450 + "_0004f2999999", "mac"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := build(t, newStore())
			d := sample(1, phone.Polycom, "VVX450", "101")
			h.DeviceChanged(d)
			h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua(tt.ua)))
			yes := true
			if tt.kind == "" {
				want(t, len(h.one(d.ID).Drift), 0)
				want(t, len(h.all(Filter{Drift: &yes})), 0)
				return
			}
			p := h.only(Filter{Drift: &yes})
			if len(p.Drift) != 1 || !strings.HasPrefix(p.Drift[0], tt.kind+": ") {
				t.Errorf("drift %q", p.Drift)
			}
			want(t, h.only(Filter{DriftKind: tt.kind}).ID, d.ID)
			want(t, len(h.all(Filter{DriftKind: "configuration"})), 0)
			h.check(t)
		})
	}
}

func TestDriftOfConfiguration(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.Observe(phone.Event{Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	want(t, h.one(d.ID).State, StateConfigured)
	d.Revision, d.UpdatedAt = 2, t0.Add(time.Minute)
	h.DeviceChanged(d)
	want(t, h.one(d.ID).State, StateContacted)
	want(t, h.only(Filter{DriftKind: "configuration"}).ID, d.ID)
	old := d
	old.Revision, old.UpdatedAt, old.Model = 1, t0, "VVX 300"
	h.DeviceChanged(old)
	want(t, h.one(d.ID).Model, "VVX 450")
	h.Observe(phone.Event{Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 2, Source: "10.0.0.5:1"})
	want(t, len(h.one(d.ID).Drift), 0)
}

// Somebody with the password of one extension writes another phone's MAC into
// his User-Agent: the phone does not look registered by it, nor changes its face.
func TestClaimedMAC(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.register(contactOf("666", "203.0.113.9", ua("PolycomVVX-VVX_450-UA/0.0.1_"+d.MAC.Hex())))
	p := h.one(d.ID)
	want(t, p.Registered, false)
	want(t, p.State, StateExpected)
	want(t, p.IPAddress, "")
	want(t, len(p.Drift), 1)
	want(t, h.Contacts("666")[0].PhoneID, d.ID)
	h.check(t)
}

func TestLinesChangeUnderAContact(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101", "102")
	h.DeviceChanged(d)
	b := contactOf("102", "10.0.0.5", as("l1_2"), ua(vvx450))
	h.register(b)
	d.Lines = []phone.Line{{Number: 1, Extension: "103", AuthUser: "l1_1"}}
	d.Revision, d.UpdatedAt = 2, t0.Add(time.Minute)
	h.DeviceChanged(d)
	want(t, h.one(d.ID).Registered, false)
	want(t, h.Stats().Total, 2) // the contact is a phone of its own now
	h.check(t)
	d.Lines = append(d.Lines, phone.Line{Number: 2, Extension: "102", AuthUser: "l1_2"})
	d.Revision++
	h.DeviceChanged(d)
	want(t, h.only(Filter{}).Registered, true)
	h.check(t)
}

func TestReplacedMAC(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	b := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	h.register(b)
	h.expire(b)
	d.MAC, d.Revision = sample(9, phone.Polycom, "").MAC, 2
	h.DeviceChanged(d)
	p := h.one(d.ID)
	want(t, p.State, StateExpected)
	want(t, p.UserAgent, "")
	want(t, h.only(Filter{MAC: &d.MAC}).ID, d.ID)
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
	h.Observe(ask)
	p := h.only(Filter{State: StatePending})
	want(t, p.MAC, d.MAC)
	want(t, p.Model, "T46S")
	want(t, p.IPAddress, "10.0.0.5")
	h.check(t)

	h = h.restart()
	want(t, h.only(Filter{}).ID, p.ID)
	h.DeviceChanged(d)
	want(t, h.only(Filter{}).ID, d.ID)
	h.flush()
	want(t, len(h.store.seen), 0)
	h.check(t)

	h.Observe(phone.Event{Kind: phone.EventFile, MAC: phone.MAC{0xde, 0xad, 0, 0, 0, 1}, Outcome: "not-found"})
	want(t, h.Stats().Total, 1) // no vendor of ours
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

func TestRestart(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	st.devices[d.ID] = d
	h := build(t, st)
	h.Observe(phone.Event{At: t0, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	desk := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	web := contactOf("102", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	soft := contactOf("102", "192.0.2.8", ua("MicroSIP/3.21.4"))
	for _, b := range []location.Binding{desk, web, soft} {
		h.register(b)
		h.expire(b)
	}
	before := h.all(Filter{})
	h = h.restart()
	after := h.all(Filter{})
	for i := range before {
		before[i].MatchedBy = "" // is not stored
	}
	want(t, after, before)
	h.check(t)
	for _, b := range []location.Binding{desk, web, soft} {
		h.register(b)
	}
	want(t, h.Stats(), Stats{Total: 3, Registered: 3, ByType: ByType{Hardware: 1, Softphone: 1, WebRTC: 1}})
	h.check(t)
}

// Registrations may be reported before what was seen is loaded.
func TestContactsBeforeLoad(t *testing.T) {
	t.Parallel()
	st := newStore()
	d := sample(1, phone.Polycom, "VVX 450", "101")
	st.devices[d.ID] = d
	h := build(t, st)
	desk := contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450))
	web := contactOf("102", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	h.register(web)
	h.flush()

	fresh, err := New(h.opts)
	if err != nil {
		t.Fatal(err)
	}
	n := &house{t: t, store: st, at: t0, Roster: fresh}
	n.register(desk)
	n.register(web)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, n.Stats(), Stats{Total: 2, Registered: 2, ByType: ByType{Hardware: 1, WebRTC: 1}})
	n.flush()
	want(t, len(st.seen), 1)
	n.check(t)
}

// A second Load drops what is gone and keeps what was told meanwhile.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	st := newStore()
	for i := range 5 {
		d := sample(i, phone.Polycom, "VVX 450", fmt.Sprint(100+i))
		st.devices[d.ID] = d
		st.extensions[fmt.Sprint(100+i)] = phone.Extension{Number: fmt.Sprint(100 + i), Name: fmt.Sprint("Name-", i)}
	}
	h := build(t, st)
	h.register(contactOf("103", "10.0.0.5", as("l3_1"), ua(vvx450)))
	delete(st.devices, sample(3, phone.Polycom, "").ID)
	delete(st.devices, sample(4, phone.Polycom, "").ID)
	delete(st.extensions, "104")
	st.extensions["100"] = phone.Extension{Number: "100", Name: "Renamed"}
	if err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, h.Stats(), Stats{Total: 4, Registered: 1, Unregistered: 3, ByType: ByType{Hardware: 4}})
	want(t, h.only(Filter{Q: "renamed"}).Extension, "100")
	want(t, len(h.all(Filter{Q: "name-0"})), 0)
	h.check(t)

	st.broken = errBroken
	if err := h.Load(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Load over a broken store: %v", err)
	}
	want(t, h.Stats().Total, 4)
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

func TestSaveFailure(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	d := sample(1, phone.Polycom, "VVX 450", "101")
	h.DeviceChanged(d)
	h.register(contactOf("101", "10.0.0.5", as("l1_1"), ua(vvx450)))
	b := contactOf("102", "10.0.0.6", ua(jssip))
	h.register(b)
	h.flush()
	h.expire(b)
	seen := h.only(Filter{DeviceType: "webrtc"}).ID
	h.Observe(phone.Event{At: t0, Kind: phone.EventFile, MAC: d.MAC, Outcome: "ok", Revision: 1, Source: "10.0.0.5:1"})
	h.store.broken = errBroken
	if err := h.Forget(context.Background(), seen); !errors.Is(err, errBroken) {
		t.Fatalf("Forget over a broken store: %v", err)
	}
	h.store.broken = nil
	h.flush()
	want(t, len(h.store.seen), 0)
	want(t, h.store.states[d.ID].ProvisionedRevision, int64(1))
	h.store.writes = 0
	h.flush()
	want(t, h.store.writes, 0)
}

// A plain refresh is saved now and then only.
func TestRefreshesAreSavedRarely(t *testing.T) {
	t.Parallel()
	h := build(t, newStore())
	b := contactOf("101", "10.0.0.6", ua(jssip))
	h.register(b)
	h.flush()
	h.store.writes = 0
	for i := 1; i <= 30; i++ {
		h.Binding(location.Change{Kind: location.Refreshed, Binding: contactOf("101", "10.0.0.6", ua(jssip), at(t0.Add(time.Duration(i)*time.Minute)))})
		h.flush()
	}
	want(t, h.store.writes, 3)
	want(t, h.only(Filter{}).LastRegistered, t0.Add(30*time.Minute))
}

// Two nodes see the same phone: both call it the same, and where they cannot,
// the rest is saved all the same.
func TestConflictOfKeys(t *testing.T) {
	t.Parallel()
	st := newStore()
	one, two := build(t, st), build(t, st)
	web := contactOf("101", "192.0.2.7", ua(jssip), instance("urn:uuid:1"))
	one.register(web)
	two.register(web)
	want(t, one.only(Filter{}).ID, two.only(Filter{}).ID)
	one.flush()

	taken := st.seen[one.only(Filter{}).ID]
	delete(st.seen, taken.ID)
	taken.ID = "phone_other"
	st.seen[taken.ID] = taken
	two.register(contactOf("102", "192.0.2.8", ua(jssip), instance("urn:uuid:2")))
	two.flush()
	want(t, len(st.seen), 2)
}
